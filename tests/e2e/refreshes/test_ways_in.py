"""The same machine by its three doors, one refresh at a time."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.support.system.executions import run_refresh
from tests.support.system.schedules import fire_once, schedule_of, wait_for_fired

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl


def triggers(banno: SimulatorControl) -> int:
    return sum(entry.get("method") == "PUT" for entry in banno.ledger())


def test_a_person_types_a_connection_id_into_the_console(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    connection = connect("cleo")
    execution = run_refresh(running, {"connection_id": connection})
    refresh = caller.state(execution["name"])

    assert execution["status"] == "SUCCEEDED"
    assert refresh["status"] == "partial"
    assert refresh["reason"] == "console"
    assert (
        len(caller.records(connection, "transactions")) == refresh["records_read"]["transactions"]
    )
    assert triggers(banno) == 1


def test_starts_at_the_same_moment_end_in_one_refresh(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=8)
    connection = connect("ben")
    caller.ask("PUT", f"/v1/connections/{connection}/schedule", json={"expression": "rate(1 hour)"})
    scheduled = schedule_of(running, connection)
    assert scheduled is not None
    fire_once(running, scheduled["Target"])
    with ThreadPoolExecutor(6) as pool:
        by_hand = [
            pool.submit(run_refresh, running, {"connection_id": connection}) for _ in range(2)
        ]
        by_api = [pool.submit(caller.refresh, connection) for _ in range(4)]
        ids = {future.result()["refresh_id"] for future in by_api}
        executions = [future.result() for future in by_hand]
    executions.append(wait_for_fired(running, connection))

    told = [json.loads(execution["output"]) for execution in executions]
    assert {one["refresh_id"] for one in told} | ids == ids
    assert len(ids) == 1
    assert [execution["status"] for execution in executions] == ["SUCCEEDED"] * 3
    caller.wait_until_ended(ids.pop())
    assert triggers(banno) == 1


def test_a_snapshot_that_is_fresh_enough_costs_no_call(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    connection = connect("ben")
    first = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    answer = caller.send(
        "POST", "/v1/refreshes", json={"connection_id": connection, "max_age_seconds": 3600}
    )
    execution = run_refresh(running, {"connection_id": connection, "max_age_seconds": 3600})

    assert answer.status_code == 200
    assert answer.json()["outcome"] == "fresh"
    assert answer.json()["refresh_id"] == first["refresh_id"]
    assert json.loads(execution["output"])["outcome"] == "fresh"
    assert triggers(banno) == 1


def test_a_stopped_execution_frees_its_connection(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=6)
    connection = connect("ben")
    refresh_id = caller.refresh(connection)["refresh_id"]
    begun = caller.until(
        lambda: caller.state(refresh_id), lambda it: "triggered_at" in it, seconds=20
    )
    assert begun["triggered_at"] < begun["next_look_at"] <= begun["deadline"]
    arn = running.outputs["RefreshMachineArn"].replace(":stateMachine:", ":execution:")
    running.client("stepfunctions").stop_execution(executionArn=f"{arn}:{refresh_id}")
    stopped = caller.wait_until_ended(refresh_id)

    assert stopped["error"]["name"] == "Aborted"
    assert stopped["error"]["help"] == f"{running.api}/v1/console#/errors/Aborted"

    banno.settings(task_seconds=0.2)
    again = caller.refresh(connection)
    assert again["outcome"] == "started"
    assert again["refresh_id"] != refresh_id
    assert caller.wait_until_ended(again["refresh_id"])["status"] == "published"
