"""Door 4: ends what is not published: failed, joined, fresh.

Event: a Ticket; after a fault before there was one, what the state machine could make of it.
Where the refresh failed, the door raises the refresh's own error, so that the execution fails
under that name.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import msgspec

from functions.aws.objects.snapshots import Snapshots
from functions.aws.runtime import count, runtime, setting, step
from functions.aws.schedules import unschedule
from functions.core import schedules
from functions.core.contract import FAULTS, Ticket, Variable
from functions.core.refresh.conclude import conclude

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_scheduler.client import EventBridgeSchedulerClient

    from functions.core.model import Refresh


@cache
def _snapshots() -> Snapshots:
    return Snapshots(runtime().s3(), bucket=setting(Variable.BUCKET))


@cache
def _scheduler() -> EventBridgeSchedulerClient:
    return runtime().scheduler()


@step
def handler(event: object, _context: LambdaContext) -> dict[str, Any]:
    """End the refresh, free its connection and delete what it had staged."""
    ticket = msgspec.convert(event, Ticket)
    done = conclude(ticket, refreshes=runtime().refreshes, clock=runtime().clock)
    if done.ended and done.refresh is not None:
        count("Failed", provider=done.refresh.provider)
    if done.unpublished:
        _discard(ticket, done.refresh)
    # Last, as the call may come again for what could not be deleted.
    if done.acts is not None:
        count(FAULTS, acts=done.acts)
    if done.error is not None:
        raise done.error
    ended = {"status": done.refresh.status} if done.refresh else {}
    return {"refresh_id": ticket.refresh_id, "outcome": ticket.outcome, **ended}


def _discard(ticket: Ticket, refresh: Refresh | None) -> None:
    """Delete what was staged, also of a connection that was erased while it was written.

    A ticket is believed only about a connection that is gone: a person can type anything.
    """
    connection_id = refresh.connection_id if refresh else ticket.connection_id
    if refresh is None and not (connection_id and _forgotten(connection_id)):
        return
    _snapshots().discard(connection_id, refresh_id=ticket.refresh_id)


def _forgotten(connection_id: str) -> bool:
    """Whether a connection is gone; nothing starts a refresh of it by itself any more then."""
    return schedules.forget(
        connection_id,
        connections=runtime().connections,
        unschedule=partial(unschedule, _scheduler(), group=setting(Variable.SCHEDULE_GROUP)),
    )
