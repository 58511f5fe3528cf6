"""Announces an event: on the bus, and to each endpoint of its tenant that wants it.

The transaction that ends something writes its event, which is owed from then on. The table's stream
has it announced at once, and the clock what that has missed. Any step may be the last of a call,
and each may be repeated: the event is owed until all are done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from functions.core.contract import Clock
from functions.core.delivery.model import delivery_of
from functions.core.delivery.ports import Bus, Deliveries, Endpoints, Lanes, Outbox
from functions.core.events.model import OutboxEvent

if TYPE_CHECKING:
    from functions.core.delivery.ports import StoredEndpoint


class AnnouncePorts(msgspec.Struct, frozen=True, kw_only=True):
    """What announcing an event needs from outside.

    ``note`` has what depends on events be looked at, see ``core.freshness.objectives.note``.
    """

    outbox: Outbox
    bus: Bus
    endpoints: Endpoints
    deliveries: Deliveries
    lanes: Lanes
    clock: Clock
    note: Callable[[OutboxEvent], None]


def announce(event: OutboxEvent, ports: AnnouncePorts) -> None:
    """Put an event on the bus and in the lanes of the endpoints that want it."""
    ports.bus.put(event)
    for stored in ports.endpoints.of_tenant(event.tenant):
        if stored.endpoint.wants(event):
            _offer(event, stored, ports)
    ports.note(event)
    ports.outbox.note_announced(event.event_id)


def _offer(event: OutboxEvent, stored: StoredEndpoint, ports: AnnouncePorts) -> None:
    """Store the delivery, and have it made unless the endpoint wants none for now.

    It may want some again by the time at which the delivery is stored: it is woken in any case. One
    that is awake finds this delivery before it rests. A message for each would fill the queue with
    those of one busy endpoint, and SQS looks for other groups in its first 120,000 messages only.
    """
    endpoint_id, at = stored.endpoint.endpoint_id, ports.clock()
    ports.deliveries.offer(delivery_of(event, endpoint_id, due_at=at))
    was_at_rest = ports.endpoints.wake(endpoint_id, at=at)
    if was_at_rest and _takes_deliveries(stored, at=at):
        ports.lanes.send(endpoint_id, reason=event.event_id)


def _takes_deliveries(stored: StoredEndpoint, *, at: float) -> bool:
    health = stored.health
    return not (stored.endpoint.paused or health.disabled_at or health.blocked_until > at)
