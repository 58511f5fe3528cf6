"""The calls of objectives, over fakes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from functions import api
from tests.support.api_gateway import call, read_problem
from tests.support.objectives.harness import ObjectiveHarness
from tests.support.scripted_connector import CONNECTION, TENANT

OWN, ALL = f"/v1/connections/{CONNECTION}/objective", "/v1/objective"
FRESHNESS = f"/v1/connections/{CONNECTION}/freshness"
HOUR = 3600


class Room(ObjectiveHarness):
    """The API's services, with a connection of the tenant and one of another."""

    def __init__(self) -> None:
        super().__init__()
        self.connect(CONNECTION)
        self.connect("con_foreign", tenant="other")


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    made = Room()
    monkeypatch.setattr(api, "wiring", lambda: made)
    return made


def ask(method: str, path: str, status: int, **body: int) -> Any:
    sent = msgspec.json.encode(body).decode() if body else None
    answer = call(method, path, body=sent)
    assert answer["statusCode"] == status, answer["body"]
    return msgspec.json.decode(answer["body"]) if answer["body"] else None


def test_a_connection_has_an_objective_of_its_own_until_it_is_taken_away(room: Room) -> None:
    assert ask("PUT", OWN, 201, max_age_seconds=HOUR) == {"max_age_seconds": HOUR}
    assert ask("PUT", OWN, 200, max_age_seconds=300) == {"max_age_seconds": 300}
    room.sweep()
    watch = room.objectives.watch(CONNECTION)
    assert watch is not None
    assert (watch.tenant, watch.provider, watch.max_age_seconds) == (TENANT, "banno", 300)
    ask("DELETE", OWN, 204)
    ask("DELETE", OWN, 204)
    room.sweep()
    assert room.objectives.watch(CONNECTION) is None


def test_a_tenant_has_one_for_all_its_connections(room: Room) -> None:
    assert "PUT one" in read_problem(call("GET", ALL), 404)["detail"]
    assert ask("PUT", ALL, 201, max_age_seconds=HOUR) == {"max_age_seconds": HOUR}
    ask("PUT", ALL, 200, max_age_seconds=2 * HOUR)
    assert ask("GET", ALL, 200) == {"max_age_seconds": 2 * HOUR}
    room.sweep()
    assert [one.connection_id for one in room.objectives.all_watches()] == [CONNECTION]
    ask("DELETE", ALL, 204)
    read_problem(call("GET", ALL), 404)
    ask("DELETE", ALL, 204)
    room.sweep()
    assert list(room.objectives.all_watches()) == []


@pytest.mark.parametrize("path", [OWN, ALL])
@pytest.mark.parametrize("body", ['{"max_age_seconds": 299}', '{"max_age_seconds": 5184001}', "{}"])
def test_an_age_outside_its_bounds_is_refused(room: Room, path: str, body: str) -> None:
    assert "max_age_seconds" in read_problem(call("PUT", path, body=body), 400)["detail"]
    assert list(room.objectives.all_watches()) == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_another_tenant_s_connection_is_not_there(room: Room, method: str) -> None:
    body = '{"max_age_seconds": 300}' if method == "PUT" else None
    read_problem(call(method, "/v1/connections/con_foreign/objective", body=body), 404)
    assert room.objectives.watch("con_foreign") is None


def test_the_freshness_goes_by_the_objective_and_says_so(room: Room) -> None:
    room.publish(CONNECTION, as_of=room.clock())
    room.clock.now += 301
    told = ask("GET", FRESHNESS, 200)
    assert (told["objective"], told["verdict"]) == (None, "fresh")
    ask("PUT", ALL, 201, max_age_seconds=HOUR)
    told = ask("GET", FRESHNESS, 200)
    assert told["objective"] == {"max_age_seconds": HOUR, "of": "tenant", "breached_at": None}
    assert told["verdict"] == "fresh"
    ask("PUT", OWN, 201, max_age_seconds=300)
    room.sweep()
    told = ask("GET", FRESHNESS, 200)
    assert told["objective"]["of"] == "connection"
    assert told["objective"]["breached_at"] is not None
    assert (told["verdict"], told["cause"]) == ("stale", "not_requested")
    younger = call("GET", FRESHNESS, queryStringParameters={"max_age_seconds": "3600"})
    assert msgspec.json.decode(younger["body"])["verdict"] == "fresh"
