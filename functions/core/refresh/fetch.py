"""Fetches pages into staged files, then publishes everything at once."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from functions.core.contract import HOLD_SECONDS
from functions.core.errors import (
    DeadlineExceeded,
    FetchContinues,
    FetchWaits,
    Gone,
    ProviderPaused,
    ProviderUnavailable,
    Superseded,
)
from functions.core.polling import backoff, measure, remember
from functions.core.refresh import increment, snapshot
from functions.core.refresh import steps as step
from functions.core.refresh.admission import note_cooldown
from functions.core.refresh.progress import Staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.contract import Ticket
    from functions.core.model import Connection, Manifest, Refresh
    from functions.core.ports import Page, PreviousSnapshot
    from functions.core.refresh.ports import FetchPorts, Snapshots
    from functions.core.refresh.progress import Progress

T = TypeVar("T")

MARGIN_SECONDS: Final = 105
"""A call stops fetching when it has no more than this left. It is enough for the page under way,
requested twice at the worst and each time after its turn in the budget, and for the files."""

AHEAD: Final = 2
"""How many pages are requested, one by one, while another is written. With one only, the thread
that requests would wait for the writer to let it run before it sends its next request."""

PATIENCE: Final = 3
PATIENCE_SECONDS: Final = 30
"""So many faults in a row, with pauses of at most so long, are waited out even past the deadline:
much may have been fetched by then."""

PART_PATIENCE: Final = 5
"""The same for faults of one part only, half a minute in all: the other parts can be had. Past the
deadline it is ``PATIENCE``."""

AGAIN_SECONDS: Final = 15 * 60
"""How long past the deadline a connector may wait for a provider that begins its job anew while it
is fetched from. That is not counted as a fault."""


def fetch(ticket: Ticket, refresh: Refresh, ports: FetchPorts, *, before: Manifest | None) -> None:
    """Write all pages to the staging.

    A short pause is slept through here, and the fetch goes on from its last page, while no more
    than ``HOLD_SECONDS`` go by without a page. Longer pauses are left to the state machine.

    Args:
        before: the snapshot that stands; a connector may read only what has changed since.

    Raises:
        FetchContinues: time is running out; progress is put aside.
        FetchWaits: the provider, or the connector, asks for a pause; progress is put aside.
        DeadlineExceeded: the connector still asks for one long after the deadline.
        ProviderUnavailable: it has failed for longer than the deadline allows.
        Superseded: another snapshot stands than the one with which the fetch began, or the
            refresh was found to have ended after a pause.
    """
    previous = increment.select_previous(before, refresh=refresh, snapshots=ports.snapshots)
    progress, paused = _begin(ticket, refresh, ports, previous=previous), 0
    while not progress.complete:
        cursor = progress.cursor
        pages = ports.connector.fetch(
            ports.connection,
            ticket.job,
            datasets=refresh.datasets,
            cursor=cursor,
            previous=previous if progress.previous_id else None,
        )
        try:
            _write(pages, ports)
            break
        except (ProviderUnavailable, FetchWaits) as wish:
            if page := _give_up_part(wish, ticket, ports):
                _write(iter((page,)), ports)
                if page.cursor is None:
                    return
                continue
            wait = _decide_wait(wish, ticket, ports)
        paused = wait + (paused if progress.cursor == cursor else 0)
        if paused > HOLD_SECONDS or ports.left() < MARGIN_SECONDS + wait:
            ports.staging.put_aside()
            raise FetchWaits(wait)
        ports.sleep(wait)
        _require_running(ticket, ports)


def _write(pages: Iterator[Page], ports: FetchPorts) -> None:
    for page in read_ahead(pages):
        ports.staging.write(page)
        if page.cursor is not None and ports.left() < MARGIN_SECONDS:
            ports.staging.put_aside()
            raise FetchContinues


def _require_running(ticket: Ticket, ports: FetchPorts) -> None:
    """Stop if the refresh was cancelled, or erased, in a pause."""
    refresh = ports.refreshes.get(ticket.refresh_id)
    if refresh is None or refresh.status.has_ended:
        raise Superseded


def _begin(
    ticket: Ticket, refresh: Refresh, ports: FetchPorts, *, previous: PreviousSnapshot | None
) -> Progress:
    """The progress so far; it goes on from the snapshot with which it began."""
    staging, found = ports.staging, previous.refresh_id if previous else ""
    if not ticket.resumed:
        staging.progress.previous_id = found
    else:
        staging.resume()
        if staging.progress.previous_id not in {"", found}:
            raise Superseded
    for name in refresh.datasets:
        staging.progress.datasets.setdefault(name, Staged())
    return staging.progress


def _give_up_part(
    wish: ProviderUnavailable | FetchWaits, ticket: Ticket, ports: FetchPorts
) -> Page | None:
    """The page to go on with, where a fault is one part's only and has been waited out.

    An operator's pause is every part's.
    """
    page = None if isinstance(wish, FetchWaits | ProviderPaused) else wish.instead
    faults = ports.staging.progress.faults + 1
    late = ports.clock() + max(wish.wait_seconds, backoff(faults)) - ticket.deadline
    over = late > AGAIN_SECONDS or (late > 0 and faults > PATIENCE)
    return page if over or faults > PART_PATIENCE else None


def _decide_wait(wish: ProviderUnavailable | FetchWaits, ticket: Ticket, ports: FetchPorts) -> int:
    """Seconds to stay away; the fault itself is raised where it has lasted too long."""
    at, progress = ports.clock(), ports.staging.progress
    if isinstance(wish, FetchWaits):
        if at > ticket.deadline + AGAIN_SECONDS:
            raise DeadlineExceeded from None
        return wish.wait_seconds
    progress.faults += 1
    wait = max(wish.wait_seconds, backoff(progress.faults))
    patient = progress.faults <= PATIENCE and wait <= PATIENCE_SECONDS
    if at + wait > ticket.deadline and not patient:
        note_cooldown(wish, ticket, refreshes=ports.refreshes, at=at)
        raise wish
    return wait


def publish(
    ticket: Ticket, refresh: Refresh, ports: FetchPorts, *, before: Manifest | None
) -> tuple[Refresh, list[Manifest]]:
    """Make what was staged the connection's snapshot.

    Args:
        before: the snapshot that stands.

    Returns:
        The refresh as it ended, and the manifests that must be kept: the new one and, for
        readers who are still paging, the one before.

    Raises:
        FetchContinues: time is running out; progress is put aside. It is raised once.
        Superseded: the refresh had ended or its connection was erased; nothing is published.
    """
    at, staging = ports.clock(), ports.staging
    if not staging.progress.complete:
        increment.keep_failed(staging, before=before)
    try:
        fetched = increment.merge(
            staging.datasets(refresh_id=refresh.refresh_id, as_of=refresh.triggered_at),
            staging=staging,
            before=before,
            snapshots=ports.snapshots,
            at=at,
            left=ports.left,
        )
    except FetchContinues:
        staging.progress.complete = True
        staging.put_aside()
        raise
    manifest = snapshot.build_manifest(
        refresh,
        fetched=fetched,
        parts=staging.progress.parts,
        labels=staging.progress.labels,
        before=before,
        at=at,
    )
    key, version_id = staging.seal(manifest)
    ended = step.publish(refresh, manifest, ticket=ticket, at=ports.clock(), before=before)
    took = measure(ticket, synchronous=refresh.synchronous)
    ports.refreshes.publish(
        ended,
        seen=refresh.version,
        snapshot=snapshot.to_pointer(manifest, key=key, version_id=version_id, at=ended.told_at),
        intervals=remember(ports.connection.intervals, took),
    )
    return ended, [manifest, *([before] if before else [])]


def read_published(connection: Connection, snapshots: Snapshots) -> Manifest | None:
    """The manifest that stands; None where there is none, or it is no longer kept."""
    try:
        return snapshots.manifest(connection.snapshot) if connection.snapshot else None
    except Gone:
        return None


def read_ahead(pages: Iterator[T]) -> Iterator[T]:
    """Yield the same pages, and request the next ones while the caller works on this one."""
    worker = ThreadPoolExecutor(max_workers=1)
    try:
        coming = deque(worker.submit(next, pages, None) for _ in range(AHEAD))
        while (page := coming.popleft().result()) is not None:
            coming.append(worker.submit(next, pages, None))
            yield page
    finally:
        worker.shutdown(cancel_futures=True)
