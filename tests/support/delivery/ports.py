"""Ports of a world, whose calls are its steps; see ``tests.support.delivery.world``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.support.fakes.delivery.endpoints import Deliveries
from tests.support.fakes.stores import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.core.delivery.model import Delivery
    from functions.core.delivery.ports import Sent
    from functions.core.events.model import OutboxEvent
    from tests.support.delivery.world import World
    from tests.support.fakes.stores import Clock

LAG_SECONDS: Final = 90.0


class WorldTables(Tables):
    """Tells the stream of each event that is written."""

    def __init__(self, told: Callable[[OutboxEvent], None]) -> None:
        super().__init__()
        self._told = told

    def tell(self, event: OutboxEvent | None) -> None:
        super().tell(event)
        if event is not None:
            self._told(event)


class LaggingDeliveries(Deliveries):
    """Finds what is due by an index that shows a new delivery after 90 seconds only.

    So does a global index of DynamoDB, at its worst.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock, self._offered = clock, dict[tuple[str, str], float]()

    def offer(self, delivery: Delivery) -> None:
        self._offered.setdefault((delivery.endpoint_id, delivery.event_id), self._clock())
        super().offer(delivery)

    def _pending(self, endpoint_id: str) -> list[Delivery]:
        shown = self._clock() - LAG_SECONDS
        return [
            one
            for one in super()._pending(endpoint_id)
            if self._offered[endpoint_id, one.event_id] <= shown
        ]


class Stepping:
    """A port whose calls are steps of the world."""

    def __init__(self, world: World, port: Any) -> None:
        self._world, self._port = world, port

    def __getattr__(self, name: str) -> Any:
        step = f"{type(self._port).__name__}.{name}"
        called = getattr(self._port, name)

        def call(*args: Any, **named: Any) -> Any:
            self._world.step(f"before {step}")
            answer = called(*args, **named)
            self._world.step(f"after {step}")
            return answer

        return call


class Bus:
    def __init__(self, world: World) -> None:
        self._world = world

    def put(self, event: OutboxEvent) -> None:
        self._world.bus[event.event_id] += 1


class Lanes:
    def __init__(self, world: World) -> None:
        self._world = world

    def send(self, endpoint_id: str, *, reason: str) -> None:
        self._world.send(endpoint_id, reason=reason)


class Sender:
    def __init__(self, world: World) -> None:
        self._world = world

    def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Sent:
        event_id = headers["webhook-id"]
        assert self._world.documents[event_id] == body
        return self._world.receive(url.rpartition("/")[2], event_id)
