"""The commands about refreshes: start, follow, list and cancel them."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from freshet_client.cli.output import none_like, write_age, write_span, write_time
from freshet_client.cli.session import DURATION, Command, Session, pass_session
from freshet_client.cli.statuses import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freshet_client import Client
    from freshet_client.models import EventOut, RefreshOut

LIMIT: Final = 20
_GOOD: Final = frozenset({"published", "partial"})
_ENDED: Final = _GOOD | {"failed", "cancelled"}


@click.command(cls=Command)
@click.argument("connection_id")
@click.option("--watch", is_flag=True, help="Follow it to its end.")
@click.option("--max-age", type=DURATION, help="Do nothing where the data are so young.")
@click.option("--full", is_flag=True, help="Read everything again, not only what has changed.")
@click.option("--dataset", "datasets", multiple=True, metavar="NAME", help="Only this one.")
@click.option("--deadline", type=DURATION, help="How long the provider may take.")
@click.option("--wait-for-user", is_flag=True, help="Wait for a user who must sign in first.")
@pass_session
def refresh(session: Session, /, connection_id: str, *, watch: bool, **asked: Any) -> None:
    """Refresh a connection.

    Prints the refresh's id, or with --watch each of its steps and what came of it. The exit status
    tells: 0 published, 10 partial, and else who has to act.
    """
    with session.client() as freshet:
        begun = freshet.start_refresh(
            connection_id,
            datasets=asked["datasets"] or None,
            max_age_seconds=asked["max_age"],
            deadline_seconds=asked["deadline"],
            full=asked["full"] or None,
            wait_for_user=asked["wait_for_user"] or None,
        )
        if watch:
            _follow(session, freshet, begun)
            return
    told = {"joined": "It was running already.", "fresh": "The data are young enough."}
    words = told.get(str(begun.outcome), "Started.")
    if begun.status not in _ENDED:
        words += f" Follow it: freshet refreshes {begun.refresh_id} --watch"
    session.output.told(begun, words, id_=begun.refresh_id)


@click.command(cls=Command)
@click.argument("refresh_id", required=False)
@click.option("--watch", is_flag=True, help="With an id: follow it to its end.")
@click.option("--connection", "connection_id", metavar="ID", help="Only those of this one.")
@click.option("--provider", metavar="NAME", help="Only those of this provider.")
@click.option("--status", metavar="WORD", help="Only those with this status, such as failed.")
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True)
@pass_session
def refreshes(
    session: Session,
    /,
    *,
    refresh_id: str | None,
    watch: bool,
    limit: int,
    **filters: str | None,
) -> None:
    """List your refreshes, or show one with its steps."""
    with session.client() as freshet:
        if refresh_id and watch:
            _follow(session, freshet, freshet.read_refresh(refresh_id))
        elif refresh_id:
            found = freshet.read_refresh(refresh_id)
            if not session.output.as_json:
                _Steps(session).tell(found)
            _show(session, found)
        else:
            _list(session, freshet, limit=limit, filters=filters)


def _list(
    session: Session, freshet: Client, *, limit: int, filters: Mapping[str, str | None]
) -> None:
    lines = freshet.list_refreshes(limit=min(limit, 100), **filters)
    found = list(islice(lines, limit))
    session.output.listed(
        found,
        ("ID", "connection", "provider", "status", "asked by", "when", "took", "error"),
        lambda each: (
            each.refresh_id,
            each.connection_id,
            each.provider,
            each.status,
            each.reason,
            write_age(each.requested_at),
            _took(each),
            each.error.name if each.error else "",
        ),
        empty=none_like(filters, "Begin one: freshet refresh CONNECTION --watch"),
    )


@click.command(cls=Command)
@click.argument("refresh_id")
@pass_session
def cancel(session: Session, /, refresh_id: str) -> None:
    """Stop a refresh.

    It ends for all who have joined it, and nothing of it is published.
    """
    with session.client() as freshet:
        found = freshet.cancel_refresh(refresh_id)
    if session.output.as_json:
        session.output.answer(found)
    elif found.status == "cancelled":
        session.output.say("Cancelled. What the provider has begun runs on there.")
    else:
        session.output.say(f"It had ended already: {found.status}.")


class _Steps:
    """Tells the steps of a refresh, each once."""

    def __init__(self, session: Session) -> None:
        self._session, self._told = session, 0

    def tell(self, found: RefreshOut) -> None:
        """Print the steps that came since the last call."""
        for event in found.events:
            if event.version > self._told:
                self._told = event.version
                self._session.output.say(_line(event, since=found.requested_at))


def _line(event: EventOut, *, since: str) -> str:
    after = datetime.fromisoformat(event.at) - datetime.fromisoformat(since)
    facts = " ".join(f"{name}={value}" for name, value in (event.facts or {}).items() if value != 0)
    return f"{after.total_seconds():7.1f} s  {event.type:<10} {facts}".rstrip()


def _follow(session: Session, freshet: Client, begun: RefreshOut) -> None:
    """Tell of each step until the refresh has ended, and then of what came of it."""
    session.go_on = f"The refresh goes on. Follow it: freshet refreshes {begun.refresh_id} --watch"
    steps, found = _Steps(session), begun
    session.output.say(f"{begun.refresh_id} of {begun.connection_id} at {begun.provider}")
    steps.tell(begun)
    if begun.status not in _ENDED:
        with session.output.progress("Refreshing") as tell:
            for found in freshet.watch_refresh(begun.refresh_id):
                steps.tell(found)
                tell(_waiting(found))
    _show(session, found)
    _judge(found)


def _waiting(found: RefreshOut) -> str:
    if found.waits_for == "user":
        return "Waiting for the user to sign in again or to act at the provider"
    if found.waits_for == "pause":
        return f"Waiting until {write_time(found.next_try_at)}, as the provider wants"
    look = f": the next look {write_age(found.next_look_at)}" if found.next_look_at else ""
    return f"Waiting for the provider{look}" if found.waits_for else "Refreshing"


def _show(session: Session, found: RefreshOut) -> None:
    if session.output.as_json:
        session.output.answer(found)
        return
    late = found.noticed_within_seconds
    session.output.facts(
        (
            ("refresh", found.refresh_id),
            ("status", found.status),
            ("data", write_age(found.as_of) if found.as_of else None),
            ("parts", _counts(found.coverage)),
            ("read", _numbers(found.records_read)),
            ("in all", _numbers(found.records_total)),
            ("took", _took(found)),
            ("noticed within", None if late is None else f"{late:.1f} s"),
            ("waits for", found.waits_for),
            ("asked by", " ".join(filter(None, (found.reason, found.requested_by)))),
            ("error", found.error.name if found.error else None),
        )
    )


def _judge(found: RefreshOut) -> None:
    """End with the status that tells what came of a refresh.

    Raises:
        RefreshFailed: it failed.
        RefreshCancelled: it was cancelled.
    """
    from freshet_client import errors

    if found.status == "failed":
        raise errors.RefreshFailed(found)
    if found.status == "cancelled":
        raise errors.RefreshCancelled(found)
    if found.status == "partial":
        raise click.exceptions.Exit(Status.PARTIAL)


def _counts(coverage: object) -> str:
    names = ("fresh", "stale", "incomplete", "failed", "gone")
    told = ((getattr(coverage, name, 0), name) for name in names)
    return ", ".join(f"{count} {name}" for count, name in told if count)


def _numbers(records: Mapping[str, int] | None) -> str:
    return ", ".join(f"{count} {name}" for name, count in (records or {}).items())


def _took(found: RefreshOut) -> str:
    if not found.ended_at:
        return ""
    took = datetime.fromisoformat(found.ended_at) - datetime.fromisoformat(found.requested_at)
    seconds = took.total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else write_span(seconds)  # noqa: PLR2004 - a minute


COMMANDS: Final = (refresh, refreshes, cancel)
