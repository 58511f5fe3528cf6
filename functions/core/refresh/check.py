"""Looks as planned, and waits inside the call while that is cheaper than leaving it.

A turn of the loop in the state machine costs three transitions, as much as this function
waiting for ``LOOK_HOLD_SECONDS``. So while the next look is nearer than that, the call stays: on
the provider's own long poll where there is one, else asleep. Longer waits are left to the
machine's Wait state.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from functions.core.contract import CALL_SECONDS, LOOK_HOLD_SECONDS, Ticket, TicketOutcome
from functions.core.errors import (
    CallerError,
    DeadlineExceeded,
    FreshetError,
    JobLost,
    OperatorError,
    ProviderUnavailable,
    UserError,
)
from functions.core.polling import backoff, find_next
from functions.core.refresh import steps as step
from functions.core.refresh.admission import note_cooldown

if TYPE_CHECKING:
    from functions.core.ports import Looked
    from functions.core.refresh.ports import StepPorts

MIN_GAP: Final = 0.25
"""Seconds between two looks at least, also where a provider answers its long poll at once."""

LOOK_SHARE: Final = 4
"""Looking takes at most this fraction (1/4) of the time. While the provider's budget is short, a
look waits for its turn, and the next look comes later: the budget is left to fetches."""

WEBHOOK_SECONDS: Final = 1
"""How long a call sleeps at a time where a webhook may tell it to look earlier."""

LAST_LOOK_SECONDS: Final = 3
"""How long past the deadline looks may go on; the last one begins at it."""

MAX_LOSSES: Final = 2
"""How often the provider may lose the job until the refresh fails."""


def check(ticket: Ticket, ports: StepPorts, *, holds: bool = False) -> Ticket:
    """Look until there is an answer or waiting here no longer pays; the ticket says which.

    Args:
        holds: whether the provider can hold a look open.
    """
    clock = ports.clock
    if ticket.has_webhook:
        ports.refreshes.forget_webhooks(ticket.refresh_id)
    until, wish = clock() + CALL_SECONDS, None
    wait = _begin(ticket, holds=holds, at=clock())
    while True:
        wait = min(wait, max(0.0, ticket.deadline - clock()))
        if wait > LOOK_HOLD_SECONDS or clock() + wait > until:
            return replace(ticket, wait_seconds=max(1, ceil(wait) if wish else floor(wait)))
        _rest(ticket, wait, ports)
        asked = clock()
        gap = _gap(ticket, at=asked, after=asked)
        hold = min(gap, ticket.deadline - asked) if gap <= LOOK_HOLD_SECONDS else 0.0
        ticket, wish = _look(ticket, ports, hold_seconds=hold)
        if ticket.outcome is TicketOutcome.LATER:
            return _restart(ticket, ports)
        if ticket.outcome is not TicketOutcome.RUNNING:
            return ticket
        gap, took = _gap(ticket, at=clock(), after=clock()), clock() - asked
        if wish is None or (wish == 0 and gap > LOOK_HOLD_SECONDS):
            wait = max(gap, (LOOK_SHARE - 1) * took)
        else:
            wait = max(wish, MIN_GAP - took)


def _begin(ticket: Ticket, *, holds: bool, at: float) -> float:
    """Seconds until the call's first look.

    A call that comes from a wait looks at once, or at the planned moment that is about to come.
    The first of all begins a look that can be held open, as its end is noticed then.
    """
    gap = _gap(ticket, at=at, after=ticket.running_at or ticket.triggered_at - 1)
    at_once = gap > 1 if ticket.wait_seconds else holds and gap <= LOOK_HOLD_SECONDS
    return 0.0 if at_once else gap


def _rest(ticket: Ticket, seconds: float, ports: StepPorts) -> None:
    """Sleep, but no longer than until a webhook comes."""
    while ticket.has_webhook and seconds > WEBHOOK_SECONDS:
        ports.sleep(WEBHOOK_SECONDS)
        seconds -= WEBHOOK_SECONDS
        if ports.refreshes.is_webhook_noted(ticket.refresh_id):
            return ports.refreshes.forget_webhooks(ticket.refresh_id)
    return ports.sleep(seconds)


def _look(ticket: Ticket, ports: StepPorts, *, hold_seconds: float) -> tuple[Ticket, float | None]:
    """Look once: what the look says of the job, and seconds until the next, if it has a wish."""
    ticket = replace(ticket, poll_count=ticket.poll_count + 1)
    try:
        looked = ports.connector.check(ports.connection, ticket.job, hold_seconds=hold_seconds)
    except ProviderUnavailable as fault:
        held = hold_seconds > 0 and not ticket.faults
        return _handle_fault(ticket, fault, ports, held=held)
    except (UserError, CallerError, OperatorError) as error:
        return _fail(ticket, error), 0
    ticket, at = replace(ticket, job=looked.job, faults=0), ports.clock()
    if looked.done:
        return replace(ticket, outcome=TicketOutcome.READY, noticed_at=at), 0
    if looked.lost:
        return replace(ticket, outcome=TicketOutcome.LATER), 0
    ticket = replace(ticket, running_at=at)
    if at < ticket.deadline:
        return ticket, looked.wait_seconds
    return _end_at_deadline(ticket, looked, at=at), 0


def _end_at_deadline(ticket: Ticket, looked: Looked, *, at: float) -> Ticket:
    """Go on with what is ready by itself, or fail."""
    if looked.at_deadline is None:
        return _fail(ticket, DeadlineExceeded())
    return replace(ticket, job=looked.at_deadline, outcome=TicketOutcome.READY, noticed_at=at)


def _handle_fault(
    ticket: Ticket, fault: ProviderUnavailable, ports: StepPorts, *, held: bool
) -> tuple[Ticket, float]:
    """Try again after a pause, if the deadline leaves time for it.

    A provider that was to hold the look, and has answered so far, may have held it too long.
    """
    ticket, at = replace(ticket, faults=ticket.faults + 1), ports.clock()
    wait = max(fault.wait_seconds, backoff(ticket.faults))
    if at + wait < ticket.deadline:
        return ticket, wait
    note_cooldown(fault, ticket, refreshes=ports.refreshes, at=at)
    overdue = held and at >= ticket.deadline
    return _fail(ticket, DeadlineExceeded() if overdue else fault), wait


def _gap(ticket: Ticket, *, at: float, after: float) -> float:
    """Seconds until the first look that is planned after an instant."""
    start = ticket.triggered_at
    return max(0.0, start + find_next(ticket.looks, after=after - start) - at)


def _restart(ticket: Ticket, ports: StepPorts) -> Ticket:
    """Trigger once more, unless the provider has lost the job too often."""
    refresh = ports.refreshes.get(ticket.refresh_id)
    if refresh is None or refresh.status.has_ended:
        return _fail(ticket, JobLost())
    # Without a job, an earlier call has stored the loss and its answer was lost.
    told = step.lose_job(refresh, at=ports.clock()) if refresh.job is not None else refresh
    if step.count_losses(told) >= MAX_LOSSES:
        return _fail(ticket, JobLost())
    if told is not refresh:
        ports.refreshes.save(told, seen=refresh.version)
    return replace(ticket, job={}, has_webhook=False, wait_seconds=1)


def _fail(ticket: Ticket, error: FreshetError) -> Ticket:
    return replace(ticket, outcome=TicketOutcome.FAILED, error=error.name())
