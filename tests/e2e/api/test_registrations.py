"""The same registration again: one connection, however often and whenever it is repeated."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.caller import Caller
from tests.support.system.problems import read_problem
from tests.support.system.tenant_resources import BEGUN

if TYPE_CHECKING:
    import requests

    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl

ACCESS, REFRESH = "canary-access-4711", "canary-refresh-4711"
BODY: dict[str, Any] = {
    "provider": "banno",
    "subject": "someone",
    "settings": {"institution": "garden"},
    "credentials": {"access_token": ACCESS, "refresh_token": REFRESH},
}
PARAMS = {"provider": "endgrate", "subject": "s-1", "datasets": ["crm-contact", "crm-deal"]}
CROWD = 12


def register(caller: Caller, body: object, *, key: str) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return caller.send("POST", "/v1/connections", data=data, headers={"Idempotency-Key": key})


def ids(caller: Caller) -> list[str]:
    return [each["connection_id"] for each in caller.ask("GET", "/v1/connections")["connections"]]


def test_a_repetition_gets_the_same_connection_and_nothing_of_its_body_is_kept_with_the_key(
    running: System, caller: Caller
) -> None:
    first, again = register(caller, BODY, key="k"), register(caller, BODY, key="k")
    kept = running.client("dynamodb").scan(TableName=running.outputs["RefreshesTableName"])

    assert (first.status_code, first.headers.get("Idempotency-Replayed")) == (201, None)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert ids(caller) == [first.json()["connection_id"]]
    assert first.json()["connection_id"] in str(kept)
    assert not [word for word in (ACCESS, REFRESH, "someone", "garden") if word in str(kept)]


def test_a_crowd_at_once_is_one_connection(caller: Caller) -> None:
    with ThreadPoolExecutor(CROWD) as pool:
        answers = list(pool.map(lambda _: register(caller, BODY, key="k"), range(CROWD)))

    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["connection_id"] for answer in answers} == set(ids(caller))
    assert len(ids(caller)) == 1
    replayed = [answer.headers.get("Idempotency-Replayed") for answer in answers]
    assert (replayed.count("true"), replayed.count(None)) == (CROWD - 1, 1)


@pytest.mark.usefixtures("endgrate")
def test_a_session_that_is_begun_is_answered_again_with_where_its_user_goes(
    caller: Caller,
) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: register(caller, BEGUN, key="k"), range(4)))
    (first,) = {answer.content for answer in answers}

    assert {answer.status_code for answer in answers} == {201}
    shown = json.loads(first)
    assert shown["sign_in_url"].endswith(shown["subject"])
    assert ids(caller) == [shown["connection_id"]]


def test_while_the_provider_is_away_a_repetition_is_no_second_session(
    caller: Caller, endgrate: SimulatorControl
) -> None:
    first = register(caller, BEGUN, key="k")
    endgrate.fault(kind="status", status=503, method="GET", path="*", times=None)
    away = register(caller, BEGUN, key="k")
    endgrate.heal()
    again = register(caller, BEGUN, key="k")

    assert read_problem(away) == (503, "provider-unavailable")
    assert again.json() == first.json()
    assert ids(caller) == [first.json()["connection_id"]]


def test_a_key_belongs_to_the_values_with_which_it_came_first(caller: Caller) -> None:
    params = {"crm-contact": {"a": 1, "b": 2}, "crm-deal": {}}
    first = register(caller, PARAMS | {"params": params}, key="k")
    text = json.dumps(
        {"params": {"crm-deal": {}, "crm-contact": {"b": 2, "a": 1}}, **PARAMS}, indent=1
    )
    same = register(caller, text.encode(), key="k")
    other = register(caller, PARAMS, key="k")
    under_another = register(caller, BODY, key="k2")

    assert same.json()["connection_id"] == first.json()["connection_id"]
    assert read_problem(other) == (422, "key-reused")
    assert under_another.status_code == 201
    assert len(ids(caller)) == 2


def test_a_request_that_was_refused_has_not_used_its_key(running: System, caller: Caller) -> None:
    stranger = Caller(running.api, token=running.issuer.token("stranger-at-the-session"))
    theirs = register(stranger, PARAMS | {"subject": "s-2"}, key="k")
    malformed = register(caller, BODY, key="two words")
    wrong = register(caller, BODY | {"settings": {"institution": "nowhere"}}, key="k")
    refused = register(caller, PARAMS | {"subject": "s-2"}, key="k")
    right = register(caller, BODY, key="k")

    assert theirs.status_code == 201
    assert read_problem(malformed) == read_problem(wrong) == (400, "invalid-request")
    assert "settings.institution" in wrong.json()["detail"]
    assert read_problem(refused) == (422, "provider-refuses-connection")
    assert (right.status_code, right.headers.get("Idempotency-Replayed")) == (201, None)


def test_what_has_been_erased_does_not_come_back_by_a_repetition(caller: Caller) -> None:
    first = register(caller, BODY, key="k")
    address = f"/v1/connections/{first.json()['connection_id']}"
    assert caller.send("DELETE", address).status_code == 200
    again, anew = register(caller, BODY, key="k"), register(caller, BODY, key="anew")

    assert read_problem(again) == (410, "gone")
    assert "has been erased" in again.json()["detail"]
    assert ids(caller) == [anew.json()["connection_id"]]
