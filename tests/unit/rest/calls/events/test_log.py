"""The log of events: who reads what of it, from where on, and for how long."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from functions import api
from functions.core.events.log import Place
from functions.core.events.model import CloudEvent, EventType, OutboxEvent
from functions.rest import cursors
from functions.rest.calls.events.log import LISTED_AFTER_SECONDS
from tests.support.api_gateway import call, read_problem
from tests.support.fakes.events import Events, an_event
from tests.support.fakes.stores import Clock, Tables
from tests.support.scripted_connector import CONNECTION

LIST = "/v1/events"
DAY = 24 * 60 * 60
PLACE = Place("2026-11-22T09:30:00.000Z", "evt_1")


class House:
    """A log, and an application that reads it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tables, self.clock = Tables(), Clock()
        here = SimpleNamespace(clock=self.clock, events=Events(self.tables))
        monkeypatch.setattr(api, "wiring", lambda: here)

    def tell(
        self,
        type_: EventType = EventType.REFRESH_PUBLISHED,
        *,
        ago: float = 60,
        tenant: str = "acme",
        connection_id: str = CONNECTION,
    ) -> OutboxEvent:
        event = an_event(
            f"subject-{len(self.tables.events)}",
            type_,
            tenant=tenant,
            at=self.clock() - ago,
            connection_id=connection_id,
        )
        self.tables.tell(event)
        return event

    def ask(self, **query: str) -> dict[str, Any]:
        answer = call("GET", LIST, queryStringParameters=query)
        assert answer["statusCode"] == 200
        told: dict[str, Any] = msgspec.json.decode(answer["body"])
        return told


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    return House(monkeypatch)


def ids(page: dict[str, Any]) -> list[str]:
    return [event["id"] for event in page["events"]]


def test_an_event_is_answered_with_its_own_bytes(house: House) -> None:
    event = house.tell()
    answer = call("GET", f"{LIST}/{event.event_id}")
    assert answer["statusCode"] == 200
    assert answer["body"].encode() == event.document
    listed = call("GET", LIST)["body"].encode()
    assert event.document in listed
    assert msgspec.json.decode(event.document, type=CloudEvent).id == event.event_id


def test_another_tenant_s_event_is_as_none(house: House) -> None:
    theirs = house.tell(tenant="other")
    for id_ in (theirs.event_id, "evt_none", "x" * 81):
        read_problem(call("GET", f"{LIST}/{id_}"), 404)
    assert house.ask() == {"events": [], "next_cursor": None, "more": False}
    house.tell(tenant="other")
    for limit in ("1", "10"):
        page = house.ask(connection_id=CONNECTION, limit=limit)
        assert page == {"events": [], "next_cursor": None, "more": False}, "a cursor would tell"


def test_they_are_listed_from_the_oldest_on_and_the_cursor_leads_to_what_is_to_come(
    house: House,
) -> None:
    told = [house.tell(ago=1000 - number).event_id for number in range(5)]
    found: list[str] = []
    cursor, more = None, True
    while more:
        page = house.ask(limit="2", **({"cursor": cursor} if cursor else {}))
        found += ids(page)
        cursor, more = page["next_cursor"], page["more"]
    assert found == told
    assert cursor
    still = house.ask(cursor=cursor)
    assert still == {"events": [], "next_cursor": cursor, "more": False}
    house.clock.now += 3600
    late = house.tell()
    assert ids(house.ask(cursor=cursor)) == [late.event_id]


def test_an_event_is_listed_once_no_earlier_one_can_come(house: House) -> None:
    event = house.tell(ago=0)
    house.clock.now += LISTED_AFTER_SECONDS - 1
    assert ids(house.ask()) == []
    house.clock.now += 1
    assert ids(house.ask()) == [event.event_id]


def test_it_is_listed_for_30_days(house: House) -> None:
    house.tell(ago=30 * DAY + 1)
    kept = house.tell(ago=30 * DAY - 1)
    assert ids(house.ask()) == [kept.event_id]


def test_a_cursor_is_good_for_30_days(house: House) -> None:
    house.tell()
    cursor = house.ask()["next_cursor"]
    house.clock.now += 30 * DAY - 61
    assert ids(house.ask(cursor=cursor)) == []
    house.clock.now += 2
    answer = call("GET", LIST, queryStringParameters={"cursor": cursor})
    assert read_problem(answer, 410)["type"] == "urn:freshet:problem:gone"


def test_only_those_of_a_type_or_a_connection_are_listed_and_the_others_are_passed_by(
    house: House,
) -> None:
    first = house.tell(EventType.PUSH_DONE, ago=100)
    second = house.tell(EventType.REFRESH_FAILED, ago=90, connection_id="con_2")
    third = house.tell(EventType.REFRESH_FAILED, ago=80)
    failed = house.ask(type="refresh.failed", limit="1")
    assert (failed["events"], failed["more"]) == ([], True)
    rest = house.ask(type="refresh.failed", cursor=failed["next_cursor"])
    assert ids(rest) == [second.event_id, third.event_id]
    assert ids(house.ask(connection_id=CONNECTION)) == [first.event_id, third.event_id]
    assert ids(house.ask(connection_id=CONNECTION, type="push.done")) == [first.event_id]
    passed = house.ask(type="endpoint.ping")
    assert (passed["events"], passed["more"]) == ([], False)
    assert house.ask(type="endpoint.ping", cursor=passed["next_cursor"])["events"] == []


@pytest.mark.parametrize(
    ("of", "place"),
    [
        pytest.param(("events", None, "push.done"), PLACE, id="of-another-filter"),
        pytest.param(("refreshes", None, None), PLACE, id="of-another-list"),
        pytest.param(("events", None, None), Place("yesterday", "evt_1"), id="no-instant"),
        pytest.param(("events", None, None), Place("2026-11-22", "evt_1"), id="no-whole-instant"),
        pytest.param(("events", None, None), Place(PLACE.occurred_at, ""), id="no-id"),
        pytest.param(("events", None, None), Place(PLACE.occurred_at, "x" * 81), id="long-id"),
    ],
)
def test_a_cursor_that_this_list_has_not_given_is_refused(
    house: House, of: tuple[str | None, ...], place: Place
) -> None:
    del house
    cursor = cursors.write(place, of=of)
    answer = call("GET", LIST, queryStringParameters={"cursor": cursor})
    assert read_problem(answer, 400)["detail"] == cursors.REFUSED


@pytest.mark.parametrize(
    ("name", "value"), [("type", "refresh"), ("limit", "101"), ("limit", "0"), ("after", "x")]
)
def test_what_is_no_filter_is_refused(house: House, name: str, value: str) -> None:
    del house
    read_problem(call("GET", LIST, queryStringParameters={name: value}), 400)


def test_a_clock_that_is_behind_reads_on_from_a_later_place(house: House) -> None:
    house.tell(ago=LISTED_AFTER_SECONDS)
    cursor = house.ask()["next_cursor"]
    house.clock.now -= 1
    assert house.ask(cursor=cursor) == {"events": [], "next_cursor": cursor, "more": False}
    ahead = cursors.write(Place("2099-01-01T00:00:00.000Z", "evt_1"), of=("events", None, None))
    assert house.ask(cursor=ahead) == {"events": [], "next_cursor": ahead, "more": False}
