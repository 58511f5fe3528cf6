"""The transitions of a refresh. Each returns the refresh with one event more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.core.contract import DEADLINE_SECONDS, RefreshRequest, Scalar, Ticket
from functions.core.errors import FreshetError, find_error
from functions.core.model import Connection, Coverage, Dataset, Event, Manifest, Refresh, Status
from functions.core.polling import predict
from functions.core.refresh.snapshot import narrow
from functions.core.refresh.verdict import judge

if TYPE_CHECKING:
    from functions.core.ports import Triggered


READY: Final = "ready"
"""The event of a job that can be fetched: how many looks there were, and how late it was noticed at
the most, in seconds since the look before."""

UNFINISHED: Final = "unfinished"
"""In its place, the event of a job that its provider still worked on at the deadline: what was
there of it is fetched."""


def create(
    connection: Connection,
    request: RefreshRequest,
    *,
    refresh_id: str,
    at: float,
    requested_by: str = "",
) -> Refresh:
    """A new refresh for this connection."""
    refresh = Refresh(
        refresh_id=refresh_id,
        connection_id=connection.connection_id,
        tenant=connection.tenant,
        provider=connection.provider,
        status=Status.ADMITTED,
        reason=request.reason,
        requested_at=at,
        deadline=at + (request.deadline_seconds or DEADLINE_SECONDS),
        datasets=request.datasets or (),
        synchronous=request.synchronous,
        full=request.full,
        wait_for_user=request.wait_for_user,
        requested_by=requested_by,
    )
    return _append(refresh, "admitted", at, reason=request.reason)


def begin_trigger(refresh: Refresh, *, at: float) -> Refresh:
    """Note that the provider is about to be asked, so that a crash after it is seen."""
    attempts = refresh.attempts + 1
    moved = replace(refresh, status=Status.RUNNING, attempts=attempts)
    return _append(moved, "triggering", at, attempt=attempts)


def accept_job(
    refresh: Refresh, taken: Triggered, *, at: float, looks: tuple[float, ...] = ()
) -> Refresh:
    """Note the job, or the part of it, that the provider has taken, and when to look at it."""
    moved = replace(
        refresh,
        job=taken.job,
        job_complete=not taken.more,
        webhooks={**refresh.webhooks, **taken.webhooks},
        triggered_at=refresh.triggered_at or at,
        looks=looks,
    )
    facts = {"dataset": taken.dataset} if taken.dataset else {}
    return _append(moved, "triggered", at, **facts)


def postpone(
    refresh: Refresh, error: type[FreshetError], *, wait_seconds: int, at: float
) -> Refresh:
    """Note that the trigger will be tried again."""
    return _append(refresh, "postponed", at, error=error.name(), wait_seconds=wait_seconds)


def find_obstacle(refresh: Refresh) -> type[FreshetError] | None:
    """What the trigger was put off for, where nothing has happened since."""
    match refresh.events:
        case (*_, Event(type="postponed", facts={"error": str(name)})):
            return find_error(name)
    return None


def find_next_try(refresh: Refresh) -> float:
    """When a trigger that was put off is tried again, where nothing has happened since; else 0."""
    match refresh.events:
        case (*_, Event(type="postponed", at=at, facts={"wait_seconds": int(wait)})):
            return at + wait
    return 0


def find_next_look(refresh: Refresh, *, at: float) -> float:
    """When the next look is planned; 0 where there is no job to look at, or its deadline is over.

    What is stored is the plan as it was at the trigger. What comes between is not: the wish of a
    provider, a webhook, a fault, or the look that has found the job done.
    """
    if refresh.job is None or not refresh.job_complete or at >= refresh.deadline:
        return 0
    if refresh.status.has_ended:
        return 0
    elapsed = at - refresh.triggered_at
    return min(refresh.triggered_at + predict(refresh.looks, elapsed=elapsed), refresh.deadline)


def find_ready(refresh: Refresh) -> Event | None:
    """The event with which the job could be fetched; None where it could not."""
    return next((event for event in refresh.events if event.type == READY), None)


def read_lateness(ready: Event) -> float | None:
    """How many seconds the job had been ready at the most; None where an older version noted it."""
    lateness = ready.facts.get("noticed_within_seconds")
    return lateness if isinstance(lateness, float | int) else None


def lose_job(refresh: Refresh, *, at: float) -> Refresh:
    """Note that the provider does not know the job any more."""
    return _append(replace(refresh, job=None, webhooks={}, triggered_at=0, looks=()), "lost", at)


def count_losses(refresh: Refresh) -> int:
    """How often the provider has lost the job."""
    return [event.type for event in refresh.events].count("lost")


def publish(
    refresh: Refresh,
    manifest: Manifest,
    *,
    ticket: Ticket,
    at: float,
    before: Manifest | None = None,
) -> Refresh:
    """End the refresh with what was published of the datasets that it was to fetch.

    Stale, incomplete or failed parts make it ``partial``.

    Args:
        before: the snapshot that stood.
    """
    own = narrow(manifest, refresh.datasets)
    coverage = own.coverage
    ended = replace(
        refresh,
        status=Status.PARTIAL if _is_partial(coverage) else Status.PUBLISHED,
        looks=(),
        records_read={
            name: _count_fetched(refresh, dataset) for name, dataset in own.datasets.items()
        },
        records_total={name: dataset.records for name, dataset in own.datasets.items()},
        coverage=coverage,
        as_of=own.as_of,
        verdict=judge(own.parts),
        changes_since=before.refresh_id if before else "",
    )
    noticed = _append_looks(ended, ticket)
    return _append(noticed, ended.status, at, **msgspec.structs.asdict(coverage))


def fail(refresh: Refresh, error: type[FreshetError], *, at: float) -> Refresh:
    """End the refresh without a publication."""
    ended = replace(refresh, status=Status.FAILED, error=error.name(), looks=())
    return _append(ended, Status.FAILED, at, error=error.name())


def cancel(refresh: Refresh, *, at: float) -> Refresh:
    """End the refresh because a caller has stopped it."""
    return _append(replace(refresh, status=Status.CANCELLED, looks=()), Status.CANCELLED, at)


def _count_fetched(refresh: Refresh, dataset: Dataset) -> int:
    """How many records this refresh has brought."""
    links = (link for link in dataset.history if link.refresh_id == refresh.refresh_id)
    return sum(link.records for link in links)


def _append_looks(refresh: Refresh, ticket: Ticket) -> Refresh:
    at, looks = ticket.noticed_at, ticket.poll_count
    if 0 < at == ticket.running_at:
        return _append(refresh, UNFINISHED, at, looks=looks)
    since = max(ticket.running_at, ticket.triggered_at)
    lateness = round(max(0.0, at - since), 3)
    return _append(refresh, READY, at, looks=looks, noticed_within_seconds=lateness)


def _is_partial(coverage: Coverage) -> bool:
    return bool(coverage.stale or coverage.incomplete or coverage.failed)


def _append(refresh: Refresh, what: str, at: float, **facts: Scalar) -> Refresh:
    event = Event(version=refresh.version + 1, type=str(what), at=at, facts=facts)
    return replace(refresh, events=(*refresh.events, event))
