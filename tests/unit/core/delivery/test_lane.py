"""What is due at an endpoint is delivered; then the endpoint rests until more is."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.delivery.lane import Drained, LanePorts, drain
from functions.core.delivery.model import (
    Delivery,
    DeliveryStatus,
    EndpointState,
    Health,
    delivery_of,
)
from functions.core.delivery.ports import Sent
from functions.core.events.model import EventType
from functions.core.model import iso
from tests.support.fakes.delivery.endpoints import (
    ENDPOINT,
    Deliveries,
    Endpoints,
    Receivers,
    Signer,
    an_endpoint,
)
from tests.support.fakes.events import an_event
from tests.support.fakes.stores import Clock, Tables
from tests.support.scripted_connector import TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

HOUR = 3600.0
OK = Sent(milliseconds=5, status=204)
BROKEN = Sent(milliseconds=5, status=500)
BUSY = Sent(milliseconds=5, status=429, retry_after=90)
LEFT = Sent(milliseconds=5, status=410)


def in_turn(function: Callable[[Any], Any], things: Iterable[Any], /) -> list[Any]:
    return [function(each) for each in things]


class Harness:
    """One endpoint, its deliveries, and a receiver that answers as a script says."""

    def __init__(self, *answers: Sent, **changes: Any) -> None:
        self.clock, self.tables = Clock(), Tables()
        self.endpoints, self.deliveries = Endpoints(self.tables), Deliveries()
        self.receiver, self._numbers = Receivers(*answers), count(1)
        self.endpoints.create(an_endpoint(at=self.clock(), **changes))
        self.ports = LanePorts(
            endpoints=self.endpoints,
            deliveries=self.deliveries,
            events=self.tables.events,
            signer=Signer(),
            sender=self.receiver,
            each=in_turn,
            clock=self.clock,
            sleep=self.clock.sleep,
            draw=lambda low, high: (low + high) / 2,
            report=lambda *_: None,
        )

    def tell(self, *, replayed: bool = False) -> str:
        """An event happens, and is announced; its id."""
        event = an_event(f"ref_{next(self._numbers)}", at=self.clock())
        self.tables.tell(event)
        self.deliveries.offer(delivery_of(event, ENDPOINT, due_at=event.at, replayed=replayed))
        self.endpoints.wake(ENDPOINT, at=self.clock())
        return event.event_id

    def answer(self, script: Callable[[str], Sent]) -> None:
        """Have the receiver answer from now on by the event's id."""
        receiver = self.receiver

        class Reader:
            def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Sent:
                receiver.send(url, headers=headers, body=body)
                return script(headers["webhook-id"])

        self.ports = replace(self.ports, sender=Reader())

    def drain(self, *, seconds: float = 35) -> Drained:
        return drain(ENDPOINT, self.ports, until=self.clock() + seconds)

    def got(self) -> list[str]:
        """The ids of the events that the receiver was sent, in their order."""
        return [headers["webhook-id"] for _, headers, _ in self.receiver.got]

    def delivery(self, event_id: str) -> Delivery:
        (found,) = [one for one in self.all() if one.event_id == event_id]
        return found

    def all(self) -> list[Delivery]:
        return self.deliveries.page(ENDPOINT, limit=10_000, after=None)[0]

    @property
    def health(self) -> Health:
        return self.endpoints.items[ENDPOINT].stored.health

    @property
    def state(self) -> EndpointState:
        return self.endpoints.items[ENDPOINT].stored.state

    def look_at(self) -> str | None:
        return self.endpoints.items[ENDPOINT].look_at

    def set_health(self, **changes: Any) -> None:
        version = self.health.version + 1
        health = replace(self.health, version=version, **changes)
        self.endpoints.save_health(ENDPOINT, health, event=None)


def test_what_is_due_is_sent_signed_and_then_the_endpoint_rests() -> None:
    here = Harness()
    event_id = here.tell()

    assert here.drain() == Drained()

    ((url, headers, body),) = here.receiver.got
    assert url == "https://app.example.com/events"
    assert headers == {"webhook-id": event_id, "at": iso(here.clock())}
    assert body == here.tables.events[event_id].document
    assert here.delivery(event_id).status is DeliveryStatus.DELIVERED
    assert here.health.last_success_at == here.clock()
    assert here.look_at() is None


def test_the_longest_due_goes_first_and_each_once() -> None:
    here = Harness()
    told = []
    for _ in range(20):
        told.append(here.tell())
        here.clock.now += 1

    here.drain()

    assert here.got() == told
    assert here.health.in_flight == 8


def test_a_delivery_that_fails_does_not_stop_those_behind_it() -> None:
    here = Harness(BROKEN, OK)
    first = here.tell()
    here.clock.now += 1
    second = here.tell()

    here.drain(seconds=4)

    assert here.delivery(second).status is DeliveryStatus.DELIVERED
    assert here.delivery(first).status is DeliveryStatus.PENDING


def test_a_call_waits_for_what_is_due_in_a_moment_and_looks_for_others_meanwhile() -> None:
    here = Harness(BROKEN, OK)
    first = here.tell()

    assert here.drain() == Drained()

    assert here.got() == [first, first]
    assert max(here.clock.slept) <= 1
    assert sum(here.clock.slept) == 5


def test_an_endpoint_rests_until_its_next_delivery_is_due() -> None:
    here = Harness(BROKEN)
    here.tell()
    here.drain()

    (delivery,) = here.all()
    assert delivery.attempts == 2
    assert here.look_at() == iso(delivery.due_at)


def test_one_that_is_woken_while_it_goes_to_rest_does_not_rest() -> None:
    here = Harness()
    told: list[str] = []
    found_none = here.deliveries.next_due

    def tell_then(endpoint_id: str) -> float | None:
        found = found_none(endpoint_id)
        if not told:
            told.append(here.tell())
        return found

    here.deliveries.next_due = tell_then  # type: ignore[method-assign]
    here.drain()

    assert here.got() == told
    assert here.look_at() is None


def test_a_call_without_time_says_that_there_is_more() -> None:
    here = Harness()
    for _ in range(3):
        here.tell()
    slow = here.receiver.send

    def send(*args: Any, **named: Any) -> Sent:
        here.clock.now += 20
        return slow(*args, **named)

    here.receiver.send = send  # type: ignore[method-assign]

    assert here.drain(seconds=15) == Drained(again=True)
    assert len(here.got()) == 1
    assert here.look_at() is not None
    assert here.drain(seconds=100) == Drained()
    assert len(here.got()) == 3


@pytest.mark.parametrize("off", [{"paused": True}, {"disabled_at": 1.0}])
def test_one_that_is_paused_or_disabled_gets_nothing_and_loses_nothing(
    off: dict[str, Any],
) -> None:
    here = Harness(paused=bool(off.get("paused")))
    if "disabled_at" in off:
        here.set_health(**off)
    told = [here.tell(), here.tell()]
    assert here.drain() == Drained()
    assert here.got() == []
    assert here.look_at() is None

    stored = here.endpoints.get(ENDPOINT)
    assert stored is not None
    enabled = replace(stored.endpoint, paused=False, version=stored.endpoint.version + 1)
    well = replace(stored.health, disabled_at=0, version=stored.health.version + 1)
    here.endpoints.save(enabled, at=here.clock(), health=well)
    here.drain()

    assert sorted(here.got()) == sorted(told)


def test_one_that_is_deleted_gets_nothing() -> None:
    here = Harness()
    here.tell()
    here.endpoints.delete(ENDPOINT, tenant=TENANT)

    assert here.drain() == Drained()
    assert here.got() == []


def test_one_that_asks_to_be_left_alone_is_and_nothing_is_used_up() -> None:
    here = Harness(*[BUSY] * 80, OK)
    event_id, began = here.tell(), here.clock()
    while here.delivery(event_id).status is DeliveryStatus.PENDING:
        here.drain()
        if looked := here.look_at():
            assert looked == iso(here.health.blocked_until)
            here.clock.now = here.health.blocked_until

    assert here.clock() - began == 80 * 90
    assert here.delivery(event_id).attempts == 1
    assert here.health.failures == 0


def test_an_event_that_is_put_off_while_others_arrive_fails_in_the_end() -> None:
    """Else it would come each minute for 30 days, and hold the others up for that minute."""
    here = Harness(OK)
    poison, began = here.tell(), here.clock()
    here.answer(lambda event_id: replace(BUSY, status=503) if event_id == poison else OK)
    others = []
    while here.delivery(poison).status is DeliveryStatus.PENDING:
        others.append(here.tell())
        here.drain()
        here.clock.now += HOUR / 2

    assert here.delivery(poison).status is DeliveryStatus.FAILED
    assert here.got().count(poison) < 20
    assert 60 * HOUR < here.clock() - began < 100 * HOUR
    assert all(here.got().count(other) == 1 for other in others)
    assert here.state is EndpointState.ENABLED


def test_a_failing_endpoint_is_sent_one_at_a_time_each_in_its_turn() -> None:
    here = Harness(BROKEN)
    here.set_health(failures=5, failing_since=here.clock(), probes=9, in_flight=8)
    told = []
    for _ in range(3):
        told.append(here.tell())
        here.clock.now += 1

    for number in range(1, 5):
        assert here.drain() == Drained()
        assert len(here.got()) == number
        assert here.look_at() == iso(here.health.blocked_until)
        here.clock.now = here.health.blocked_until

    assert here.got() == [*told, told[0]]
    assert {each.attempts for each in here.all()} == {0}


def test_one_that_says_it_is_gone_is_disabled_with_an_event() -> None:
    here = Harness(LEFT)
    event_id = here.tell()

    assert here.drain() == Drained(disabled=True)

    assert here.state is EndpointState.DISABLED
    assert here.delivery(event_id).status is DeliveryStatus.PENDING
    (event,) = [
        each for each in here.tables.events.values() if each.type is EventType.ENDPOINT_DISABLED
    ]
    assert (event.tenant, event.connection_id) == (TENANT, "")
    assert msgspec.json.decode(event.document)["data"] == {
        "endpoint_id": ENDPOINT,
        "why": here.health.why,
        "failing_since": iso(here.clock()),
        "url": f"/v1/endpoints/{ENDPOINT}",
    }


def test_the_delivery_of_an_event_that_is_no_longer_kept_is_dropped() -> None:
    here = Harness()
    event_id = here.tell()
    here.tables.events.clear()

    assert here.drain() == Drained()

    assert here.got() == []
    assert here.delivery(event_id).status is DeliveryStatus.GONE


def test_what_another_call_has_claimed_is_left_to_it() -> None:
    here = Harness()
    event_id = here.tell()
    due = here.deliveries.due

    def claimed_meanwhile(*args: Any, **named: Any) -> list[Delivery]:
        found = due(*args, **named)
        for one in found:
            claimed = replace(one, version=one.version + 1, due_at=here.clock() + 121)
            here.deliveries.save(claimed)
        return found

    here.deliveries.due = claimed_meanwhile  # type: ignore[method-assign]
    here.drain()

    assert here.got() == []
    assert here.look_at() == iso(here.delivery(event_id).due_at)


def test_who_enables_it_while_a_call_fails_is_not_undone() -> None:
    here = Harness(LEFT, OK)
    here.tell()
    send = here.receiver.send

    def forgiven_meanwhile(*args: Any, **named: Any) -> Sent:
        if not here.got():
            here.set_health(failures=0)
        return send(*args, **named)

    here.receiver.send = forgiven_meanwhile  # type: ignore[method-assign]

    assert here.drain() == Drained()
    assert here.state is EndpointState.ENABLED


def test_a_fault_before_it_is_sent_claims_nothing() -> None:
    here = Harness()
    event_id = here.tell()
    here.ports.signer.faults = 1  # type: ignore[attr-defined]

    with pytest.raises(ConnectionError):
        here.drain()
    assert here.delivery(event_id).version == 1
    here.drain()
    assert here.got() == [event_id]
