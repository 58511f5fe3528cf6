"""An event is announced on the bus and to endpoints, whatever step a call dies after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from functions.core.delivery.announce import AnnouncePorts, announce
from functions.core.delivery.model import Endpoint, Health
from functions.core.delivery.ports import StoredEndpoint
from tests.support.fakes.events import an_event
from tests.support.scripted_connector import TENANT, Crash

if TYPE_CHECKING:
    from functions.core.delivery.model import Delivery
    from functions.core.events.model import OutboxEvent

NOW = 1_800_000_000.0
EVENT = an_event(at=NOW - 1, connection_id="con_1", provider="banno")


ENDPOINT = Endpoint(endpoint_id="", tenant=TENANT, url="https://a.example/", created_at=1)


def an_endpoint(id_: str, *, health: Health | None = None, **given: Any) -> StoredEndpoint:
    endpoint = replace(ENDPOINT, endpoint_id=id_, **given)
    return StoredEndpoint(endpoint=endpoint, health=health or Health())


@dataclass
class World:
    """All that is told, in its order. A call dies after its ``left`` steps."""

    there: list[StoredEndpoint]
    left: int = -1
    steps: list[tuple[str, str]] = field(default_factory=list)
    offered: dict[str, Delivery] = field(default_factory=dict)
    awake: set[str] = field(default_factory=set)

    def _step(self, *step: str) -> None:
        self.steps.append((step[0], step[1]))
        self.left -= 1
        if self.left == 0:
            raise Crash

    def put(self, event: OutboxEvent) -> None:
        self._step("bus", event.event_id)

    def of_tenant(self, tenant: str) -> list[StoredEndpoint]:
        assert tenant == TENANT
        return self.there

    def offer(self, delivery: Delivery) -> None:
        assert delivery.event_id == EVENT.event_id
        self.offered.setdefault(delivery.endpoint_id, delivery)
        self._step("offer", delivery.endpoint_id)

    def wake(self, endpoint_id: str, *, at: float) -> bool:
        assert at == NOW
        self._step("wake", endpoint_id)
        return endpoint_id not in self.awake

    def send(self, endpoint_id: str, *, reason: str) -> None:
        assert reason == EVENT.event_id
        self._step("send", endpoint_id)

    def note(self, event: OutboxEvent) -> None:
        self._step("note", event.event_id)

    def note_announced(self, event_id: str) -> None:
        self._step("note_announced", event_id)

    def announce(self) -> list[tuple[str, str]]:
        self.steps.clear()
        ports: Any = self
        announce(
            EVENT,
            AnnouncePorts(
                outbox=ports,
                bus=ports,
                endpoints=ports,
                deliveries=ports,
                lanes=ports,
                clock=lambda: NOW,
                note=ports.note,
            ),
        )
        return self.steps


BUS, NOTE, ANNOUNCED = ((step, EVENT.event_id) for step in ("bus", "note", "note_announced"))


def to(endpoint_id: str, *, sent: bool = True) -> list[tuple[str, str]]:
    """The steps of one delivery: the message that may be lost comes last."""
    steps = ["offer", "wake", "send"] if sent else ["offer", "wake"]
    return [(step, endpoint_id) for step in steps]


def test_it_is_on_the_bus_and_with_each_endpoint_before_it_is_noted() -> None:
    world = World([an_endpoint("end_1"), an_endpoint("end_2")])
    assert world.announce() == [BUS, *to("end_1"), *to("end_2"), NOTE, ANNOUNCED]
    assert {one.due_at for one in world.offered.values()} == {NOW}
    assert {one.event_at for one in world.offered.values()} == {NOW - 1}


def test_a_tenant_without_endpoints_has_it_on_the_bus() -> None:
    assert World([]).announce() == [BUS, NOTE, ANNOUNCED]


@pytest.mark.parametrize(
    "narrowed",
    [
        {"types": ("push.*",)},
        {"provider": "digime"},
        {"connection_ids": ("con_2",)},
        {"tenant": "other"},
    ],
    ids=str,
)
def test_an_endpoint_that_does_not_want_it_hears_nothing(narrowed: dict[str, Any]) -> None:
    world = World([an_endpoint("end_1", **narrowed), an_endpoint("end_2", types=("refresh.*",))])
    assert world.announce() == [BUS, *to("end_2"), NOTE, ANNOUNCED]


@pytest.mark.parametrize(
    "stored",
    [
        an_endpoint("end_1", paused=True),
        an_endpoint("end_1", health=Health(disabled_at=NOW - 5)),
        an_endpoint("end_1", health=Health(blocked_until=NOW + 1)),
    ],
    ids=["paused", "disabled", "blocked"],
)
def test_for_one_that_takes_nothing_now_it_waits_and_no_call_is_made(
    stored: StoredEndpoint,
) -> None:
    """It is woken: it may have been enabled since it was read, and was woken then for others."""
    assert World([stored]).announce() == [BUS, *to("end_1", sent=False), NOTE, ANNOUNCED]


def test_one_whose_pause_is_over_gets_it() -> None:
    world = World([an_endpoint("end_1", health=Health(blocked_until=NOW, failures=5))])
    assert world.announce() == [BUS, *to("end_1"), NOTE, ANNOUNCED]


def test_one_that_is_awake_or_deleted_needs_no_message() -> None:
    """Else the queue would fill with messages of one busy endpoint, and others' stay behind."""
    world = World([an_endpoint("end_1"), an_endpoint("end_2")], awake={"end_1"})
    assert world.announce() == [BUS, *to("end_1", sent=False), *to("end_2"), NOTE, ANNOUNCED]


WHOLE = [BUS, *to("end_1"), *to("end_2"), NOTE, ANNOUNCED]


@pytest.mark.parametrize("done", range(1, len(WHOLE)))
def test_a_call_that_dies_leaves_it_owed_and_the_next_does_all_of_it_again(done: int) -> None:
    world = World([an_endpoint("end_1"), an_endpoint("end_2")], left=done)
    with pytest.raises(Crash):
        world.announce()
    assert world.steps == WHOLE[:done]
    assert ANNOUNCED not in world.steps
    assert world.announce() == WHOLE
