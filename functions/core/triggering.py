"""Door 1's decisions: start the job at the provider, once as far as the provider lets us know.

Before each attempt the intent is written down. A call that finds a job recorded does not ask
the provider again; one that finds an intent without a job cannot know whether the provider
heard it, asks again, and the refresh counts the attempts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from functions.core import refresh as step
from functions.core.contract import PAYLOAD_VERSION, Outcome, Ticket
from functions.core.errors import (
    DeadlineExceeded,
    FreshetError,
    OperatorError,
    ProviderUnavailable,
    UserError,
)
from functions.core.polling import backoff, plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.model import Connection, Refresh
    from functions.core.ports import Clock, Connector, Refreshes


def trigger(
    refresh: Refresh,
    *,
    connection: Connection,
    connector: Connector,
    refreshes: Refreshes,
    seen: Mapping[int, float],
    clock: Clock,
) -> Ticket:
    """The ticket with which the refresh goes on.

    Args:
        seen: the provider's durations so far, for ``polling.plan``.
    """
    if refresh.job is not None:
        return _running(refresh, seen=seen)
    if clock() >= refresh.deadline:
        return _failed(refresh, DeadlineExceeded())
    begun = step.triggering(refresh, at=clock())
    refreshes.save(begun, seen=refresh.version)
    try:
        triggered = connector.trigger(connection)
    except ProviderUnavailable as fault:
        return _later(begun, fault, refreshes=refreshes, at=clock())
    except (UserError, OperatorError) as error:
        return _failed(begun, error)
    moved = step.triggered(begun, job=triggered.job, at=clock())
    refreshes.save(moved, seen=begun.version)
    return _running(moved, seen=seen)


def answered(admission: step.Admission, connection_id: str) -> Ticket:
    """The ticket of a request that needs no refresh of its own."""
    return Ticket(
        v=PAYLOAD_VERSION,
        outcome=admission.outcome,
        refresh_id=admission.refresh_id,
        connection_id=connection_id,
    )


def _running(refresh: Refresh, *, seen: Mapping[int, float]) -> Ticket:
    return replace(
        _ticket(refresh, Outcome.RUNNING),
        job=refresh.job or {},
        triggered_at=refresh.triggered_at,
        deadline=refresh.deadline,
        looks=plan(seen, horizon=max(1, refresh.deadline - refresh.triggered_at)),
    )


def _later(
    refresh: Refresh, fault: ProviderUnavailable, *, refreshes: Refreshes, at: float
) -> Ticket:
    wait = max(fault.wait_seconds, backoff(refresh.attempts))
    if at + wait >= refresh.deadline:
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
