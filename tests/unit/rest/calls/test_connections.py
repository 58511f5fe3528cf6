"""Erasing a connection: what was half done before, and what others do to it meanwhile."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from functions import api
from functions.core.contract import Schedule
from tests.support.api_gateway import call
from tests.support.fakes.pushes import Pushes
from tests.support.fakes.schedules import Schedules
from tests.support.fakes.stores import Clock, Connections, Refreshes, Tables
from tests.support.scripted_connector import CONNECTION, TOKENS, a_connection, a_refresh

TENANT = "acme"
DAILY = Schedule(expression="rate(1 day)")
OLDER, RUNNING = "ref_older", "ref_running"


class Young(Refreshes):
    """Refreshes of which no index lists the running one yet."""

    def ids(self, connection_id: str) -> list[str]:
        return [id_ for id_ in super().ids(connection_id) if id_ != RUNNING]


class Raced(Connections):
    """Connections of which another call puts the schedule in the moment they become absent."""

    def __init__(self, tables: Tables, *, clock: Clock, schedules: Schedules) -> None:
        super().__init__(tables, clock=clock)
        self._schedules = schedules

    def begin_erasing(self, connection_id: str) -> str | None:
        self._schedules.put(connection_id, DAILY)
        return super().begin_erasing(connection_id)


class House:
    """A tenant's connection with a past, a running refresh and a schedule."""

    def __init__(self) -> None:
        tables, clock = Tables(), Clock()
        self.tables, self.clock, self.schedules = tables, clock, Schedules()
        self.erased: list[str] = []
        self.connections = Raced(tables, clock=clock, schedules=self.schedules)
        self.refreshes, self.pushes = Young(tables), Pushes()
        self.connections.create(a_connection(tenant=TENANT), TOKENS)
        self.schedules.put(CONNECTION, DAILY)
        for name in (OLDER, RUNNING):
            refresh = replace(a_refresh(name, at=clock()), tenant=TENANT)
            self.refreshes.admit(refresh, until=refresh.deadline)
            if name == OLDER:
                self.refreshes.release(refresh)

    @property
    def left(self) -> list[str]:
        """Everything of the connection that is still there."""
        tables = self.tables
        names = [*tables.lookups.holders, *filter(None, tables.lookups.ids.values())]
        return [*map(str, names), *tables.connections, *tables.refreshes, *self.schedules.firing]


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    made = House()
    here = SimpleNamespace(
        clock=made.clock,
        connections=made.connections,
        refreshes=made.refreshes,
        pushes=made.pushes,
        lookups=made.tables.lookups,
        schedules=made.schedules,
        snapshots=SimpleNamespace(erase=made.erased.append),
    )
    monkeypatch.setattr(api, "wiring", lambda: here)
    return made


def erased() -> int:
    status: int = call("DELETE", f"/v1/connections/{CONNECTION}")["statusCode"]
    return status


def test_nothing_is_left_of_what_no_index_lists_yet_or_was_put_meanwhile(house: House) -> None:
    assert len(house.left) == 7
    assert erased() == 204
    assert (house.left, house.erased) == ([], [CONNECTION])


def test_an_erasure_that_broke_off_goes_on_to_its_end(house: House) -> None:
    running = house.connections.begin_erasing(CONNECTION)
    house.refreshes.delete(str(running))
    assert len(house.left) == 6
    assert erased() == 204
    assert (house.left, house.erased) == ([], [CONNECTION])
    assert erased() == 404


# --- found, changed and paused -----------------------------------------------------------------

LIST = "/v1/connections"


@pytest.fixture
def many(house: House) -> House:
    """Four connections of the tenant beside those that are being tried, and one of another."""
    each: list[dict[str, Any]] = [
        {"external_id": "user-1", "labels": {"plan": "pro"}},
        {"external_id": "user-1", "subject": "user-2", "paused": True},
        {"external_id": "user-2", "provider": "digime", "settings": {}},
        {"external_id": "user-1", "tenant": "other"},
    ]
    for number, changes in enumerate(each):
        one = a_connection(f"con_m{number}", tenant=TENANT)
        house.connections.create(replace(one, **changes), TOKENS)
    return house


def found(**query: str) -> list[str]:
    """The ids of all pages, in order."""
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = call("GET", LIST, queryStringParameters={"limit": "2", **query, **cursor})
        assert answer["statusCode"] == 200, answer
        page = msgspec.json.decode(answer["body"])
        ids += [one["connection_id"] for one in page["connections"]]
        if page["next_cursor"] is None:
            return ids
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({}, [CONNECTION, "con_m0", "con_m1", "con_m2"], id="all-of-the-tenant"),
        pytest.param({"external_id": "user-1"}, ["con_m0", "con_m1"], id="external-id"),
        pytest.param({"external_id": "user-1", "paused": "true"}, ["con_m1"], id="joined"),
        pytest.param({"external_id": "user-9"}, [], id="unknown"),
        pytest.param({"provider": "digime"}, ["con_m2"], id="provider"),
        pytest.param({"provider": "banno", "subject": "user-2"}, ["con_m1"], id="subject"),
        pytest.param(
            {"provider": "banno", "subject": "user-1"}, [CONNECTION, "con_m0"], id="own-subject"
        ),
        pytest.param({"paused": "false", "provider": "banno"}, [CONNECTION, "con_m0"], id="active"),
        pytest.param({"label": "plan:pro"}, ["con_m0"], id="label"),
        pytest.param({"label": "plan:"}, [], id="another-label"),
        pytest.param({"reauth_required": "true"}, [], id="dead"),
        pytest.param(
            {"older_than_seconds": "60"},
            [CONNECTION, "con_m0", "con_m1", "con_m2"],
            id="without-data",
        ),
    ],
)
def test_connections_are_found(many: House, query: dict[str, str], expected: list[str]) -> None:
    assert many.connections.get(CONNECTION)
    assert found(**query) == expected


@pytest.mark.parametrize(
    "query",
    [{"subject": "user-1"}, {"paused": "yes"}, {"label": "plan"}, {"older_than_seconds": "-1"}],
)
def test_a_filter_that_says_nothing_is_refused(house: House, query: dict[str, str]) -> None:
    assert house.connections.get(CONNECTION)
    assert call("GET", LIST, queryStringParameters=query)["statusCode"] == 400


def change(body: object, *, connection_id: str = CONNECTION) -> dict[str, Any]:
    """The connection as it is after a PATCH, or the problem."""
    text = msgspec.json.encode(body).decode()
    answer = call("PATCH", f"{LIST}/{connection_id}", body=text)
    told: dict[str, Any] = msgspec.json.decode(answer["body"])
    return told


def test_a_connection_is_changed_where_it_is_told_and_nowhere_else(house: House) -> None:
    told = change({"labels": {"plan": "pro"}, "paused": True})
    assert (told["labels"], told["paused"]) == ({"plan": "pro"}, True)
    assert told["external_id"] == a_connection().external_id
    assert change({"external_id": None})["external_id"] is None
    told = change({})
    assert (told["labels"], told["paused"], told["external_id"]) == ({"plan": "pro"}, True, None)
    connection = house.connections.get(CONNECTION)
    assert connection is not None
    assert connection.running is not None  # what is under way goes on


def test_a_change_to_what_there_is_already_names_it(many: House) -> None:
    told = change({"external_id": "user-1"})
    assert (told["status"], told["connection_id"]) == (409, "con_m0")
    assert told["type"] == "urn:freshet:problem:connection-exists"
    assert many.connections.get(CONNECTION) is not None


@pytest.mark.parametrize(
    "body",
    [
        {"subject": "x"},
        {"external_id": ""},
        {"external_id": "a b"},
        {"labels": {"": "x"}},
        {"labels": {"a b": "x"}},
        {"labels": {"a": 1}},
        {"labels": {f"n{number}": "" for number in range(21)}},
        {"paused": None},
    ],
)
def test_a_change_that_is_not_valid_changes_nothing(house: House, body: object) -> None:
    before = house.connections.get(CONNECTION)
    assert change(body)["status"] == 400
    assert house.connections.get(CONNECTION) == before


def test_another_tenants_connection_is_not_changed(many: House) -> None:
    before = many.connections.get("con_m3")
    assert change({"paused": True}, connection_id="con_m3")["status"] == 404
    assert many.connections.get("con_m3") == before
