"""The commands about bulk runs: many connections refreshed at once."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from freshet_client.cli.output import write_age, write_time
from freshet_client.cli.session import DURATION, Group, Session, pass_session
from freshet_client.cli.statuses import Status, tell

if TYPE_CHECKING:
    from freshet_client import Client
    from freshet_client.models import BulkOut

LIMIT: Final = 20
_GOOD: Final = ("published", "partial", "fresh", "joined")
_ENDED: Final = frozenset({"done", "failed"})


@click.group(cls=Group)
def bulk() -> None:
    """Refresh many connections at once."""


@bulk.command("start")
@click.option("--provider", metavar="NAME", help="Those of this provider.")
@click.option("--connection", "connection_ids", multiple=True, metavar="ID", help="These.")
@click.option("--stale", type=DURATION, help="Those with older data, or with none.")
@click.option("--max-age", type=DURATION, help="Do nothing where the data are so young.")
@click.option("--spread", type=DURATION, help="Over how long to spread the starts.")
@click.option("--deadline", type=DURATION, help="How long the provider may take for each.")
@click.option("--watch", is_flag=True, help="Follow it to its end.")
@pass_session
def start_bulk(session: Session, /, *, watch: bool, **asked: Any) -> None:
    """Refresh all your connections, or some."""
    with session.client() as freshet:
        begun = freshet.start_bulk_refresh(
            provider=asked["provider"],
            connection_ids=asked["connection_ids"] or None,
            older_than_seconds=asked["stale"],
            max_age_seconds=asked["max_age"],
            spread_seconds=asked["spread"],
            deadline_seconds=asked["deadline"],
        )
        if watch:
            _follow(session, freshet, begun)
            return
    words = f"Started. Follow it: freshet bulk show {begun.bulk_id} --watch"
    session.output.told(begun, words, id_=begun.bulk_id)


@bulk.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True)
@pass_session
def list_bulk(session: Session, /, limit: int) -> None:
    """List your bulk runs, newest first."""
    with session.client() as freshet:
        found = list(islice(freshet.list_bulk_refreshes(limit=min(limit, 100)), limit))
    session.output.listed(
        found,
        ("ID", "status", "asked by", "when", "provider", "done", "of", "failed"),
        lambda each: (
            each.bulk_id,
            _status(each),
            each.reason,
            write_age(each.requested_at),
            each.provider,
            _done(each),
            each.total,
            _done(each) - _good(each),
        ),
        empty="There are none. Begin one: freshet bulk start --stale 24h --watch",
    )


@bulk.command("show")
@click.argument("bulk_id")
@click.option("--watch", is_flag=True, help="Follow it to its end.")
@pass_session
def show_bulk(session: Session, /, bulk_id: str, *, watch: bool) -> None:
    """Show how a bulk run stands."""
    with session.client() as freshet:
        found = freshet.read_bulk_refresh(bulk_id)
        if watch:
            _follow(session, freshet, found)
            return
    _show(session, found)


@bulk.command("failures")
@click.argument("bulk_id")
@pass_session
def list_failures(session: Session, /, bulk_id: str) -> None:
    """List the connections that a bulk run has not refreshed."""
    with session.client() as freshet:
        found = list(freshet.list_bulk_failures(bulk_id))
    session.output.listed(
        found,
        ("connection", "refresh", "outcome", "error", "what to do"),
        lambda each: (
            each.connection_id,
            each.refresh_id,
            each.outcome,
            each.error.name if each.error else "",
            each.error.action if each.error else "",
        ),
        empty="All were refreshed.",
    )
    counts = Counter(each.error.name if each.error else each.outcome for each in found)
    session.output.say(", ".join(f"{count} {name}" for name, count in counts.most_common()))


@bulk.command("cancel")
@click.argument("bulk_id")
@pass_session
def cancel_bulk(session: Session, /, bulk_id: str) -> None:
    """Stop a bulk run, with the refreshes that are under way."""
    with session.client() as freshet:
        found = freshet.cancel_bulk_refresh(bulk_id)
    session.output.told(found, "It ends within some seconds.")


def _follow(session: Session, freshet: Client, begun: BulkOut) -> None:
    session.go_on = f"The run goes on. Follow it: freshet bulk show {begun.bulk_id} --watch"
    session.output.say(begun.bulk_id)
    found = begun
    with session.output.bar("Refreshing") as show:
        if begun.status not in _ENDED:
            for found in freshet.watch_bulk_refresh(begun.bulk_id):
                show(_done(found), found.total, _outcomes(found))
    _show(session, found)
    if _was_stopped(found):
        raise click.exceptions.Exit(Status.CANCELLED)
    if found.error:
        raise click.exceptions.Exit(tell(found.error, session.output))
    if _good(found) < _done(found):
        session.output.say(f"Why: freshet bulk failures {found.bulk_id}")
        raise click.exceptions.Exit(Status.PARTIAL)


def _show(session: Session, found: BulkOut) -> None:
    session.output.card(
        found,
        (
            ("bulk run", found.bulk_id),
            ("status", _status(found)),
            ("provider", found.provider),
            ("began", write_age(found.requested_at)),
            ("done", f"{_done(found)} of {'?' if found.total is None else found.total}"),
            ("outcomes", _outcomes(found)),
            ("running", found.running),
            ("ends about", write_time(found.ends_about) if found.ends_about else ""),
            ("error", found.error.name if found.error and not _was_stopped(found) else None),
        ),
    )


def _was_stopped(found: BulkOut) -> bool:
    return found.error is not None and found.error.name == "Aborted"


def _status(found: BulkOut) -> str:
    return "stopped" if _was_stopped(found) else found.status


def _counts(found: BulkOut) -> dict[str, int]:
    from msgspec.structs import asdict

    return asdict(found.outcomes)


def _done(found: BulkOut) -> int:
    return sum(_counts(found).values())


def _good(found: BulkOut) -> int:
    return sum(_counts(found)[name] for name in _GOOD)


def _outcomes(found: BulkOut) -> str:
    return ", ".join(f"{count} {name}" for name, count in _counts(found).items() if count)


COMMANDS: Final = (bulk,)
