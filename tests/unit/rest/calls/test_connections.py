"""Connections are found, changed and paused."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from functions import api
from functions.core.contract import Reason, Schedule
from functions.core.model import iso
from functions.wiring.services import Wiring
from tests.support.api_gateway import call
from tests.support.fakes.stores import Clock, Connections, Refreshes, Tables
from tests.support.scripted_connector import CONNECTION, TOKENS, a_connection, a_refresh

if TYPE_CHECKING:
    from functions.core.model import Connection

TENANT = "acme"
RUNNING = "ref_running"


class House:
    """A tenant's connection with a running refresh."""

    def __init__(self) -> None:
        self.tables, self.clock = Tables(), Clock()
        self.connections = Connections(self.tables, clock=self.clock)
        self.refreshes = Refreshes(self.tables)
        self.woken: list[tuple[str, str]] = []
        self.connections.create(a_connection(tenant=TENANT), TOKENS)
        refresh = replace(a_refresh(RUNNING, at=self.clock()), tenant=TENANT)
        self.refreshes.admit(refresh, until=refresh.deadline)

    def wake(self, refresh_id: str, *, by: str) -> None:
        self.woken.append((refresh_id, by))


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    made = House()
    here = SimpleNamespace(
        clock=made.clock,
        connections=made.connections,
        lookups=made.tables.lookups,
        resume=partial(Wiring.resume, cast("Any", made)),
    )
    monkeypatch.setattr(api, "wiring", lambda: here)
    return made


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
        pytest.param(
            {"subject": "user-1"}, [CONNECTION, "con_m0", "con_m2"], id="subject-anywhere"
        ),
        pytest.param({"subject": "user-9"}, [], id="unknown-subject"),
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


@pytest.mark.parametrize("query", [{"provider": "banno"}, {}], ids=["there", "anywhere"])
def test_a_login_that_is_another_tenants_too_shows_nothing_of_it_in_a_cursor(
    house: House, query: dict[str, str]
) -> None:
    mine = [f"con_s{number:03}" for number in range(0, 150, 50)]
    for number in range(150):
        id_ = f"con_s{number:03}"
        one = a_connection(id_, tenant=TENANT if id_ in mine else "other", subject="shared")
        house.connections.create(one, TOKENS)
    asked = {"subject": "shared", "limit": "1", **query}
    cursors: list[str | None] = [None]
    seen: list[str] = []

    while cursors == [None] or cursors[-1]:
        after = {"cursor": cursors[-1]} if cursors[-1] else {}
        page = msgspec.json.decode(
            call("GET", LIST, queryStringParameters={**asked, **after})["body"]
        )
        seen += [one["connection_id"] for one in page["connections"]]
        cursors.append(page["next_cursor"])

    assert seen == mine
    assert cursors == [None, *mine[:-1], None]


def test_a_list_tells_when_each_schedule_ran_also_where_its_index_does_not(
    many: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = many.clock() - 600
    for id_ in ("con_m0", "con_m2"):
        many.connections.schedule(id_, Schedule(expression="rate(1 hour)"))
    refresh = a_refresh("ref_m", at=ran, connection_id="con_m2", reason=Reason.SCHEDULE)
    many.refreshes.admit(refresh, until=ran + 60)
    whole = many.connections.page

    def page(tenant: str, *, limit: int, after: str | None) -> tuple[list[Connection], str | None]:
        listed, following = whole(tenant, limit=limit, after=after)
        return [replace(one, scheduled_at=0) for one in listed], following

    monkeypatch.setattr(many.connections, "page", page)
    answer = msgspec.json.decode(call("GET", LIST)["body"])
    shown = {one["connection_id"]: one["schedule"] for one in answer["connections"]}
    runs = {id_: one and (one["last_run_at"], one["next_run_at"]) for id_, one in shown.items()}
    assert runs == {
        CONNECTION: None,
        "con_m0": (None, None),
        "con_m1": None,
        "con_m2": (iso(ran), iso(ran + 3600)),
    }


@pytest.mark.parametrize(
    "query",
    [{"paused": "yes"}, {"label": "plan"}, {"older_than_seconds": "-1"}],
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


SINCE = {"since": "2026-01-01T00:00:00Z"}


def test_params_are_changed_as_a_whole(house: House) -> None:
    assert change({"params": {"transactions": SINCE}})["params"] == {"transactions": SINCE}
    connection = house.connections.get(CONNECTION)
    assert connection is not None
    assert connection.params == {"transactions": SINCE}
    assert change({"paused": True})["params"] == {"transactions": SINCE}
    assert change({"params": {}})["params"] == {}


def test_params_of_a_dataset_can_be_told_by_its_title(house: House) -> None:
    title = "Greenhouse Visit"
    one = a_connection("con_own", tenant=TENANT, provider="endgrate", settings={})
    house.connections.create(one.add_datasets((title,)), None)
    (name,) = one.add_datasets((title,)).datasets
    for each in (title, name):
        told = change({"params": {each: {"any": ["words", 1]}}}, connection_id="con_own")
        assert told["params"] == {name: {"any": ["words", 1]}}
    told = change({"params": {"other": {}}}, connection_id="con_own")
    assert told["detail"] == "params are for datasets of the connection, not: other."


@pytest.mark.parametrize(
    ("params", "detail"),
    [
        pytest.param({"accounts": {}}, "This provider takes no params for accounts.", id="fixed"),
        pytest.param({"loans": {}}, "not: loans.", id="another-dataset"),
        pytest.param({"transactions": {}}, "missing required field `since`", id="nothing"),
        pytest.param({"transactions": SINCE | {"until": "x"}}, "field `until`", id="unknown"),
        pytest.param({"transactions": {"since": "2026-01-01"}}, "RFC3339", id="a-day"),
        pytest.param({"transactions": {"since": "2026-01-01T00:00:00"}}, "timezone", id="no-zone"),
        pytest.param(
            {"transactions": {"since": "0001-01-01T00:00:00+01:00"}}, "year 1 to", id="year-0"
        ),
    ],
)
@pytest.mark.usefixtures("house")
def test_params_that_the_provider_does_not_know_are_named(params: object, detail: str) -> None:
    assert detail in change({"params": params})["detail"]
    one = {
        "provider": "banno",
        "subject": "u",
        "settings": {"institution": "garden"},
        "credentials": {"access_token": "a"},
        "params": params,
    }
    answer = call("POST", LIST, body=msgspec.json.encode(one).decode())
    assert answer["statusCode"] == 400
    assert detail in msgspec.json.decode(answer["body"])["detail"]
    assert len(found()) == 1


def test_another_tenants_connection_is_not_changed(many: House) -> None:
    before = many.connections.get("con_m3")
    assert change({"paused": True}, connection_id="con_m3")["status"] == 404
    assert many.connections.get("con_m3") == before


# --- new credentials -----------------------------------------------------------------------------


def replaced() -> int:
    path, body = f"/v1/connections/{CONNECTION}/credentials", '{"access_token": "new"}'
    status: int = call("PUT", path, body=body)["statusCode"]
    return status


def test_new_credentials_wake_the_refresh_that_runs_each_time(house: House) -> None:
    assert (replaced(), replaced()) == (204, 204)
    (one, by), (other, again) = house.woken
    assert one == other == RUNNING
    assert by != again
    assert house.connections.load(CONNECTION).version == 3


def test_new_credentials_wake_nothing_where_no_refresh_runs(house: House) -> None:
    house.refreshes.release(a_refresh(RUNNING, at=house.clock()))
    assert (replaced(), house.woken) == (204, [])
