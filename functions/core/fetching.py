"""Door 3's decisions: pages into staged files, then everything published at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from functions.core import increment, snapshot
from functions.core import refresh as step
from functions.core.errors import (
    DeadlineExceeded,
    FetchContinues,
    FetchWaits,
    Gone,
    ProviderUnavailable,
    Superseded,
)
from functions.core.polling import backoff
from functions.core.progress import Staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.core.contract import Ticket
    from functions.core.model import Connection, Manifest, Refresh
    from functions.core.ports import Base, Clock, Connector
    from functions.core.progress import Progress
    from functions.core.stores import Refreshes, Snapshots, Staging

T = TypeVar("T")

MARGIN_SECONDS: Final = 105
"""A call stops fetching when it has no more than this left: the page that is on its way, sent
for twice at the worst and each time after its turn in the budget, and the files fit in it."""

PATIENCE: Final = 3
PATIENCE_SECONDS: Final = 30
"""So many faults in a row, and pauses of at most so long, are waited out even past the
refresh's deadline: much may have been fetched by then."""

AGAIN_SECONDS: Final = 15 * 60
"""How long past the refresh's deadline a connector may wait for a provider that has had to
begin its job anew while it was fetched from. That is no fault, and is not counted as one."""


def fetch(
    ticket: Ticket,
    *,
    connection: Connection,
    connector: Connector,
    staging: Staging,
    datasets: tuple[str, ...],
    clock: Clock,
    seconds_left: Callable[[], float],
    base: Base | None = None,
) -> None:
    """Write all pages to the staging.

    Args:
        base: what the connector may add to; without one it reads everything.

    Raises:
        FetchContinues: time is running out; progress is put aside.
        FetchWaits: the provider, or the connector, asks for a pause; progress is put aside.
        DeadlineExceeded: the connector still asks for one long after the deadline.
        ProviderUnavailable: it has failed for longer than the deadline allows.
        Superseded: the base is no longer that with which the fetch began.
    """
    progress = _begun(ticket, staging=staging, datasets=datasets, base=base)
    pages = connector.fetch(
        connection,
        ticket.job,
        datasets=datasets,
        cursor=progress.cursor,
        base=base if progress.base else None,
    )
    try:
        for page in ahead(pages):
            staging.write(page)
            if page.cursor is not None and seconds_left() < MARGIN_SECONDS:
                staging.put_aside()
                raise FetchContinues
    except ProviderUnavailable as fault:
        wait = _waited_out(fault, ticket=ticket, staging=staging, at=clock())
        staging.put_aside()
        raise FetchWaits(wait) from None
    except FetchWaits:
        if clock() > ticket.deadline + AGAIN_SECONDS:
            raise DeadlineExceeded from None
        staging.put_aside()
        raise


def _begun(
    ticket: Ticket, *, staging: Staging, datasets: tuple[str, ...], base: Base | None
) -> Progress:
    """The progress so far. What the fetch began with is what it goes on with."""
    if not ticket.resumed:
        staging.progress.base = base.refresh_id if base else ""
    else:
        staging.resume()
        if staging.progress.base and (base is None or base.refresh_id != staging.progress.base):
            raise Superseded
    for name in datasets:
        staging.progress.datasets.setdefault(name, Staged())
    return staging.progress


def _waited_out(fault: ProviderUnavailable, *, ticket: Ticket, staging: Staging, at: float) -> int:
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
    before = published(connection, snapshots)
    parts = staging.progress.parts
    as_of = snapshot.oldest(parts, otherwise=refresh.triggered_at)
    fetched = increment.put_together(
        staging.datasets(refresh_id=refresh.refresh_id, as_of=as_of),
        progress=staging.progress,
        before=before,
        snapshots=snapshots,
        at=at,
    )
    manifest = snapshot.manifest(refresh, fetched=fetched, parts=parts, before=before, at=at)
    key, version_id = staging.seal(manifest)
    ended = step.published(refresh, manifest, ticket=ticket, at=clock())
    refreshes.publish(
        ended,
        seen=refresh.version,
        snapshot=snapshot.pointer(manifest, key=key, version_id=version_id, at=at),
    )
    return ended, [manifest, *([before] if before else [])]


def published(connection: Connection, snapshots: Snapshots) -> Manifest | None:
    """The snapshot that stands; one that cannot be read any more is no reason never to publish."""
    try:
        return snapshots.manifest(connection.snapshot) if connection.snapshot else None
    except Gone:
        return None


def ahead(pages: Iterator[T]) -> Iterator[T]:
    """The same pages, the next one asked for while the caller works on this one."""
    with ThreadPoolExecutor(max_workers=1) as worker:
        coming = worker.submit(next, pages, None)
        while (page := coming.result()) is not None:
            coming = worker.submit(next, pages, None)
            yield page
