"""Door: ends a refresh that is not published: failed, joined, fresh.

Event: a Ticket; after a fault before there was one, what the state machine could make of it.
Where the refresh failed, the door raises the refresh's own error, so that the execution fails
under that name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from functions.aws.boundary import step
from functions.aws.ends import tell_end
from functions.aws.telemetry import count
from functions.core import schedules
from functions.core.contract import FAULTS, Ticket
from functions.core.refresh.conclude import conclude
from functions.wiring.services import prepare, wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.core.model import Refresh

prepare(lambda here: (here.connections, here.refreshes, here.snapshots))


@step
def handler(event: object, _context: LambdaContext) -> dict[str, Any]:
    """End the refresh, free its connection and delete what it had staged."""
    ticket = msgspec.convert(event, Ticket)
    done = conclude(ticket, refreshes=wiring().refreshes, clock=wiring().clock)
    if done.ended and done.refresh is not None:
        tell_end(done.refresh)
    if done.unpublished:
        _discard(ticket, done.refresh)
    # Last, as the call may come again for what could not be deleted.
    if done.action is not None:
        count(FAULTS, action=done.action)
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
    wiring().snapshots.discard(connection_id, refresh_id=ticket.refresh_id)


def _forgotten(connection_id: str) -> bool:
    """Whether a connection is gone; nothing starts a refresh of it by itself any more then."""
    here = wiring()
    return schedules.forget(
        connection_id, connections=here.connections, unschedule=here.unscheduling.remove
    )
