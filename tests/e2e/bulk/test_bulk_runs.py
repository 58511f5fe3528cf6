"""Bulk runs: the connections that they cover, the outcome of each, and the run's own end."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.bulk.model import refresh_id
from functions.core.model import instant
from infra.local.caller import Caller
from tests.support.system.bulk_runs import (
    failures,
    nonzero_outcomes,
    outcomes,
    run,
    sign_in_users,
    start_execution,
    stop,
    wait_until_ended,
)
from tests.support.system.executions import wait_for_execution

if TYPE_CHECKING:
    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl
    from tests.support.system.bulk_runs import Bodies


@pytest.fixture
def bodies(running: System, banno: SimulatorControl) -> Bodies:
    """After the simulator's reset, which ends all sign-ins."""
    assert banno.base_url
    return sign_in_users(running)


def test_named_connections_are_refreshed_and_another_s_look_like_unknown_ones(
    running: System, caller: Caller, bodies: Bodies
) -> None:
    stranger = Caller(running.api, token=running.issuer.token("a-stranger"))
    mine, theirs = caller.connect(bodies["ben"]), stranger.connect(bodies["ben"])
    unknown = f"con_{'0' * 32}"
    bulk = run(caller, connection_ids=[theirs, mine, unknown, mine])
    listed = {each.pop("connection_id"): each for each in failures(caller, bulk["bulk_id"])}

    assert (bulk["named"], bulk["total"]) == (3, 3)
    assert nonzero_outcomes(bulk) == {"published": 1, "not_found": 2}
    assert set(listed) == {theirs, unknown}
    assert json.dumps(listed[theirs]) == json.dumps(listed[unknown])
    assert listed[unknown]["refresh_id"] is None
    assert stranger.ask("GET", f"/v1/connections/{theirs}")["snapshot"] is None


def test_a_run_is_its_tenant_s_alone(running: System, caller: Caller) -> None:
    bulk_id = caller.ask("POST", "/v1/bulk-refreshes", json={})["bulk_id"]
    stranger = Caller(running.api, token=running.issuer.token("a-stranger"))
    for method, path in (("GET", ""), ("GET", "/failures"), ("POST", "/cancel")):
        theirs = stranger.send(method, f"/v1/bulk-refreshes/{bulk_id}{path}")
        unknown = stranger.send(method, f"/v1/bulk-refreshes/blk_{'0' * 32}{path}")
        assert (theirs.status_code, theirs.content) == (404, unknown.content)
    assert wait_until_ended(caller, bulk_id)["total"] == 0


def test_a_tenant_s_runs_are_listed_newest_first(running: System) -> None:
    path, tenants = "/v1/bulk-refreshes", [f"lists-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    caller, stranger = (Caller(running.api, token=running.issuer.token(one)) for one in tenants)
    ids = [run(caller, provider=provider)["bulk_id"] for provider in ("banno", "digime")]
    theirs = [run(stranger)["bulk_id"] for _ in range(2)]
    name = f"by-hand-{uuid.uuid4()}"
    request = {"tenant": tenants[0], "connection_ids": ["x"]}
    wait_for_execution(running, start_execution(running, request, name=name))

    first = caller.ask("GET", path, params={"limit": 2})
    rest = caller.ask("GET", path, params={"limit": 2, "cursor": first["next_cursor"]})
    assert [each["bulk_id"] for each in first["bulk_refreshes"]] == [name, ids[1]]
    assert [each["bulk_id"] for each in rest["bulk_refreshes"]] == [ids[0]]
    assert rest["next_cursor"] is None
    for each in (*first["bulk_refreshes"], *rest["bulk_refreshes"]):
        assert each == caller.ask("GET", f"{path}/{each['bulk_id']}")

    # A cursor says where to go on in the list of the tenant that sends it.
    behind = stranger.ask("GET", path, params={"cursor": first["next_cursor"]})
    own = stranger.ask("GET", path)
    assert [each["bulk_id"] for each in own["bulk_refreshes"]] == theirs[::-1]
    assert behind["bulk_refreshes"] == []


def test_a_run_under_a_key_is_begun_once(caller: Caller) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    path, asked = "/v1/bulk-refreshes", {"provider": "banno"}
    first = caller.send("POST", path, json=asked, headers=key)
    again = caller.send("POST", path, json=asked, headers=key)
    other = caller.send("POST", path, json={"provider": "digime"}, headers=key)

    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert first.json()["bulk_id"] == again.json()["bulk_id"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.headers["Location"].endswith(first.json()["bulk_id"])


def test_a_tenant_has_one_run_under_way_at_a_time(
    running: System, caller: Caller, bodies: Bodies
) -> None:
    for _ in range(2):
        caller.connect(bodies["ben"])
    path, slowly = "/v1/bulk-refreshes", {"spread_seconds": 86_400}
    own, others = ({"Idempotency-Key": uuid.uuid4().hex} for _ in range(2))
    first = caller.ask("POST", path, json=slowly, headers=own)["bulk_id"]
    refused = caller.send("POST", path, json=slowly, headers=others)
    again = caller.ask("POST", path, json=slowly, headers=own)["bulk_id"]
    stranger = Caller(running.api, token=running.issuer.token(f"stranger-{uuid.uuid4().hex[:8]}"))
    theirs = stranger.send("POST", path, json={})
    operators = wait_for_execution(
        running, start_execution(running, {"connection_ids": ["x"]}, name=uuid.uuid4().hex)
    )

    assert (refused.status_code, refused.json()["type"]) == (
        409,
        "urn:freshet:problem:bulk-running",
    )
    assert first in refused.json()["detail"]
    assert (again, theirs.status_code, operators["status"]) == (first, 202, "SUCCEEDED")

    assert caller.send("POST", f"{path}/{first}/cancel").status_code == 202
    cancelled = wait_until_ended(caller, first)
    assert (cancelled["status"], cancelled["error"]["name"]) == ("failed", "Aborted")
    assert caller.ask("POST", f"{path}/{first}/cancel") == cancelled
    later = caller.send("POST", path, json={"provider": "digime"}, headers=others)
    assert (later.status_code, later.headers.get("Idempotency-Replayed")) == (202, None)
    assert wait_until_ended(caller, later.json()["bulk_id"])["status"] == "done"


def test_who_is_being_refreshed_is_joined_and_who_is_fresh_costs_no_call(
    caller: Caller, bodies: Bodies, banno: SimulatorControl
) -> None:
    fresh, running_, stopped = (caller.connect(bodies["ben"]) for _ in range(3))
    caller.wait_until_ended(caller.refresh(fresh)["refresh_id"])
    banno.settings(task_seconds=5)
    first = caller.refresh(running_)["refresh_id"]
    other = caller.refresh(stopped, datasets=["accounts"])["refresh_id"]
    bulk = run(caller, max_age_seconds=3600)
    (busy,) = failures(caller, bulk["bulk_id"])

    assert nonzero_outcomes(bulk) == {"fresh": 1, "joined": 1, "busy": 1}
    assert (busy["connection_id"], busy["error"]["name"], busy["refresh_id"]) == (
        stopped,
        "Busy",
        None,
    )
    for refresh in (first, other):
        assert caller.wait_until_ended(refresh)["status"] == "published"


def test_starts_are_spread_over_the_window(
    caller: Caller, bodies: Bodies, banno: SimulatorControl
) -> None:
    for _ in range(4):
        caller.connect(bodies["ben"])
    began = time.time()
    bulk = run(caller, spread_seconds=8)
    starts = [row["at"] - began for row in banno.ledger() if row.get("method") == "PUT"]

    assert nonzero_outcomes(bulk) == {"published": 4}
    # A busy machine starts them later than their places, never earlier.
    assert all(start >= 2 * place - 0.5 for place, start in enumerate(starts)), starts
    assert starts[-1] < 16, starts
    assert starts[-1] - starts[0] >= 2, starts


def test_a_cancelled_refresh_is_told_as_such(
    caller: Caller, bodies: Bodies, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=10)
    connection = caller.connect(bodies["ben"])
    bulk_id = caller.ask("POST", "/v1/bulk-refreshes", json={})["bulk_id"]
    refresh = refresh_id(bulk_id, connection)
    caller.until(
        lambda: caller.send("GET", f"/v1/refreshes/{refresh}").json(),
        lambda it: it["status"] == "running",
        seconds=20,
    )
    caller.ask("POST", f"/v1/refreshes/{refresh}/cancel")

    assert nonzero_outcomes(wait_until_ended(caller, bulk_id)) == {"cancelled": 1}
    assert failures(caller, bulk_id) == [
        {
            "connection_id": connection,
            "refresh_id": refresh,
            "outcome": "cancelled",
            "error": None,
        }
    ]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"provider": "unknown"}, "InvalidRequest"),
        ({"spread_seconds": "soon"}, "InvalidRequest"),
        ({"bulk_id": "blk_of-another"}, "InvalidRequest"),
        ({"provider": "banno", "connection_ids": ["con_x"]}, "InvalidRequest"),
        ({"connection_ids": ["con_x"], "older_than_seconds": 99}, "InvalidRequest"),
        ([], "InvalidRequest"),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_served_fails_under_its_own_name(
    running: System, request_: Any, error: str
) -> None:
    found = wait_for_execution(
        running, start_execution(running, request_, name=f"by-hand-{uuid.uuid4()}")
    )
    assert (found["status"], found["error"]) == ("FAILED", error)


def test_a_child_that_runs_twice_finds_what_it_did_before(
    running: System, caller: Caller, bodies: Bodies, banno: SimulatorControl
) -> None:
    """As if the answer to the first start had been lost: the refresh has run already."""
    connection = caller.connect(bodies["ben"])
    name = f"by-hand-{uuid.uuid4()}"
    earlier = running.client("stepfunctions").start_execution(
        stateMachineArn=running.outputs["RefreshMachineArn"],
        name=refresh_id(name, connection),
        input=json.dumps({"connection_id": connection, "reason": "bulk"}),
    )
    wait_for_execution(running, earlier["executionArn"])
    found = wait_for_execution(
        running, start_execution(running, {"connection_ids": [connection]}, name=name)
    )

    assert found["status"] == "SUCCEEDED"
    assert outcomes(running, name) == {connection: "published"}
    assert sum(row.get("method") == "PUT" for row in banno.ledger()) == 1


def test_a_run_that_is_cancelled_stops_its_refreshes_and_publishes_nothing_more(
    caller: Caller, bodies: Bodies, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=6)
    ids = [caller.connect(bodies["ben"]) for _ in range(3)]
    bulk_id = caller.ask("POST", "/v1/bulk-refreshes", json={})["bulk_id"]
    mine = [refresh_id(bulk_id, connection) for connection in ids]
    caller.until(
        lambda: {each: caller.send("GET", f"/v1/refreshes/{each}").json() for each in mine},
        lambda it: all(each["status"] == "running" for each in it.values()),
        seconds=30,
    )
    assert caller.send("POST", f"/v1/bulk-refreshes/{bulk_id}/cancel").status_code == 202
    bulk = wait_until_ended(caller, bulk_id)

    assert (bulk["status"], nonzero_outcomes(bulk)) == ("failed", {"cancelled": 3})
    assert {each["outcome"] for each in failures(caller, bulk_id)} == {"cancelled"}
    time.sleep(7)
    assert {caller.state(each)["status"] for each in mine} == {"cancelled"}
    for connection in ids:
        assert caller.send("GET", f"/v1/connections/{connection}/datasets").status_code == 404
        assert caller.refresh(connection)["outcome"] == "started"


def test_a_stopped_run_names_the_connections_without_an_outcome(
    running: System, caller: Caller, bodies: Bodies
) -> None:
    ids = [caller.connect(bodies["ben"]) for _ in range(3)]
    bulk_id = caller.ask("POST", "/v1/bulk-refreshes", json={"spread_seconds": 86_400})["bulk_id"]
    seen = caller.until(
        lambda: caller.ask("GET", f"/v1/bulk-refreshes/{bulk_id}"),
        lambda it: it["outcomes"]["published"] == 1,
        seconds=30,
    )
    assert seen["running"] == 0
    assert 0 <= instant(seen["ends_about"]) - instant(seen["requested_at"]) - 86_400 < 60
    stop(running, bulk_id)
    bulk = wait_until_ended(caller, bulk_id)
    listed = failures(caller, bulk_id)

    assert (bulk["status"], bulk["error"]["name"]) == ("failed", "Aborted")
    assert nonzero_outcomes(bulk) == {"published": 1, "unknown": 2}
    assert {each["connection_id"] for each in listed} < set(ids)
    assert {each["outcome"] for each in listed} == {"unknown"}
    never_begun = [caller.send("GET", f"/v1/refreshes/{each['refresh_id']}") for each in listed]
    assert {answer.status_code for answer in never_begun} == {404}
