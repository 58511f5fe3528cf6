"""Delivers events again, or for the first time where an endpoint was not there yet."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from functions.core.delivery.model import DeliveryStatus, delivery_of
from functions.core.errors import Superseded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.core.delivery.model import Delivery
    from functions.core.delivery.ports import Deliveries, Endpoints
    from functions.core.events.model import OutboxEvent

TRIES: Final = 5
"""How often a delivery is read and written that changes meanwhile."""


class Only(StrEnum):
    """Which events are delivered again.

    ``failed``: those whose delivery has. ``missing``: those that have none. ``all``: those whose
    delivery does not wait for its next attempt anyway.
    """

    FAILED = "failed"
    MISSING = "missing"
    ALL = "all"

    def takes(self, found: Delivery | None) -> bool:
        """Whether an event with this delivery is meant."""
        if found is None:
            return self is not Only.FAILED
        if found.status is DeliveryStatus.FAILED:
            return self is not Only.MISSING
        return self is Only.ALL and found.status is not DeliveryStatus.PENDING


def replay(
    endpoint_id: str,
    events: Iterable[OutboxEvent],
    *,
    endpoints: Endpoints,
    deliveries: Deliveries,
    at: float,
    only: Only | None = None,
) -> int:
    """Make deliveries of these events to an endpoint due now, and wake it; return how many.

    It is woken also where none was made due: an earlier call may have ended before it did that.

    Args:
        endpoint_id: the endpoint's.
        events: the events.
        endpoints: the endpoints.
        deliveries: the deliveries.
        at: the time.
        only: which of the events; None for each, also one that waits for its next attempt.
    """
    due = [
        event
        for event in events
        if _make_due(endpoint_id, event, deliveries=deliveries, at=at, only=only)
    ]
    endpoints.wake(endpoint_id, at=at)
    return len(due)


def _make_due(
    endpoint_id: str,
    event: OutboxEvent,
    *,
    deliveries: Deliveries,
    at: float,
    only: Only | None,
) -> bool:
    """Make the delivery of one event due; False if it is not meant.

    Raises:
        Superseded: it changes all the time.
    """
    for _ in range(TRIES):
        found = deliveries.get(endpoint_id, event.event_id, event_at=event.at)
        if only is not None and not only.takes(found):
            return False
        if found is None:
            deliveries.offer(delivery_of(event, endpoint_id, due_at=at, replayed=True))
            return True
        try:
            deliveries.save(_again(found, at=at))
        except Superseded:
            continue
        return True
    raise Superseded("Deliveries are being made at the same time. Try again later.")


def _again(delivery: Delivery, *, at: float) -> Delivery:
    """A delivery that begins anew; what came of it before stays in its log."""
    return replace(
        delivery,
        status=DeliveryStatus.PENDING,
        due_at=at,
        attempts=0,
        replayed=True,
        version=delivery.version + 1,
    )
