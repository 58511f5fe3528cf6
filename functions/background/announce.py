"""Door: announces events, see ``core.delivery.announce``.

The stream of their table calls it with those that are new. The clock calls it once a minute, with
any other event: it announces what the stream has missed, and has those endpoints called whose
deliveries are due. A test calls it the same way: the stack's output ``AnnounceName`` is the
function's name, and what was due is done when the call returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.aws.boundary import door
from functions.aws.tables.dynamodb import decode
from functions.aws.telemetry import count
from functions.core.contract import OWED_EVENTS, Variable
from functions.core.delivery.announce import AnnouncePorts, announce
from functions.core.errors import FreshetError
from functions.core.freshness.objectives import note
from functions.wiring.services import wiring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_lambda_powertools.utilities.typing import LambdaContext

MOST: Final = 500
"""How many things of a kind one call of the clock looks at; what is left comes first the next
time."""

MARGIN_SECONDS: Final = 15
"""A call that has no more left than this leaves the rest to the next one."""

LATE_SECONDS: Final = 10 * 60
"""An event that is still owed after so long is counted each time; an alarm goes by it."""

AGAIN_SECONDS: Final = 120
"""After so long something is looked at again that is due still."""


@door
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Do each thing that is due. A call that fails for one has tried all.

    The stream repeats a call that has failed with all of its events; what was announced by then is
    passed over.
    """
    all_due = _read_records(event["Records"]) if "Records" in event else _sweep(context)
    broken: FreshetError | None = None
    for one in all_due:
        try:
            _look_after(one, context)
        except FreshetError as error:
            broken = broken or error
    if broken is not None:
        raise broken


def _read_records(records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The keys of the events that the stream has."""
    return (decode(record["dynamodb"]["Keys"]) for record in records)


def _sweep(context: LambdaContext) -> Iterator[dict[str, Any]]:
    """The keys of what is due, the endpoints first, until the call is at its end."""
    here = wiring()
    for table in (Variable.ENDPOINTS_TABLE, Variable.EVENTS_TABLE):
        items = here.open_items(table)
        for due in items.due(at=here.clock(), most=MOST):
            if context.get_remaining_time_in_millis() < MARGIN_SECONDS * 1000:
                return
            if items.postpone(due, until=here.clock() + AGAIN_SECONDS):  # else another call does it
                yield dict(due.key)


@door
def _look_after(one: dict[str, Any], _context: LambdaContext) -> None:
    here = wiring()
    if "endpoint_id" in one:
        here.lanes.send(one["endpoint_id"], reason=f"at_{int(here.clock())}")
        return
    event = here.events.owed(one["event_id"])
    if event is None:
        return
    if here.clock() - event.at > LATE_SECONDS:
        count(OWED_EVENTS)
    announce(event, _ports())


def _ports() -> AnnouncePorts:
    here = wiring()
    return AnnouncePorts(
        outbox=here.events,
        bus=here.bus,
        endpoints=here.endpoints,
        deliveries=here.deliveries,
        lanes=here.lanes,
        clock=here.clock,
        note=lambda event: note(event, here.objectives, at=here.clock()),
    )
