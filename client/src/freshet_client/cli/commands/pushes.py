"""The commands about pushes: records sent to a provider."""

from __future__ import annotations

import sys
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from freshet_client.cli.output import none_like, write_age
from freshet_client.cli.session import Command, Session, pass_session
from freshet_client.cli.statuses import Status, tell

if TYPE_CHECKING:
    from freshet_client import Client
    from freshet_client.models import PushOut

LIMIT: Final = 20
_ENDED: Final = frozenset({"done", "incomplete", "failed", "unknown_outcome"})


@click.command(cls=Command)
@click.argument("connection_id")
@click.argument("dataset")
@click.argument("file", type=click.File("rb"))
@click.option("--key", metavar="TEXT", help="Your own name for this push.")
@click.option("--watch", is_flag=True, help="Follow it to its end.")
@pass_session
def push(
    session: Session,
    /,
    *,
    connection_id: str,
    dataset: str,
    file: Any,
    key: str | None,
    watch: bool,
) -> None:
    """Push records to a provider.

    The records of FILE (- for stdin) go to a dataset of a connection. FILE is JSON Lines or a JSON
    list. A record is {"internal_id": "4711", "data": {...}}. The same command with the same
    records is the same push for 60 days and pushes nothing again; give another --key where you
    mean to push them once more.
    """
    content = file.read()
    digest = sha256(b"\0".join((connection_id.encode(), dataset.encode(), content))).hexdigest()
    with session.client() as freshet:
        begun = freshet.start_push(
            connection_id,
            dataset=dataset,
            records=_records(content),
            idempotency_key=key or f"freshet-{digest}",
        )
        session.go_on = f"The push goes on. Follow it: freshet pushes {begun.push_id} --watch"
        if watch:
            _end(session, _follow(session, freshet, begun))
            return
    words = f"Accepted. Follow it: freshet pushes {begun.push_id} --watch"
    session.output.told(begun, words, id_=begun.push_id)


def _records(content: bytes) -> list[Any]:
    """The records of a file, each as it is written there.

    Raises:
        UsageError: it is neither JSON Lines nor a JSON list.
    """
    from msgspec import DecodeError, Raw
    from msgspec.json import Decoder, decode

    try:
        if content.lstrip().startswith(b"["):
            found = decode(content, type=list[Raw])
        else:
            found = Decoder(Raw).decode_lines(content)
    except DecodeError as error:
        raise click.UsageError(f"FILE is neither JSON Lines nor a JSON list: {error}") from None
    if not found:
        raise click.UsageError("FILE has no records.")
    return found


@click.command(cls=Command)
@click.argument("push_id", required=False)
@click.option("--watch", is_flag=True, help="With an id: follow it to its end.")
@click.option("--connection", "connection_id", metavar="ID", help="Only those to this one.")
@click.option("--status", metavar="WORD", help="Only those with this status, such as failed.")
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True)
@pass_session
def pushes(
    session: Session,
    /,
    *,
    push_id: str | None,
    watch: bool,
    limit: int,
    **filters: str | None,
) -> None:
    """List your pushes, or show one."""
    with session.client() as freshet:
        if push_id:
            found = freshet.read_push(push_id)
            if watch:
                found = _follow(session, freshet, found)
            _end(session, found)
            return
        listed = list(islice(freshet.list_pushes(limit=min(limit, 100), **filters), limit))
    session.output.listed(
        listed,
        ("ID", "connection", "dataset", "status", "records", "failed", "when"),
        lambda each: (
            each.push_id,
            each.connection_id,
            each.dataset,
            each.status,
            each.records,
            each.failed,
            write_age(each.requested_at),
        ),
        empty=none_like(filters, "Begin one: freshet push --help"),
    )


def _follow(session: Session, freshet: Client, begun: PushOut) -> PushOut:
    found = begun
    with session.output.progress("Pushing") as show:
        if begun.status not in _ENDED:
            for found in freshet.watch_push(begun.push_id):
                show(f"Pushing: {found.status}")
    return found


def _end(session: Session, found: PushOut) -> None:
    """Show a push, and end with the status that tells what came of it."""
    _show(session, found)
    if found.error:
        raise click.exceptions.Exit(tell(found.error, session.output))
    if found.status in {"incomplete", "unknown_outcome"}:
        raise click.exceptions.Exit(Status.PARTIAL)


def _show(session: Session, found: PushOut) -> None:
    session.output.card(
        found,
        (
            ("push", found.push_id),
            ("connection", found.connection_id),
            ("dataset", found.dataset),
            ("status", found.status),
            ("records", found.records),
            ("not taken", found.failed or None),
        ),
    )
    for title, rows in (
        ("taken as", ((each.index, each.internal_id, each.id) for each in found.results or ())),
        (
            "not taken",
            ((each.index, each.internal_id, each.error) for each in found.failures or ()),
        ),
    ):
        listed = list(rows)
        if listed:
            sys.stdout.write("\n")
            session.output.table(("record", "internal id", title), listed, empty="")


COMMANDS: Final = (push, pushes)
