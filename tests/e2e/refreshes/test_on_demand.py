"""Requests that come again, and answers that are waited for."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from infra.local.caller import Caller
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl

CROWD = 50


def start(caller: Caller, connection: str, key: str = "", **more: Any) -> requests.Response:
    headers = {"Idempotency-Key": key} if key else {}
    body = {"connection_id": connection, **more.pop("body", {})}
    return caller.send(
        "POST", "/v1/refreshes", json=body, headers=headers | more.pop("headers", {})
    )


def crowd(ask: Callable[[int], requests.Response]) -> list[requests.Response]:
    with ThreadPoolExecutor(CROWD) as pool:
        return list(pool.map(ask, range(CROWD)))


def triggers(banno: SimulatorControl) -> int:
    return sum(entry.get("method") == "PUT" for entry in banno.ledger())


def timed(call: Callable[[], requests.Response]) -> tuple[requests.Response, float]:
    began = time.monotonic()
    return call(), time.monotonic() - began


# --- the same request again --------------------------------------------------------------------


def test_fifty_equal_requests_at_once_are_one_refresh_and_one_call_to_the_provider(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    connection = connect("ben")
    answers = crowd(lambda _: start(caller, connection, "login-1"))
    caller.wait_until_ended(answers[0].json()["refresh_id"])

    assert {answer.status_code for answer in answers} == {202}
    ((_, outcome),) = {(each.json()["refresh_id"], each.json()["outcome"]) for each in answers}
    assert outcome == "started"
    replayed = [answer.headers.get("Idempotency-Replayed") for answer in answers]
    assert (replayed.count("true"), replayed.count(None)) == (CROWD - 1, 1)
    assert triggers(banno) == 1
    assert len(caller.ask("GET", f"/v1/refreshes?connection_id={connection}")["refreshes"]) == 1


def test_fifty_requests_under_keys_of_their_own_join_one_refresh(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=20)
    connection = connect("ben")
    answers = crowd(lambda number: start(caller, connection, f"login-{number}"))
    outcomes = [answer.json()["outcome"] for answer in answers]

    assert len({answer.json()["refresh_id"] for answer in answers}) == 1
    assert (outcomes.count("started"), outcomes.count("joined")) == (1, CROWD - 1)
    caller.wait_until_ended(answers[0].json()["refresh_id"])
    assert triggers(banno) == 1


def test_a_key_belongs_to_the_body_with_which_it_came_first(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    connection = connect("ben")
    first = start(caller, connection, "k")
    same = caller.send(
        "POST",
        "/v1/refreshes",
        data=f' {{ "datasets" : null,\n "connection_id":"{connection}" }}'.encode(),
        headers={"Idempotency-Key": "k"},
    )
    other = start(caller, connection, "k", body={"deadline_seconds": 60})

    assert same.json()["refresh_id"] == first.json()["refresh_id"]
    assert (other.status_code, other.json()["type"]) == (422, "urn:freshet:problem:key-reused")
    caller.wait_until_ended(first.json()["refresh_id"])
    assert triggers(banno) == 1


@pytest.mark.usefixtures("banno")
def test_a_repetition_gets_the_first_answer_however_things_stand_by_now(
    caller: Caller, connect: Connect
) -> None:
    connection = connect("ben")
    own = start(caller, connection, "own").json()
    caller.wait_until_ended(own["refresh_id"])
    fresh = start(caller, connection, "fresh", body={"max_age_seconds": 3600})
    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    own_again = start(caller, connection, "own")
    fresh_again = start(caller, connection, "fresh", body={"max_age_seconds": 3600})

    assert own_again.status_code == 202
    assert own_again.json()["outcome"] == own["outcome"] == "started"
    assert own_again.json()["refresh_id"] == own["refresh_id"]
    assert own_again.json()["status"] == "published"
    assert fresh.status_code == fresh_again.status_code == 200
    assert fresh_again.json()["refresh_id"] == fresh.json()["refresh_id"] == own["refresh_id"]
    assert fresh_again.json()["outcome"] == "fresh"


# --- waiting -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"headers": {"Prefer": "respond-async, wait=20"}}, id="preferred"),
        pytest.param({"body": {"synchronous": True}}, id="synchronous"),
    ],
)
def test_who_waits_gets_the_refresh_as_it_has_ended(
    caller: Caller, connect: Connect, banno: SimulatorControl, asked: dict[str, Any]
) -> None:
    banno.settings(task_seconds=1)
    answer, seconds = timed(lambda: start(caller, connect("ben"), **asked))

    assert (answer.status_code, answer.json()["status"]) == (200, "published")
    assert answer.json()["outcome"] == "started"
    assert answer.headers["Location"] == f"refreshes/{answer.json()['refresh_id']}"
    applied = answer.headers.get("Preference-Applied")
    assert applied == ("wait=20" if "headers" in asked else None)
    assert 1 <= seconds < 20


def test_a_wait_that_is_over_before_the_refresh_says_where_to_look(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=12)
    connection = connect("ben")
    asked: dict[str, Any] = {"headers": {"Prefer": "wait=2"}, "body": {"synchronous": True}}
    answer, seconds = timed(lambda: start(caller, connection, **asked))

    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=2")
    assert answer.json()["status"] in {"admitted", "running"}
    assert 2 <= seconds < 10
    assert caller.wait_until_ended(answer.json()["refresh_id"])["status"] == "published"


def test_a_preference_that_makes_no_sense_is_no_error(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=10)
    connection = connect("ben")
    answer, seconds = timed(lambda: start(caller, connection, headers={"Prefer": "wait=soon"}))

    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers
    assert seconds < 10
    caller.wait_until_ended(answer.json()["refresh_id"])


def test_a_long_poll_tells_of_each_version_and_of_the_end(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=4)
    refresh = caller.refresh(connect("ben"))
    path, versions = f"/v1/refreshes/{refresh['refresh_id']}", [refresh["version"]]
    while refresh["status"] not in {"published", "failed"}:
        refresh = caller.ask("GET", path, params={"wait": 20, "since_version": versions[-1]})
        versions.append(refresh["version"])

    assert refresh["status"] == "published"
    assert versions == sorted(set(versions))
    late, seconds = timed(
        lambda: caller.send("GET", path, params={"wait": 20, "since_version": 99})
    )
    assert late.json()["version"] == versions[-1]
    assert seconds < 10


def test_a_long_poll_without_a_version_waits_for_the_end_and_no_longer_than_it_may(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=12)
    path = f"/v1/refreshes/{caller.refresh(connect('ben'))['refresh_id']}"
    early, seconds = timed(lambda: caller.send("GET", path, params={"wait": 2}))
    ended = caller.ask("GET", path, params={"wait": 25})

    assert early.json()["status"] in {"admitted", "running"}
    assert 2 <= seconds < 10
    assert ended["status"] == "published"
