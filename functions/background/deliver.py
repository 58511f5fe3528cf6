"""Door: makes the deliveries that are due at an endpoint, see ``core.delivery.lane``.

Called by the queue of lanes with one message, which names the endpoint. The queue gives out no
other message of the same endpoint meanwhile. A call that fails has its message come again.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final

import msgspec

from functions.aws.boundary import door
from functions.aws.telemetry import count, logger
from functions.core.contract import ENDPOINTS_DISABLED
from functions.core.delivery.lane import LanePorts, drain
from functions.core.delivery.model import MAX_IN_FLIGHT
from functions.wiring.services import wiring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aws_lambda_powertools.utilities.typing import LambdaContext

MARGIN_SECONDS: Final = 25
"""A call that has no more left than this sends nothing more: a request takes 20 seconds at most."""


@door
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Make the deliveries that are due at the endpoint of each message."""
    for record in event["Records"]:
        _deliver(msgspec.json.decode(record["body"]), context)


@door
def _deliver(one: dict[str, str], context: LambdaContext) -> None:
    here, endpoint_id = wiring(), one["endpoint_id"]
    left = context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    with ThreadPoolExecutor(MAX_IN_FLIGHT) as pool:
        drained = drain(endpoint_id, _ports(pool), until=here.clock() + left)
    if drained.disabled:
        logger().warning("disabled", endpoint_id=endpoint_id)
        count(ENDPOINTS_DISABLED)
    if drained.again:
        here.lanes.send(endpoint_id, reason=f"again_{int(here.clock())}")


def _ports(pool: ThreadPoolExecutor) -> LanePorts:
    def each(function: Callable[[Any], Any], things: Iterable[Any], /) -> list[Any]:
        return list(pool.map(function, things))

    here = wiring()
    return LanePorts(
        endpoints=here.endpoints,
        deliveries=here.deliveries,
        events=here.events,
        signer=here.keyring,
        sender=here.sender,
        each=each,
        clock=here.clock,
        sleep=here.sleep,
        draw=SystemRandom().uniform,
    )
