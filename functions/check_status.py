"""Door: waits and checks. Event and answer: a Ticket.

A ticket that needs no look (``later``, ``joined``, ``fresh``, ``failed``) passes unchanged, so
that the state machine needs a single Choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from functions.aws.boundary import step
from functions.connectors.registry import REGISTRY
from functions.core.budget import GO_ON_SECONDS
from functions.core.contract import Ticket, TicketOutcome
from functions.core.refresh.check import LAST_LOOK_SECONDS, check
from functions.core.refresh.ports import StepPorts
from functions.wiring.providers import connector, time_left
from functions.wiring.services import prepare, wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

prepare(lambda here: (here.connections, here.refreshes, here.secrets))


@step
def handler(event: object, context: LambdaContext) -> Any:  # noqa: ANN401 - JSON
    """Look at the provider until there is an answer, or until a longer wait costs less outside."""
    ticket = msgspec.convert(event, Ticket)
    if ticket.outcome is not TicketOutcome.RUNNING:
        return event
    here = wiring()
    latest = max(ticket.deadline, here.clock()) + LAST_LOOK_SECONDS
    ports = StepPorts(
        connection=here.connection(ticket.connection_id),
        connector=connector(
            here,
            ticket.provider,
            owner=ticket.refresh_id,
            left=time_left(here, context, until=latest),
            patience_seconds=GO_ON_SECONDS,
        ),
        refreshes=here.refreshes,
        clock=here.clock,
        sleep=here.sleep,
        left=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    return msgspec.to_builtins(check(ticket, ports, holds=REGISTRY[ticket.provider].holds))
