"""Lists the connections of a bulk run, and ends it."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.core.bulk.model import (
    RUN_SECONDS,
    BulkOptions,
    BulkOutcome,
    BulkRequest,
    BulkRun,
    BulkStatus,
    BulkTicket,
    BulkTicketOutcome,
    Result,
    refresh_id,
)
from functions.core.contract import PAYLOAD_VERSION
from functions.core.errors import BulkRunning, InvalidRequest, NotFound, PlatformFault
from functions.core.refresh.conclude import cancel

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from functions.core.bulk.ports import BulkPorts, BulkRuns
    from functions.core.idempotency import Key
    from functions.core.model import Connection, Refresh

AT_ONCE: Final = 90
"""How many connections are read, or given an outcome, at a time."""


def create(request: BulkRequest, *, bulk_id: str, at: float) -> BulkRun:
    """A new run. An id that is named twice counts once."""
    asked = msgspec.convert(
        {name: getattr(request, name) for name in BulkOptions.__struct_fields__}, BulkOptions
    )
    ids = asked.connection_ids
    return BulkRun(
        bulk_id=bulk_id,
        tenant=request.tenant,
        reason=request.reason,
        options=replace(asked, connection_ids=tuple(dict.fromkeys(ids)) if ids else None),
        requested_at=at,
    )


def check(options: BulkOptions, *, providers: Collection[str]) -> None:
    """Refuse options that would have no effect.

    Args:
        providers: the names of all providers.

    Raises:
        InvalidRequest: no such provider, or a filter beside connections that are named.
    """
    if options.provider is not None and options.provider not in providers:
        raise InvalidRequest(f"No such provider. There are: {', '.join(providers)}.")
    filtered = options.provider is not None or options.older_than_seconds is not None
    if options.connection_ids is not None and filtered:
        raise InvalidRequest(
            "connection_ids already say who is meant: leave out provider and older_than_seconds."
        )


def keep(bulk: BulkRun, *, bulk_runs: BulkRuns, key: Key | None = None) -> None:
    """Store a new run, if its tenant has no other under way.

    Args:
        key: the request's, if it has one; it is noted with the run.

    Raises:
        BulkRunning: there is another; the text names it.
        Superseded: the id is taken, or the key was noted meanwhile.
    """
    holder = bulk_runs.create(bulk, key=key)
    if holder != bulk.bulk_id:
        raise BulkRunning(f"Your bulk run {holder} is under way. Wait until it has ended.")


def write_list(bulk: BulkRun, ports: BulkPorts) -> BulkTicket:
    """Write the list of the run's connections; a repetition finds the list that was written.

    Raises:
        Superseded: another call has written it at the same moment.
    """
    if bulk.status is not BulkStatus.LISTING:
        return to_ticket(bulk)
    absent: list[str] = []
    found = ports.lists.write(bulk.bulk_id, _select_ids(bulk, ports, absent=absent))
    ports.bulk_runs.record(
        bulk,
        (
            Result(connection_id=id_, outcome=BulkOutcome.NOT_FOUND, error=NotFound.name())
            for id_ in absent
        ),
    )
    running = replace(
        bulk,
        status=BulkStatus.RUNNING,
        began_at=ports.clock(),
        total=found.count + len(absent),
        listed=found.count,
        version_id=found.version_id,
    )
    ports.bulk_runs.save(running, seen=BulkStatus.LISTING)
    return to_ticket(running)


def close_run(bulk: BulkRun, *, error: str | None, ports: BulkPorts) -> BulkRun:
    """End the run; a listed connection that has no outcome gets one, see ``_settle``.

    Args:
        error: why it could not go on; None where it has finished its list.
    """
    if bulk.status.has_ended:
        return bulk
    if sum(ports.bulk_runs.counts(bulk.bulk_id).values()) < bulk.total:
        _settle(bulk, error=error or PlatformFault.name(), ports=ports)
    ended = replace(
        bulk,
        status=BulkStatus.FAILED if error else BulkStatus.DONE,
        ended_at=ports.clock(),
        error=error,
    )
    ports.bulk_runs.save(ended, seen=bulk.status)
    return ended


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How many refreshes of a run are under way, and when it ends; 0 where that is not known."""

    running: int
    ends_at: float = 0


def estimate(bulk: BulkRun, *, with_outcome: int, at: float, most: int) -> Progress | None:
    """Estimate how far a run is; None until its connections are listed.

    Nothing is read for it: each connection's moment follows from its place in the list. While the
    run keeps up with its spread, the end is the end of the spread, and the time that a refresh
    takes. Else it is as far away as the outcomes so far say.

    Args:
        bulk: the run.
        with_outcome: how many of its connections have an outcome.
        at: now.
        most: how many refreshes run at a time.
    """
    if bulk.status.has_ended:
        return Progress(running=0)
    if not bulk.began_at:
        return None
    elapsed, spread = max(0.0, at - bulk.began_at), bulk.options.spread_seconds
    ended = with_outcome - (bulk.total - bulk.listed)
    due = min(bulk.listed, int(bulk.listed * elapsed / spread) + 1 if spread else bulk.listed)
    running = max(0, min(due - ended, most))
    ends_at = 0.0
    if due < bulk.listed and running < most:
        ends_at = bulk.began_at + spread + running * spread / bulk.listed
    elif ended > 0:
        ends_at = at + (bulk.listed - ended) * elapsed / ended
    return Progress(running=running, ends_at=min(ends_at, bulk.requested_at + RUN_SECONDS))


def to_ticket(bulk: BulkRun) -> BulkTicket:
    """The ticket with which a run goes on."""
    asked = {
        "max_age_seconds": bulk.options.max_age_seconds,
        "deadline_seconds": bulk.options.deadline_seconds,
    }
    return BulkTicket(
        v=PAYLOAD_VERSION,
        outcome=BulkTicketOutcome.READY if bulk.listed else BulkTicketOutcome.DONE,
        bulk_id=bulk.bulk_id,
        listed=bulk.listed,
        version_id=bulk.version_id,
        began_ms=int(bulk.began_at * 1000),
        spread_seconds=bulk.options.spread_seconds,
        expires_at=bulk.expires_at,
        asked={name: value for name, value in asked.items() if value is not None},
    )


def _select_ids(bulk: BulkRun, ports: BulkPorts, *, absent: list[str]) -> Iterator[str]:
    """The ids of connections to refresh; those named and not found go to ``absent``."""
    named = bulk.options.connection_ids
    if named is None:
        at = ports.clock()
        everyone = ports.connections.of_tenant(bulk.tenant)
        yield from (one.connection_id for one in everyone if _is_due(one, bulk.options, at=at))
        return
    for id_ in named:
        connection = ports.connections.get(id_)
        if connection is None or bulk.tenant not in {None, connection.tenant}:
            absent.append(id_)
        else:
            yield id_


def _is_due(connection: Connection, options: BulkOptions, *, at: float) -> bool:
    if connection.paused or options.provider not in {None, connection.provider}:
        return False
    as_of = connection.snapshot.as_of if connection.snapshot else 0
    return options.older_than_seconds is None or at - as_of > options.older_than_seconds


def _settle(bulk: BulkRun, *, error: str, ports: BulkPorts) -> None:
    """Give an outcome to each listed connection that has none, and stop what is under way."""
    for ids in _chunk(ports.lists.read(bulk)):
        there = ports.bulk_runs.find_recorded(bulk.bulk_id, ids)
        left = {refresh_id(bulk.bulk_id, id_): id_ for id_ in ids if id_ not in there}
        begun = {each.refresh_id: each for each in ports.refreshes.get_many(left)}
        ports.bulk_runs.record(
            bulk,
            (
                _stop(begun[name], id_, ports=ports)
                if name in begun
                else Result(
                    connection_id=id_,
                    outcome=BulkOutcome.UNKNOWN,
                    refresh_id=name,
                    error=error,
                )
                for name, id_ in left.items()
            ),
        )


def _stop(refresh: Refresh, connection_id: str, *, ports: BulkPorts) -> Result:
    """The outcome of a refresh of the run; one that is under way is cancelled."""
    ended, mine = refresh, False
    with suppress(NotFound):  # its connection was erased at this moment
        ended, mine = cancel(refresh, refreshes=ports.refreshes, clock=ports.clock)
    if mine:
        ports.stop(refresh.refresh_id)
    return Result(
        connection_id=connection_id,
        outcome=BulkOutcome(ended.status) if ended.status.has_ended else BulkOutcome.CANCELLED,
        refresh_id=refresh.refresh_id,
        error=ended.error or "",
    )


def _chunk(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while chunk := list(islice(rest, AT_ONCE)):
        yield chunk
