"""Door 1's decisions: start the job at the provider, once as far as the provider lets us know.

Before each attempt the intent is written down. A call that finds a job recorded does not ask
the provider again; one that finds an intent without a job cannot know whether the provider
heard it, asks again, and the refresh counts the attempts. A job that the provider takes in
parts is written down part by part. Where the end user has to act before it can be begun, the
refresh comes back until they have, or until its deadline.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from functions.core.contract import (
    PART_SECONDS,
    PAYLOAD_VERSION,
    SYNCHRONOUS_SECONDS,
    Ticket,
    TicketOutcome,
)
from functions.core.errors import (
    CallerError,
    DeadlineExceeded,
    FreshetError,
    InteractionRequired,
    OperatorError,
    PlatformFault,
    ProviderUnavailable,
    UserError,
    find_error,
)
from functions.core.model import Event
from functions.core.polling import backoff, plan
from functions.core.ports import Order
from functions.core.refresh import steps as step
from functions.core.refresh.admission import note_cooldown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.core.contract import Clock
    from functions.core.model import Connection, Interval, Refresh
    from functions.core.ports import Connector
    from functions.core.refresh.stores import Refreshes


QUEUE_SECONDS: Final = 60
"""How long a request that nobody waits for stays away from a connection that is busy."""

USER_FACTOR: Final = 2
"""How many times longer one waits for a person than for a provider that is away: 2, 4, 8 … 120
seconds. The longest deadline then has room for fewer than two hundred tries."""


def trigger(
    refresh: Refresh,
    *,
    connection: Connection,
    connector: Connector,
    refreshes: Refreshes,
    others: Sequence[Interval],
    clock: Clock,
    seconds_left: Callable[[], float],
) -> Ticket:
    """The ticket with which the refresh goes on.

    Args:
        others: how long the provider's jobs took, for ``polling.plan``.
        seconds_left: how long this call may still run.
    """
    if _has_job(refresh):
        return _go_on(refresh, connection, others)
    if clock() >= refresh.deadline:
        return _fail(refresh, _find_cause(refresh))
    begun = step.begin_trigger(refresh, at=clock())
    refreshes.save(begun, seen=refresh.version)
    longest = SYNCHRONOUS_SECONDS if refresh.synchronous else PART_SECONDS
    while not _has_job(begun):
        if begun.job is not None and seconds_left() < longest:
            return replace(_ticket(begun, TicketOutcome.LATER), wait_seconds=1)
        try:
            taken = connector.trigger(connection, _to_order(begun))
        except (ProviderUnavailable, UserError, CallerError, OperatorError) as error:
            has_webhook = bool(connection.webhook)
            return _handle_refusal(
                begun, error, has_webhook=has_webhook, refreshes=refreshes, at=clock()
            )
        seen_version, begun = begun.version, step.accept_job(begun, taken, at=clock())
        refreshes.save(begun, seen=seen_version)
    return _go_on(begun, connection, others)


def to_ticket(admission: step.Admission, connection_id: str) -> Ticket:
    """The ticket of a request that needs no refresh of its own."""
    return Ticket(
        v=PAYLOAD_VERSION,
        outcome=TicketOutcome(admission.outcome),
        refresh_id=admission.refresh_id,
        connection_id=connection_id,
    )


def queue(refresh_id: str, connection_id: str) -> Ticket:
    """The ticket of a request that waits for another refresh's end, to be let in after it."""
    return Ticket(
        v=PAYLOAD_VERSION,
        outcome=TicketOutcome.LATER,
        refresh_id=refresh_id,
        connection_id=connection_id,
        wait_seconds=QUEUE_SECONDS,
    )


def _has_job(refresh: Refresh) -> bool:
    """Whether the provider has taken the job, the whole of it."""
    return refresh.job is not None and refresh.job_complete


def _to_order(refresh: Refresh) -> Order:
    return Order(
        datasets=refresh.datasets,
        synchronous=refresh.synchronous,
        losses=step.count_losses(refresh),
        job=refresh.job,
    )


def _go_on(refresh: Refresh, connection: Connection, others: Sequence[Interval]) -> Ticket:
    """The ticket with which to look. What was triggered synchronously is done: look at once."""
    looks = plan(connection.intervals, others, at=refresh.triggered_at)
    return replace(
        _ticket(refresh, TicketOutcome.RUNNING),
        job=refresh.job or {},
        triggered_at=refresh.triggered_at,
        deadline=refresh.deadline,
        has_webhook=bool(refresh.webhooks),
        looks=(0.0,) if refresh.synchronous else looks,
    )


def _handle_refusal(
    refresh: Refresh, error: FreshetError, *, has_webhook: bool, refreshes: Refreshes, at: float
) -> Ticket:
    """What follows from an attempt that brought no job.

    Args:
        hooked: whether the provider may tell us that the user has acted.
    """
    match error:
        case ProviderUnavailable():
            return _retry(refresh, error, refreshes=refreshes, at=at)
        case InteractionRequired(awaited=True):
            left = max(1, ceil(refresh.deadline - at))
            wait = min(USER_FACTOR * backoff(refresh.attempts), left)
            ticket = _postpone(refresh, error, wait=wait, refreshes=refreshes, at=at)
            return replace(ticket, has_webhook=has_webhook)
        case _:
            return _fail(refresh, error)


def _retry(
    refresh: Refresh, fault: ProviderUnavailable, *, refreshes: Refreshes, at: float
) -> Ticket:
    wait = max(fault.wait_seconds, backoff(refresh.attempts))
    if at + wait >= refresh.deadline:
        note_cooldown(fault, refresh, refreshes=refreshes, at=at)
        return _fail(refresh, fault)
    return _postpone(refresh, fault, wait=wait, refreshes=refreshes, at=at)


def _postpone(
    refresh: Refresh, error: FreshetError, *, wait: int, refreshes: Refreshes, at: float
) -> Ticket:
    later = step.postpone(refresh, type(error), wait_seconds=wait, at=at)
    refreshes.save(later, seen=refresh.version)
    return replace(_ticket(refresh, TicketOutcome.LATER), wait_seconds=wait)


def _find_cause(refresh: Refresh) -> FreshetError:
    """Why there is no job at the deadline: what it was put off for, or what came between."""
    match refresh.events:
        case (*_, Event(type="postponed", facts={"error": str(name)})):
            return find_error(name)()
        case (*_, Event(type="admitted" | "triggering")):
            return PlatformFault()
        case _:
            return DeadlineExceeded()


def _fail(refresh: Refresh, error: FreshetError) -> Ticket:
    return replace(_ticket(refresh, TicketOutcome.FAILED), error=error.name())


def _ticket(refresh: Refresh, outcome: TicketOutcome) -> Ticket:
    return Ticket(
        v=PAYLOAD_VERSION,
        outcome=outcome,
        refresh_id=refresh.refresh_id,
        connection_id=refresh.connection_id,
        provider=refresh.provider,
    )
