"""Door 1's decisions: start the job at the provider, once as far as the provider lets us know.

Before each attempt the intent is written down. A call that finds a job recorded does not ask
the provider again; one that finds an intent without a job cannot know whether the provider
heard it, asks again, and the refresh counts the attempts. A job that the provider takes in
parts is written down part by part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from functions.core import refresh as step
from functions.core.contract import PAYLOAD_VERSION, Outcome, Ticket
from functions.core.cooling import cool
from functions.core.errors import (
    CallerError,
    DeadlineExceeded,
    FreshetError,
    OperatorError,
    ProviderUnavailable,
    UserError,
)
from functions.core.polling import backoff, plan
from functions.core.ports import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.core.model import Connection, Refresh
    from functions.core.ports import Clock, Connector
    from functions.core.stores import Refreshes


PART_SECONDS: Final = 75
"""How long the provider may take to say that it has taken a part of a job, at the worst."""

SYNCHRONOUS_SECONDS: Final = 335
"""The same where it answers only when it is done: five minutes at Endgrate, and some more."""


def trigger(
    refresh: Refresh,
    *,
    connection: Connection,
    connector: Connector,
    refreshes: Refreshes,
    seen: Mapping[int, float],
    clock: Clock,
    seconds_left: Callable[[], float],
) -> Ticket:
    """The ticket with which the refresh goes on.

    Args:
        seen: the provider's durations so far, for ``polling.plan``.
        seconds_left: how long this call may still run.
    """
    if _taken(refresh):
        return _running(refresh, seen=seen)
    if clock() >= refresh.deadline:
        return _failed(refresh, DeadlineExceeded())
    begun = step.triggering(refresh, at=clock())
    refreshes.save(begun, seen=refresh.version)
    longest = SYNCHRONOUS_SECONDS if refresh.synchronous else PART_SECONDS
    while not _taken(begun):
        if begun.job is not None and seconds_left() < longest:
            return replace(_ticket(begun, Outcome.LATER), wait_seconds=1)
        try:
            taken = connector.trigger(connection, _order(begun))
        except ProviderUnavailable as fault:
            return _later(begun, fault, refreshes=refreshes, at=clock())
        except (UserError, CallerError, OperatorError) as error:
            return _failed(begun, error)
        seen_version, begun = begun.version, step.triggered(begun, taken, at=clock())
        refreshes.save(begun, seen=seen_version)
    return _running(begun, seen=seen)


def answered(admission: step.Admission, connection_id: str) -> Ticket:
    """The ticket of a request that needs no refresh of its own."""
    return Ticket(
        v=PAYLOAD_VERSION,
        outcome=admission.outcome,
        refresh_id=admission.refresh_id,
        connection_id=connection_id,
    )


def _taken(refresh: Refresh) -> bool:
    """Whether the provider has taken the job, the whole of it."""
    return refresh.job is not None and refresh.whole


def _order(refresh: Refresh) -> Order:
    return Order(datasets=refresh.datasets, synchronous=refresh.synchronous, job=refresh.job)


def _running(refresh: Refresh, *, seen: Mapping[int, float]) -> Ticket:
    return replace(
        _ticket(refresh, Outcome.RUNNING),
        job=refresh.job or {},
        triggered_at=refresh.triggered_at,
        deadline=refresh.deadline,
        hooked=bool(refresh.hooks),
        looks=plan(seen, horizon=max(1, refresh.deadline - refresh.triggered_at)),
    )


def _later(
    refresh: Refresh, fault: ProviderUnavailable, *, refreshes: Refreshes, at: float
) -> Ticket:
    wait = max(fault.wait_seconds, backoff(refresh.attempts))
    if at + wait >= refresh.deadline:
        cool(fault, refresh, refreshes=refreshes, at=at)
        return _failed(refresh, fault)
    told = step.postponed(refresh, error=fault.name(), wait_seconds=wait, at=at)
    refreshes.save(told, seen=refresh.version)
    return replace(_ticket(refresh, Outcome.LATER), wait_seconds=wait)


def _failed(refresh: Refresh, error: FreshetError) -> Ticket:
    return replace(_ticket(refresh, Outcome.FAILED), error=error.name())


def _ticket(refresh: Refresh, outcome: Outcome) -> Ticket:
    return Ticket(
        v=PAYLOAD_VERSION,
        outcome=outcome,
        refresh_id=refresh.refresh_id,
        connection_id=refresh.connection_id,
        provider=refresh.provider,
    )
