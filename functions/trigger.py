"""Door 1: a refresh request becomes a job at the provider.

Event: ``{"execution": the execution's name, "input": a RefreshRequest}``. Answer: a Ticket.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from functions.aws.boundary import step
from functions.connectors.registry import DATASETS
from functions.core.contract import EXECUTION_NAME, Reason, RefreshRequest, Ticket
from functions.core.errors import Busy, InvalidRequest
from functions.core.refresh.admission import admit
from functions.core.refresh.trigger import answered, queued, trigger
from functions.providers import connector, time_left
from functions.wiring import prepare, wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.core.model import Refresh


prepare(lambda here: (here.connections, here.refreshes, here.durations, here.secrets))


class _Start(msgspec.Struct, frozen=True):
    execution: str
    input: RefreshRequest


@step
def handler(event: object, context: LambdaContext) -> Any:  # noqa: ANN401 - JSON
    """Admit the request, unless the API has done so already; then trigger."""
    return msgspec.to_builtins(_ticket(_read(event), context=context))


def _read(event: object) -> _Start:
    try:
        start = msgspec.convert(event, _Start)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from None
    if not re.fullmatch(EXECUTION_NAME, start.execution):
        raise InvalidRequest("Name the execution with letters, digits, - and _ only.")
    if start.input.refresh_id not in {None, start.execution}:
        raise InvalidRequest("A refresh_id must be the execution's own name; leave it out.")
    return start


def _ticket(start: _Start, *, context: LambdaContext) -> Ticket:
    here = wiring()
    try:
        admission = admit(
            start.input,
            refresh_id=start.execution,
            at=here.clock(),
            connections=here.connections,
            refreshes=here.refreshes,
            datasets=DATASETS,
        )
    except Busy:
        # Nobody is there to be told, and its next time may be a day away.
        if start.input.reason is not Reason.SCHEDULE:
            raise
        return queued(start.execution, start.input.connection_id)
    if admission.refresh is None:
        return answered(admission, start.input.connection_id)
    return _triggered(admission.refresh, context=context)


def _triggered(refresh: Refresh, *, context: LambdaContext) -> Ticket:
    here = wiring()
    return trigger(
        refresh,
        connection=here.connection(refresh.connection_id),
        connector=connector(
            here,
            refresh.provider,
            owner=refresh.refresh_id,
            left=time_left(here, context, until=refresh.deadline),
        ),
        refreshes=here.refreshes,
        seen=here.durations.seen(refresh.provider),
        clock=here.clock,
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
    )
