"""Door: lists the connections that a bulk run refreshes, and closes the run.

Event at its beginning: ``{"execution": the execution's name, "input": a BulkRequest}``, at its
end a BulkTicket. Answer: a BulkTicket. Where the run could not go through its list, the door
raises why, so that the execution fails under that name.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from functions.aws.boundary import Start, read, require_name, step
from functions.connectors.registry import REGISTRY
from functions.core.bulk.model import BulkRequest, BulkTicket, BulkTicketOutcome
from functions.core.bulk.ports import BulkPorts
from functions.core.bulk.run import check, close_run, create, keep, write_list
from functions.core.errors import Superseded, find_error
from functions.wiring.services import wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.core.bulk.model import BulkRun


@cache
def _ports() -> BulkPorts:
    here = wiring()
    return BulkPorts(
        bulk_runs=here.bulk_runs,
        lists=here.bulk_lists,
        connections=here.connections,
        refreshes=here.refreshes,
        stop=here.executions.stop,
        clock=here.clock,
    )


@step
def handler(event: object, _context: LambdaContext) -> Any:  # noqa: ANN401 - JSON
    """List the connections of the run, or close it."""
    if isinstance(event, dict) and "execution" in event:
        start = read(event, Start[BulkRequest])
        require_name(start.execution, field="bulk_id", given=start.input.bulk_id)
        check(start.input, providers=REGISTRY)
        return msgspec.to_builtins(write_list(_find_run(start), _ports()))
    ticket = msgspec.convert(event, BulkTicket)
    _close(ticket)
    return msgspec.to_builtins(ticket)


def _find_run(start: Start[BulkRequest]) -> BulkRun:
    """The run that the API has stored under the execution's name, or a new one.

    Raises:
        Superseded: the API has kept none, or it is not kept any more.
        BulkRunning: it is asked for as if by the API, and its tenant has another under way.
    """
    bulks = _ports().bulk_runs
    kept = bulks.get(start.execution)
    if kept is not None:
        return kept
    if start.input.bulk_id is not None:
        raise Superseded
    new = create(start.input, bulk_id=start.execution, at=_ports().clock())
    keep(new, bulk_runs=bulks)
    return new


def _close(ticket: BulkTicket) -> None:
    """End the run. Nothing is raised for an execution that has ended already (``aborted``)."""
    bulk = _ports().bulk_runs.get(ticket.bulk_id)
    if bulk is not None:
        close_run(bulk, error=ticket.error, ports=_ports())
    if ticket.error is not None and ticket.outcome is not BulkTicketOutcome.ABORTED:
        raise find_error(ticket.error)
