"""The commands about endpoints: addresses to which events are delivered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from freshet_client.cli.output import write_age, write_time
from freshet_client.cli.session import DURATION, Group, Session, pass_session
from freshet_client.cli.statuses import Status

if TYPE_CHECKING:
    from freshet_client.models import EndpointOut

LIMIT: Final = 50


class Instant(click.ParamType[str]):
    """An instant: ``2026-11-21T00:00:00Z``, or so long ago: ``24h``."""

    name = "instant"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str:
        """Read it; refuse what has no time zone."""
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            ago = timedelta(seconds=DURATION.convert(value, param, ctx))
            try:
                return (datetime.now(UTC) - ago).isoformat()
            except OverflowError:
                self.fail(f"{value!r} is before the year 1.", param, ctx)
        if found.tzinfo is None:
            self.fail(f"{value!r} has no time zone: put a Z behind it.", param, ctx)
        return found.isoformat()


@click.group(cls=Group)
def webhooks() -> None:
    """Have addresses told of events."""


@webhooks.command("list")
@pass_session
def list_endpoints(session: Session) -> None:
    """List your endpoints, the oldest first."""
    with session.client() as freshet:
        found = freshet.list_endpoints().endpoints
    session.output.listed(
        found,
        ("ID", "address", "state", "types", "last success", "why"),
        lambda each: (
            each.endpoint_id,
            each.url,
            each.state,
            ", ".join(each.types) or "all",
            write_age(each.last_success_at),
            each.why,
        ),
        empty="There are none. Make one: freshet webhooks add ADDRESS",
    )


@webhooks.command("add")
@click.argument("url", metavar="ADDRESS")
@click.option("--type", "types", multiple=True, metavar="NAME", help="Only these: refresh.*")
@click.option("--provider", metavar="NAME", help="Only what is about this provider.")
@click.option("--connection", "connection_ids", multiple=True, metavar="ID", help="About these.")
@click.option("--asymmetric", is_flag=True, help="Sign by a private key, too.")
@pass_session
def add_endpoint(session: Session, /, url: str, **asked: Any) -> None:
    """Have an address told of events. Its secret is shown this once: keep it."""
    given = {name: value or None for name, value in asked.items()}
    with session.client() as freshet:
        made = freshet.create_endpoint(url, **given)
    session.output.card(
        made,
        (
            ("endpoint", made.endpoint_id),
            ("address", made.url),
            ("secret", str(made.secret)),
            ("public key", made.public_key),
        ),
    )
    session.output.say(f"Try it: freshet webhooks ping {made.endpoint_id}")


@webhooks.command("ping")
@click.argument("endpoint_id")
@pass_session
def ping_endpoint(session: Session, /, endpoint_id: str) -> None:
    """Call an endpoint now, and show what it answers."""
    with session.client() as freshet:
        found = freshet.ping_endpoint(endpoint_id)
    if session.output.as_json:
        session.output.answer(found)
    else:
        told = found.status or found.error
        session.output.line(f"It answered {told} after {found.milliseconds} ms.")
    if found.status is None or not 200 <= found.status < 300:  # noqa: PLR2004 - success
        raise click.exceptions.Exit(Status.LATER)


@webhooks.command("deliveries")
@click.argument("endpoint_id")
@click.option("--status", metavar="WORD", help="Only those that are failed, pending, delivered.")
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True)
@pass_session
def list_deliveries(
    session: Session, /, endpoint_id: str, *, status: str | None, limit: int
) -> None:
    """Show what was delivered to an endpoint and what was not, the newest first."""
    with session.client() as freshet:
        found = list(islice(freshet.list_deliveries(endpoint_id, status=status), limit))
    session.output.listed(
        found,
        ("event", "type", "when", "status", "tries", "last answer", "next try"),
        lambda each: (
            each.event_id,
            each.type,
            write_age(each.time),
            each.status,
            len(each.attempts),
            (each.attempts[-1].status or each.attempts[-1].error) if each.attempts else "",
            write_age(each.next_attempt_at) if each.next_attempt_at else "",
        ),
        empty="Nothing yet.",
    )


@webhooks.command("replay")
@click.argument("endpoint_id")
@click.argument("event_ids", nargs=-1)
@click.option("--since", type=Instant(), help="Instead: those since then. 24h is so long ago.")
@click.option("--until", type=Instant(), help="Those until then.")
@click.option(
    "--only", type=click.Choice(("failed", "missing", "all")), help="failed, unless said."
)
@pass_session
def replay_events(
    session: Session, /, endpoint_id: str, *, event_ids: tuple[str, ...], **asked: str | None
) -> None:
    """Have events delivered again: those that are named, or those of a time."""
    if bool(event_ids) == bool(asked["since"]):
        raise click.UsageError("Name events, or give --since.")
    queued, cursor, more = 0, None, True
    with session.client() as freshet:
        while more:
            found = freshet.replay_events(
                endpoint_id,
                event_ids=event_ids or None,
                since=asked["since"],
                until=asked["until"],
                only=asked["only"],
                cursor=cursor,
            )
            queued, cursor = queued + found.queued, found.next_cursor
            more = cursor is not None
    if session.output.as_json:
        session.output.answer({"queued": queued})
    else:
        session.output.say(f"{queued} are delivered again.")


@webhooks.command("rotate")
@click.argument("endpoint_id")
@click.option("--overlap", type=DURATION, help="How long the old secret signs, too; a day.")
@pass_session
def rotate_secret(session: Session, /, endpoint_id: str, *, overlap: int | None) -> None:
    """Replace an endpoint's secret. The new one is shown this once: keep it."""
    with session.client() as freshet:
        found = freshet.rotate_secret(endpoint_id, overlap_seconds=overlap)
    if session.output.as_json:
        session.output.answer(found)
        return
    until = found.previous_secret_until
    session.output.facts(
        (
            ("secret", found.secret),
            ("public key", found.public_key),
            ("the old one until", write_time(until) if until else "now"),
        )
    )


@webhooks.command("pause")
@click.argument("endpoint_id")
@pass_session
def pause_endpoint(session: Session, /, endpoint_id: str) -> None:
    """Deliver nothing to an endpoint; what is due waits up to 30 days."""
    _change(session, endpoint_id, enabled=False)


@webhooks.command("enable")
@click.argument("endpoint_id")
@pass_session
def enable_endpoint(session: Session, /, endpoint_id: str) -> None:
    """Deliver to an endpoint again that was paused, failing or disabled."""
    _change(session, endpoint_id, enabled=True)


def _change(session: Session, endpoint_id: str, *, enabled: bool) -> None:
    with session.client() as freshet:
        found: EndpointOut = freshet.change_endpoint(endpoint_id, enabled=enabled)
    session.output.told(found, f"It is {found.state}.")


@webhooks.command("delete")
@click.argument("endpoint_id")
@pass_session
def delete_endpoint(session: Session, /, endpoint_id: str) -> None:
    """Delete an endpoint, and what waits for it."""
    with session.client() as freshet:
        freshet.delete_endpoint(endpoint_id)
    session.output.say("Deleted.")


COMMANDS: Final = (webhooks,)
