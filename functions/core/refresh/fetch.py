"""Door 3's decisions: pages into staged files, then everything published at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from functions.core.contract import HOLD_SECONDS
from functions.core.errors import (
    DeadlineExceeded,
    FetchContinues,
    FetchWaits,
    Gone,
    ProviderUnavailable,
    Superseded,
)
from functions.core.polling import backoff, measure, remember
from functions.core.refresh import increment, snapshot
from functions.core.refresh import steps as step
from functions.core.refresh.progress import Staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.core.contract import Clock, Sleep, Ticket
    from functions.core.model import Connection, Manifest, Refresh
    from functions.core.ports import Connector, Page, PreviousSnapshot
    from functions.core.refresh.progress import Progress
    from functions.core.refresh.stores import Refreshes, Snapshots, Staging

T = TypeVar("T")

MARGIN_SECONDS: Final = 105
"""A call stops fetching when it has no more than this left: the page that is on its way, sent
for twice at the worst and each time after its turn in the budget, and the files fit in it."""

PATIENCE: Final = 3
PATIENCE_SECONDS: Final = 30
"""So many faults in a row, and pauses of at most so long, are waited out even past the
refresh's deadline: much may have been fetched by then."""

PART_PATIENCE: Final = 5
"""So many faults in a row, half a minute, are waited out that are one part's only, as others can
be had; past the deadline, only ``PATIENCE``."""

AGAIN_SECONDS: Final = 15 * 60
"""How long past the refresh's deadline a connector may wait for a provider that has had to
begin its job anew while it was fetched from. That is no fault, and is not counted as one."""


class Time(NamedTuple):
    """The time of one call; ``left`` are the seconds until it is cut off."""

    clock: Clock
    sleep: Sleep
    left: Callable[[], float]


def fetch(
    ticket: Ticket,
    *,
    connection: Connection,
    connector: Connector,
    staging: Staging,
    refreshes: Refreshes,
    datasets: tuple[str, ...],
    time: Time,
    previous: PreviousSnapshot | None = None,
) -> None:
    """Write all pages to the staging.

    A pause is slept through here, and the fetch goes on from its last page, while there is time
    for it and no more than ``HOLD_SECONDS`` go by without a page. A longer one, or one that nobody
    sees the end of, is left to the state machine.

    Args:
        base: what the connector may add to; without one it reads everything.

    Raises:
        FetchContinues: time is running out; progress is put aside.
        FetchWaits: the provider, or the connector, asks for a pause; progress is put aside.
        DeadlineExceeded: the connector still asks for one long after the deadline.
        ProviderUnavailable: it has failed for longer than the deadline allows.
        Superseded: the base is no longer that with which the fetch began, or the refresh was
            found to have ended after a pause.
    """
    progress, paused = _begin(ticket, staging=staging, datasets=datasets, previous=previous), 0
    while True:
        before = progress.cursor
        pages = connector.fetch(
            connection,
            ticket.job,
            datasets=datasets,
            cursor=before,
            previous=previous if progress.previous_id else None,
        )
        try:
            return _write(pages, staging=staging, time=time)
        except (ProviderUnavailable, FetchWaits) as wish:
            if page := _give_up_part(wish, ticket=ticket, staging=staging, at=time.clock()):
                _write(iter((page,)), staging=staging, time=time)
                if page.cursor is None:
                    return None
                continue
            wait = _decide_wait(wish, ticket=ticket, staging=staging, at=time.clock())
        paused = wait + (paused if progress.cursor == before else 0)
        if paused > HOLD_SECONDS or time.left() < MARGIN_SECONDS + wait:
            staging.put_aside()
            raise FetchWaits(wait)
        time.sleep(wait)
        _insist_on_running(ticket, refreshes=refreshes)


def _write(pages: Iterator[Page], *, staging: Staging, time: Time) -> None:
    for page in read_ahead(pages):
        staging.write(page)
        if page.cursor is not None and time.left() < MARGIN_SECONDS:
            staging.put_aside()
            raise FetchContinues


def _insist_on_running(ticket: Ticket, *, refreshes: Refreshes) -> None:
    """Ask the provider nothing for a refresh that was cancelled, or erased, in a pause."""
    refresh = refreshes.get(ticket.refresh_id)
    if refresh is None or refresh.status.has_ended:
        raise Superseded


def _begin(
    ticket: Ticket,
    *,
    staging: Staging,
    datasets: tuple[str, ...],
    previous: PreviousSnapshot | None,
) -> Progress:
    """The progress so far. What the fetch began with is what it goes on with."""
    if not ticket.resumed:
        staging.progress.previous_id = previous.refresh_id if previous else ""
    else:
        staging.resume()
        if staging.progress.previous_id and (
            previous is None or previous.refresh_id != staging.progress.previous_id
        ):
            raise Superseded
    for name in datasets:
        staging.progress.datasets.setdefault(name, Staged())
    return staging.progress


def _give_up_part(
    wish: ProviderUnavailable | FetchWaits, *, ticket: Ticket, staging: Staging, at: float
) -> Page | None:
    """The page to go on with, where a fault is one part's only and has been waited out."""
    page = wish.instead if isinstance(wish, ProviderUnavailable) else None
    faults = staging.progress.faults + 1
    late = at + max(wish.wait_seconds, backoff(faults)) - ticket.deadline
    over = late > AGAIN_SECONDS or (late > 0 and faults > PATIENCE)
    return page if over or faults > PART_PATIENCE else None


def _decide_wait(
    wish: ProviderUnavailable | FetchWaits, *, ticket: Ticket, staging: Staging, at: float
) -> int:
    """Seconds to stay away: what the connector asks for, while that is no fault for too long."""
    if isinstance(wish, ProviderUnavailable):
        return _count_fault(wish, ticket=ticket, staging=staging, at=at)
    if at > ticket.deadline + AGAIN_SECONDS:
        raise DeadlineExceeded from None
    return wish.wait_seconds


def _count_fault(fault: ProviderUnavailable, *, ticket: Ticket, staging: Staging, at: float) -> int:
    """Seconds to stay away after one more fault in a row; the fault itself, if it is too much."""
    staging.progress.faults += 1
    wait = max(fault.wait_seconds, backoff(staging.progress.faults))
    patient = staging.progress.faults <= PATIENCE and wait <= PATIENCE_SECONDS
    if at + wait > ticket.deadline and not patient:
        raise fault
    return wait


def publish(
    ticket: Ticket,
    *,
    refresh: Refresh,
    connection: Connection,
    staging: Staging,
    snapshots: Snapshots,
    refreshes: Refreshes,
    clock: Clock,
) -> tuple[Refresh, list[Manifest]]:
    """Make what was staged the connection's snapshot.

    Returns:
        The refresh as it ended, and the manifests that must be kept: the new one and, for
        readers who are still paging, the one before.

    Raises:
        Superseded: the refresh had ended or its connection was erased; nothing is published.
    """
    at = clock()
    before = read_published(connection, snapshots)
    parts = staging.progress.parts
    increment.keep_failed(staging, before=before)
    fetched = increment.merge(
        staging.datasets(refresh_id=refresh.refresh_id, as_of=refresh.triggered_at),
        progress=staging.progress,
        before=before,
        snapshots=snapshots,
        at=at,
    )
    manifest = snapshot.build_manifest(refresh, fetched=fetched, parts=parts, before=before, at=at)
    key, version_id = staging.seal(manifest)
    ended = step.publish(refresh, manifest, ticket=ticket, at=clock())
    refreshes.publish(
        ended,
        seen=refresh.version,
        snapshot=snapshot.to_pointer(manifest, key=key, version_id=version_id, at=at),
        intervals=remember(connection.intervals, measure(ticket, refresh)),
    )
    return ended, [manifest, *([before] if before else [])]


def read_published(connection: Connection, snapshots: Snapshots) -> Manifest | None:
    """The snapshot that stands; one that cannot be read any more is no reason never to publish."""
    try:
        return snapshots.manifest(connection.snapshot) if connection.snapshot else None
    except Gone:
        return None


def read_ahead(pages: Iterator[T]) -> Iterator[T]:
    """The same pages, the next one asked for while the caller works on this one."""
    with ThreadPoolExecutor(max_workers=1) as worker:
        coming = worker.submit(next, pages, None)
        while (page := coming.result()) is not None:
            coming = worker.submit(next, pages, None)
            yield page
