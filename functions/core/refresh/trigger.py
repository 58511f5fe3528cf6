"""Starts the job at the provider.

The intent is stored before each attempt. A call that finds a stored job does not ask the provider
again. One that finds an intent without a job cannot know whether the provider has heard it: it
asks again, and the refresh counts the attempts. A job that the provider takes in parts is stored
part by part. Where the end user has to act first, the refresh comes back until they have, or until
its deadline: always where they have begun at the provider, else where the refresh waits for its
user.
"""

from __future__ import annotations

from contextlib import suppress
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
    Superseded,
    UserError,
)
from functions.core.model import Event
from functions.core.polling import backoff, plan
from functions.core.ports import Order
from functions.core.refresh import steps as step
from functions.core.refresh.admission import Admission, note_cooldown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.core.model import Interval, Refresh
    from functions.core.ports import CredentialStore
    from functions.core.refresh.ports import StepPorts


QUEUE_SECONDS: Final = 60
"""How long a scheduled request waits before it asks again for a connection that is busy."""

USER_FACTOR: Final = 2
"""How many times longer to wait for a person than for a provider that is away: 2, 4, 8 … 120
seconds. The longest deadline then has room for fewer than two hundred tries."""

SIGN_IN_SECONDS: Final = 600
"""How long to wait at a time for a user whose new credentials end the wait. What the user does at
the provider alone is found by then."""


def trigger(
    refresh: Refresh,
    ports: StepPorts,
    *,
    credentials: CredentialStore,
    others: Sequence[Interval],
) -> Ticket:
    """Start the job, and return the ticket with which the refresh goes on.

    Args:
        credentials: where the connection's are, whose version tells that the user has come.
        others: how long the provider's jobs took, for ``polling.plan``.
    """
    if _has_job(refresh):
        return _go_on(refresh)
    if ports.clock() >= refresh.deadline:
        return _fail(refresh, _find_cause(refresh))
    refresh = _save(step.begin_trigger(refresh, at=ports.clock()), ports)
    seen = _read_version(refresh, credentials)
    longest = SYNCHRONOUS_SECONDS if refresh.synchronous else PART_SECONDS
    while not _has_job(refresh):
        if refresh.job is not None and ports.left() < longest:
            return _ticket(refresh, TicketOutcome.LATER, wait_seconds=1)
        order = Order(
            datasets=refresh.datasets,
            synchronous=refresh.synchronous,
            losses=step.count_losses(refresh),
            job=refresh.job,
        )
        try:
            taken = ports.connector.trigger(ports.connection, order)
        except (ProviderUnavailable, UserError, CallerError, OperatorError) as error:
            ticket = _handle_refusal(refresh, error, ports)
            if ticket.has_webhook and _read_version(refresh, credentials) != seen:
                # Saving has forgotten the note of credentials that came meanwhile.
                wait = min(backoff(refresh.attempts), ticket.wait_seconds)
                return replace(ticket, wait_seconds=wait)
            return ticket
        at = ports.clock()
        looks = () if taken.more else _plan(refresh, ports, others, at=at)
        refresh = _save(step.accept_job(refresh, taken, looks=looks, at=at), ports)
    return _go_on(refresh)


def to_ticket(admission: Admission, connection_id: str) -> Ticket:
    """The ticket of a request that needs no refresh of its own."""
    return Ticket(
        v=PAYLOAD_VERSION,
        outcome=TicketOutcome(admission.outcome),
        refresh_id=admission.refresh_id,
        connection_id=connection_id,
    )


def queue(refresh_id: str, connection_id: str) -> Ticket:
    """The ticket of a request that is admitted after another refresh has ended."""
    return Ticket(
        v=PAYLOAD_VERSION,
        outcome=TicketOutcome.LATER,
        refresh_id=refresh_id,
        connection_id=connection_id,
        wait_seconds=QUEUE_SECONDS,
    )


def _has_job(refresh: Refresh) -> bool:
    """Whether the provider has taken the whole job."""
    return refresh.job is not None and refresh.job_complete


def _handle_refusal(refresh: Refresh, error: FreshetError, ports: StepPorts) -> Ticket:
    """Wait and try again, or fail, after an attempt that brought no job."""
    at = ports.clock()
    left = max(1, ceil(refresh.deadline - at))
    match error:
        case ProviderUnavailable():
            wait = max(error.wait_seconds, backoff(refresh.attempts))
            if at + wait < refresh.deadline:
                return _postpone(refresh, error, ports, wait=wait)
            note_cooldown(error, refresh, refreshes=ports.refreshes, at=at)
        case InteractionRequired(awaited=True):
            wait = min(USER_FACTOR * backoff(refresh.attempts), left)
            ticket = _postpone(refresh, error, ports, wait=wait)
            return replace(ticket, has_webhook=bool(ports.connection.webhook))
        case UserError() if refresh.wait_for_user:
            ticket = _postpone(refresh, error, ports, wait=min(SIGN_IN_SECONDS, left))
            return replace(ticket, has_webhook=True)
    return _fail(refresh, error)


def _postpone(refresh: Refresh, error: FreshetError, ports: StepPorts, *, wait: int) -> Ticket:
    _save(step.postpone(refresh, type(error), wait_seconds=wait, at=ports.clock()), ports)
    return _ticket(refresh, TicketOutcome.LATER, wait_seconds=wait)


def _read_version(refresh: Refresh, credentials: CredentialStore) -> int:
    """The version of the credentials, where the refresh waits for its user; 0 without any."""
    if refresh.wait_for_user:
        with suppress(Superseded):
            return credentials.load(refresh.connection_id).version
    return 0


def _find_cause(refresh: Refresh) -> FreshetError:
    """Why there is no job at the deadline: what it was put off for, or what came between."""
    if obstacle := step.find_obstacle(refresh):
        return obstacle()
    match refresh.events:
        case (*_, Event(type="admitted" | "triggering")):
            return PlatformFault()
        case _:
            return DeadlineExceeded()


def _save(refresh: Refresh, ports: StepPorts) -> Refresh:
    ports.refreshes.save(refresh, seen=refresh.version - 1)
    return refresh


def _plan(
    refresh: Refresh, ports: StepPorts, others: Sequence[Interval], *, at: float
) -> tuple[float, ...]:
    """When to look. What was triggered synchronously is done: look at once."""
    return (0.0,) if refresh.synchronous else plan(ports.connection.intervals, others, at=at)


def _go_on(refresh: Refresh) -> Ticket:
    """The ticket with which to look."""
    return replace(
        _ticket(refresh, TicketOutcome.RUNNING),
        job=refresh.job or {},
        triggered_at=refresh.triggered_at,
        deadline=refresh.deadline,
        has_webhook=bool(refresh.webhooks),
        looks=refresh.looks,
    )


def _fail(refresh: Refresh, error: FreshetError) -> Ticket:
    return replace(_ticket(refresh, TicketOutcome.FAILED), error=error.name())


def _ticket(refresh: Refresh, outcome: TicketOutcome, *, wait_seconds: int = 0) -> Ticket:
    return Ticket(
        v=PAYLOAD_VERSION,
        outcome=outcome,
        refresh_id=refresh.refresh_id,
        connection_id=refresh.connection_id,
        provider=refresh.provider,
        wait_seconds=wait_seconds,
    )
