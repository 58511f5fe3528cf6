"""The door that announces: what the stream and the clock give it, and what it passes over."""

from __future__ import annotations

from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from functions.background import announce as door
from functions.core.contract import Variable
from functions.core.errors import ConfigurationInvalid, Defect, PlatformFault
from functions.core.events.model import EventType, OutboxEvent, event_of_connection
from tests.support.fakes.events import Events, an_event
from tests.support.fakes.stores import Clock, Tables
from tests.support.objectives.fake import Objectives
from tests.support.scripted_connector import a_connection
from tests.unit.background.conftest import Items


class Room:
    """Events that are owed, endpoints that are due, and a bus that refuses what it is told to."""

    def __init__(self) -> None:
        self.clock, self.tables = Clock(), Tables()
        self.events = Events(self.tables)
        self.items = {Variable.EVENTS_TABLE: Items(), Variable.ENDPOINTS_TABLE: Items()}
        self.refused: dict[str, Exception] = {}
        self.told: list[str] = []
        self.called: list[tuple[str, str]] = []
        self.milliseconds = 60_000
        self.objectives = Objectives({})
        self.bus = self.endpoints = self.deliveries = self.lanes = self

    def open_items(self, table: Variable) -> Items:
        return self.items[table]

    def put(self, event: OutboxEvent) -> None:
        if error := self.refused.get(event.event_id):
            raise error
        self.told.append(event.event_id)

    def of_tenant(self, tenant: str) -> list[Any]:
        assert tenant == "acme"
        return []

    def send(self, endpoint_id: str, *, reason: str) -> None:
        self.called.append((endpoint_id, reason))

    def owe(self, *numbers: int, ago: float = 130) -> list[str]:
        """Events that were written so long ago, and are listed."""
        found = [an_event(f"ref_{number}", at=self.clock() - ago) for number in numbers]
        for event in found:
            self.tables.tell(event)
        ids = [event.event_id for event in found]
        self.items[Variable.EVENTS_TABLE].keys += [{"event_id": id_} for id_ in ids]
        return ids

    def sweep(self) -> None:
        context = LambdaContext()
        context.get_remaining_time_in_millis = lambda: self.milliseconds  # type: ignore[method-assign]
        door.handler({"source": "aws.events"}, context)


def stream(ids: list[str]) -> None:
    """What Lambda gives of new items, see the DynamoDB guide's "Streams and Lambda"."""
    records = [
        {
            "eventName": "INSERT",
            "dynamodb": {
                "Keys": {"event_id": {"S": id_}},
                "StreamViewType": "KEYS_ONLY",
            },
            "eventSourceARN": "arn:aws:dynamodb:us-east-1:1:table/t/stream/s",
        }
        for id_ in ids
    ]
    door.handler({"Records": records}, LambdaContext())


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    made = Room()
    monkeypatch.setattr(door, "wiring", lambda: made)
    return made


def test_a_publication_has_the_connection_s_watch_looked_at(room: Room) -> None:
    room.objectives.put_own("con_1", 900, tenant="acme", provider="banno", at=1)
    one = event_of_connection(
        a_connection(), EventType.REFRESH_PUBLISHED, version=1, at=room.clock()
    )
    room.tables.tell(one)
    stream([one.event_id])
    watch = room.objectives.watch("con_1")
    assert watch is not None
    assert watch.look_at == room.clock()


def test_what_the_stream_has_is_announced_once(room: Room) -> None:
    ids = room.owe(1, 2, 3)
    stream(ids)
    stream(ids)
    assert room.told == ids
    assert room.tables.owed == {}


def test_an_event_that_was_deleted_meanwhile_is_told_to_nothing(room: Room) -> None:
    ids = room.owe(1, 2)
    room.events.delete(ids[0])
    stream(ids)
    assert room.told == ids[1:]


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "canary"}}, "PutEvents")


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        pytest.param(refusal("ThrottlingException"), PlatformFault, id="aws-falters"),
        pytest.param(refusal("AccessDeniedException"), ConfigurationInvalid, id="refused"),
        pytest.param(KeyError("canary"), Defect, id="a-defect"),
    ],
)
def test_one_that_fails_keeps_no_other_from_its_turn_and_is_all_that_is_repeated(
    room: Room, error: Exception, raised: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    ids = room.owe(1, 2, 3)
    room.refused[ids[0]] = error
    with pytest.raises(raised):
        stream(ids)
    assert (room.told, list(room.tables.owed)) == (ids[1:], ids[:1])
    assert "canary" not in caplog.text
    room.refused.clear()
    stream(ids)
    assert (room.told, room.tables.owed) == ([*ids[1:], ids[0]], {})


def test_the_clock_has_announced_what_the_stream_has_missed(room: Room) -> None:
    ids = room.owe(1, 2)
    room.sweep()
    assert room.told == ids
    until = room.clock() + 120
    postponed = room.items[Variable.EVENTS_TABLE].postponed
    assert postponed == [({"event_id": id_}, until) for id_ in ids]


def test_the_clock_has_endpoints_called_first_whatever_becomes_of_events(room: Room) -> None:
    items = room.items[Variable.ENDPOINTS_TABLE]
    items.keys = [{"endpoint_id": f"end_{each}", "entry": ""} for each in (1, 2)]
    [broken] = room.owe(1)
    room.refused[broken] = refusal("ThrottlingException")
    with pytest.raises(PlatformFault):
        room.sweep()
    reason = f"at_{int(room.clock())}"
    assert room.called == [("end_1", reason), ("end_2", reason)]
    assert [until for _, until in items.postponed] == [room.clock() + 120] * 2


def test_a_later_call_s_message_is_another_than_the_one_that_was_lost(room: Room) -> None:
    room.items[Variable.ENDPOINTS_TABLE].keys = [{"endpoint_id": "end_1", "entry": ""}]
    room.sweep()
    room.clock.sleep(120)
    room.sweep()
    assert len(set(room.called)) == 2


def test_what_another_call_has_taken_is_left_to_it(room: Room) -> None:
    ids = room.owe(1, 2)
    room.items[Variable.EVENTS_TABLE].taken = [{"event_id": ids[0]}]
    room.sweep()
    assert room.told == ids[1:]


def test_a_call_that_is_at_its_end_leaves_the_rest_to_the_next(room: Room) -> None:
    room.owe(1)
    room.milliseconds = 14_999
    room.sweep()
    assert (room.told, room.items[Variable.EVENTS_TABLE].postponed) == ([], [])


@pytest.mark.parametrize(("ago", "counted"), [(601, 1), (599, 0)])
def test_an_event_that_is_owed_for_ten_minutes_is_counted_whether_it_succeeds_or_not(
    room: Room, capsys: pytest.CaptureFixture[str], ago: float, counted: int
) -> None:
    [broken] = room.owe(1, ago=ago)
    room.refused[broken] = refusal("ThrottlingException")
    with pytest.raises(PlatformFault):
        room.sweep()
    assert capsys.readouterr().out.count('"OwedEvents":') == counted
