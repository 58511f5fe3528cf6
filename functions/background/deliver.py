"""Door: makes the deliveries that are due at an endpoint, see ``core.delivery.lane``.

Called by the queue of lanes with one message, which names the endpoint. The queue gives out no
other message of the same endpoint meanwhile. A call that fails has its message come again.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final

import msgspec

from functions.aws.boundary import door
from functions.aws.telemetry import count, logger, tell
from functions.core.contract import DELIVERED, ENDPOINTS_DISABLED, NOT_DELIVERED
from functions.core.delivery.lane import LanePorts, drain
from functions.core.delivery.model import MAX_IN_FLIGHT
from functions.core.delivery.schedule import Outcome, outcome_of
from functions.wiring.services import wiring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.core.delivery.model import Delivery, Endpoint
    from functions.core.delivery.ports import Sent

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
    counts: Counter[str] = Counter()
    try:
        with ThreadPoolExecutor(MAX_IN_FLIGHT) as pool:
            drained = drain(endpoint_id, _ports(pool, counts), until=here.clock() + left)
    finally:
        if counts:
            tell(counts=counts)
    if drained.disabled:
        logger().warning("disabled", endpoint_id=endpoint_id)
        count(ENDPOINTS_DISABLED)
    if drained.again:
        here.lanes.send(endpoint_id, reason=f"again_{int(here.clock())}")


def _ports(pool: ThreadPoolExecutor, counts: Counter[str]) -> LanePorts:
    def each(function: Callable[[Any], Any], things: Iterable[Any], /) -> list[Any]:
        return list(pool.map(function, things))

    def report(endpoint: Endpoint, delivery: Delivery, sent: Sent) -> None:
        arrived = outcome_of(sent) is Outcome.ARRIVED
        counts[DELIVERED if arrived else NOT_DELIVERED] += 1
        if not arrived:
            logger().info(
                "not delivered",
                tenant=endpoint.tenant,
                endpoint_id=endpoint.endpoint_id,
                event_id=delivery.event_id,
                status=sent.status,
                error=sent.error,
                milliseconds=sent.milliseconds,
            )

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
        report=report,
    )
