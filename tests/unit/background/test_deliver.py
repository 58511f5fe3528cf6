"""The door that delivers: what the queue gives it, and what it does at its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.background import deliver as door
from functions.core.delivery.model import DeliveryStatus, EndpointState, SendError, delivery_of
from functions.core.delivery.ports import Sent
from functions.core.errors import Defect
from tests.support.fakes.delivery.endpoints import (
    ENDPOINT,
    Deliveries,
    Endpoints,
    Lanes,
    Receivers,
    Signer,
    an_endpoint,
)
from tests.support.fakes.events import Events, an_event
from tests.support.fakes.stores import Clock, Tables
from tests.support.scripted_connector import TENANT
from tests.support.system.log_lines import FIELDS, own

if TYPE_CHECKING:
    from collections.abc import Mapping


class Room:
    """The services of the door, over fakes."""

    def __init__(self) -> None:
        self.clock, self.tables = Clock(), Tables()
        self.sleep = self.clock.sleep
        self.endpoints, self.deliveries = Endpoints(self.tables), Deliveries()
        self.events, self.lanes = Events(self.tables), Lanes()
        self.keyring: Any = Signer()
        self.sender: Any = Receivers()
        self.endpoints.create(an_endpoint(at=self.clock()))

    def tell(self, number: int) -> None:
        """An event that is due at the endpoint."""
        event = an_event(f"ref_{number}", at=self.clock())
        self.tables.tell(event)
        self.deliveries.offer(delivery_of(event, ENDPOINT, due_at=event.at))

    def statuses(self) -> list[DeliveryStatus]:
        return [one.status for one in self.deliveries.page(ENDPOINT, limit=99, after=None)[0]]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    made = Room()
    monkeypatch.setattr(door, "wiring", lambda: made)
    return made


def call(*endpoints: str, milliseconds: int = 60_000) -> None:
    """Call the door as Lambda does with messages of a FIFO queue."""
    context = LambdaContext()
    context.get_remaining_time_in_millis = lambda: milliseconds  # type: ignore[method-assign]
    records = [
        {
            "messageId": "m",
            "body": json.dumps({"endpoint_id": each}),
            "attributes": {"MessageGroupId": each, "ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
        }
        for each in endpoints
    ]
    door.handler({"Records": records}, context)


def test_what_is_due_at_the_endpoint_of_a_message_is_delivered(room: Room) -> None:
    for number in range(20):
        room.tell(number)

    call(ENDPOINT)

    assert room.statuses() == [DeliveryStatus.DELIVERED] * 20
    assert room.lanes.sent == []


def test_attempts_are_counted_and_those_that_fail_are_in_the_log(
    room: Room, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    room.sender.answers = [
        Sent(milliseconds=5, status=204),
        Sent(milliseconds=7, error=SendError.TIMED_OUT),
    ]
    for number in range(2):
        room.tell(number)

    call(ENDPOINT, milliseconds=26_000)

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counts = [(one.get("Delivered"), one.get("NotDelivered")) for one in told if "_aws" in one]
    assert counts == [([1.0], [1.0])]
    (line,) = [own(each) for each in caplog.records if each.message == "not delivered"]
    assert set(line) == FIELDS["not delivered"]
    assert (line["tenant"], line["endpoint_id"], line["error"]) == (TENANT, ENDPOINT, "timed_out")


def test_a_message_of_an_endpoint_that_is_deleted_is_answered(room: Room) -> None:
    call("end_none")
    assert room.sender.got == []


def test_a_call_whose_time_is_over_sends_itself_another_message(room: Room) -> None:
    room.tell(1)
    call(ENDPOINT, milliseconds=25_000)

    assert room.sender.got == []
    assert room.lanes.sent == [(ENDPOINT, f"again_{int(room.clock())}")]


def test_an_endpoint_that_is_disabled_is_counted_and_named_in_the_log(
    room: Room, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    room.sender.answers = [Sent(milliseconds=5, status=410)]
    room.tell(1)

    call(ENDPOINT)

    stored = room.endpoints.get(ENDPOINT)
    assert stored is not None
    assert stored.state is EndpointState.DISABLED
    assert capsys.readouterr().out.count('"EndpointsDisabled":') == 1
    (record,) = [each for each in caplog.records if each.message == "disabled"]
    assert vars(record)["endpoint_id"] == ENDPOINT


def test_a_fault_fails_the_call_so_that_its_message_comes_again(room: Room) -> None:
    def broken(url: str, *, headers: Mapping[str, str], body: bytes) -> Sent:
        raise ZeroDivisionError(url, headers, body)

    room.sender.send = broken
    room.tell(1)

    with pytest.raises(Defect):
        call(ENDPOINT)
    assert room.statuses() == [DeliveryStatus.PENDING]
