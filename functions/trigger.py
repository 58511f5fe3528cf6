"""Door: turns a refresh request into a job at the provider.

Event: ``{"execution": the execution's name, "input": a RefreshRequest}``. Answer: a Ticket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from functions.aws.boundary import Start, read, require_name, step
from functions.core.contract import Reason, RefreshRequest, Ticket
from functions.core.errors import Busy
from functions.core.refresh.admission import admit
from functions.core.refresh.ports import StepPorts
from functions.core.refresh.trigger import queue, to_ticket, trigger
from functions.wiring.providers import connector, time_left
from functions.wiring.services import prepare, wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.core.model import Refresh

prepare(lambda here: (here.connections, here.refreshes, here.durations, here.secrets))


@step
def handler(event: object, context: LambdaContext) -> Any:  # noqa: ANN401 - JSON
    """Admit the request, unless the API has done so already; then trigger."""
    start = read(event, Start[RefreshRequest])
    require_name(start.execution, field="refresh_id", given=start.input.refresh_id)
    return msgspec.to_builtins(_admit(start, context=context))


def _admit(start: Start[RefreshRequest], *, context: LambdaContext) -> Ticket:
    here = wiring()
    try:
        admission = admit(
            start.input,
            refresh_id=start.execution,
            at=here.clock(),
            ports=here.admission,
        )
    except Busy:
        # A schedule has no caller to tell, and its next firing may be a day away.
        if start.input.reason is not Reason.SCHEDULE:
            raise
        return queue(start.execution, start.input.connection_id)
    if admission.refresh is None:
        return to_ticket(admission, start.input.connection_id)
    return _trigger(admission.refresh, context=context)


def _trigger(refresh: Refresh, *, context: LambdaContext) -> Ticket:
    here = wiring()
    ports = StepPorts(
        connection=here.connection(refresh.connection_id, fresh=False),
        connector=connector(
            here,
            refresh.provider,
            owner=refresh.refresh_id,
            left=time_left(here, context, until=refresh.deadline),
        ),
        refreshes=here.refreshes,
        clock=here.clock,
        sleep=here.sleep,
        left=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    others = here.durations.read(refresh.provider)
    return trigger(refresh, ports, credentials=here.connections, others=others)
