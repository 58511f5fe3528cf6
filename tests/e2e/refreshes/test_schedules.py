"""A connection that is refreshed by itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from functions.core.model import iso
from tests.support.system.executions import run_refresh
from tests.support.system.problems import read_problem
from tests.support.system.schedules import fire_once, put_again, schedule_of, wait_for_fired

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl

HOURLY = {"expression": "rate(1 hour)"}
NIGHTLY = {
    "expression": "cron(0 3 ? * MON-FRI *)",
    "time_zone": "Europe/Berlin",
    "jitter_minutes": 30,
    "max_age_seconds": 600,
    "datasets": ["accounts"],
}
NOTHING_MORE = {"time_zone": "UTC", "jitter_minutes": 0, "max_age_seconds": None, "datasets": None}


def address(connection: str) -> str:
    return f"/v1/connections/{connection}/schedule"


def put(caller: Caller, connection: str, schedule: dict[str, Any]) -> tuple[int, Any]:
    """Put a schedule; the status, and the schedule but for its runs, of which there is none yet."""
    answer = caller.send("PUT", address(connection), json=schedule)
    told = answer.json()
    assert told.pop("last_run_at") is None
    assert (told.pop("next_run_at") is None) is schedule["expression"].startswith("rate")
    return answer.status_code, told


def shown(caller: Caller, connection: str) -> Any:
    """The schedule in the connection but for its runs, which must be the one in the list."""
    one = caller.ask("GET", f"/v1/connections/{connection}")["schedule"]
    (listed,) = caller.ask("GET", "/v1/connections")["connections"]
    assert listed["schedule"] == one
    return {name: one[name] for name in one if not name.endswith("run_at")} if one else None


def test_a_schedule_is_put_shown_replaced_and_taken_away(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect("ben")
    assert shown(caller, connection) is None

    assert put(caller, connection, HOURLY) == (201, HOURLY | NOTHING_MORE)
    assert put(caller, connection, NIGHTLY) == (200, NIGHTLY)
    assert put(caller, connection, NIGHTLY) == (200, NIGHTLY)
    assert shown(caller, connection) == NIGHTLY

    for _ in range(2):
        assert caller.send("DELETE", address(connection)).status_code == 204
        assert shown(caller, connection) is None
        assert schedule_of(running, connection) is None


def test_scheduler_is_told_what_the_caller_said_and_no_more(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect("ben")
    put(caller, connection, NIGHTLY)
    found = schedule_of(running, connection)

    assert found is not None
    assert found["ScheduleExpression"] == NIGHTLY["expression"]
    assert found["ScheduleExpressionTimezone"] == NIGHTLY["time_zone"]
    assert found["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30}
    assert found["Target"]["Arn"] == running.outputs["RefreshMachineArn"]
    assert found["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 3600
    assert (
        found["Target"]["DeadLetterConfig"]["Arn"].rpartition(":")[2]
        == (running.outputs["UndeliveredQueueUrl"].rpartition("/")[2])
    )
    assert json.loads(found["Target"]["Input"]) == {
        "connection_id": connection,
        "reason": "schedule",
        "max_age_seconds": 600,
        "datasets": ["accounts"],
    }


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param({"expression": "rate(1 minute)"}, "every 5 minutes at the most", id="too-often"),
        pytest.param({"expression": "cron(0 3 * * * *)"}, "must be like rate(1 hour)", id="both-days"),
        pytest.param({"expression": "every night"}, "must be like rate(1 hour)", id="prose"),
        pytest.param({"time_zone": "Europe/Bern"}, "an IANA name", id="no-such-zone"),
        pytest.param({"time_zone": "europe/berlin"}, "an IANA name", id="a-zone-in-small-letters"),
        pytest.param({"jitter_minutes": 1441}, "$.jitter_minutes", id="jitter-over-a-day"),
        pytest.param({"datasets": ["loans"]}, "There are: accounts, transactions.", id="no-such-dataset"),
        pytest.param({"at": "noon"}, "unknown field `at`", id="unknown-field"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_the_schedule_before_stays(
    running: System, caller: Caller, connect: Connect, wrong: dict[str, Any], told: str
) -> None:
    connection = connect("ben")
    put(caller, connection, HOURLY)
    before = schedule_of(running, connection)
    answer = caller.send("PUT", address(connection), json=HOURLY | wrong)

    assert read_problem(answer) == (400, "invalid-request")
    assert told in answer.json()["detail"]
    assert shown(caller, connection) == HOURLY | NOTHING_MORE
    assert before is not None
    found = schedule_of(running, connection)
    assert found is not None
    assert found["LastModificationDate"] == before["LastModificationDate"]


def test_a_connection_is_refreshed_by_the_clocks_of_its_zone(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=0.2)
    connection = connect("ben")
    zone = "Asia/Kolkata"  # half an hour off every whole zone
    soon = datetime.now(UTC).astimezone(ZoneInfo(zone)) + timedelta(seconds=70)
    put(
        caller,
        connection,
        {"expression": f"cron({soon.minute} {soon.hour} * * ? *)", "time_zone": zone},
    )
    found = caller.until(
        lambda: caller.ask("GET", f"/v1/connections/{connection}"),
        lambda it: it["snapshot"] is not None,
        seconds=120,
    )

    refresh = caller.state(found["snapshot"]["refresh_id"])
    assert refresh["reason"] == "schedule"
    (listed,) = caller.ask("GET", "/v1/connections")["connections"]
    told = caller.ask("GET", f"/v1/connections/{connection}/freshness")
    due = soon.replace(second=0, microsecond=0) + timedelta(days=1)
    for schedule in (found["schedule"], listed["schedule"]):
        assert schedule["last_run_at"] == refresh["requested_at"]
        assert schedule["next_run_at"] == iso(due.timestamp())
    assert told["next_try"] == {"by": "schedule", "at": iso(due.timestamp())}


def test_a_firing_that_finds_the_snapshot_young_enough_costs_no_call(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=0.2)
    connection = connect("ben")
    first = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    asked = len(banno.ledger())
    put(caller, connection, HOURLY | {"max_age_seconds": 3600})
    scheduled = schedule_of(running, connection)
    assert scheduled is not None
    fire_once(running, scheduled["Target"])
    told = json.loads(wait_for_fired(running, connection)["output"])

    assert (told["outcome"], told["refresh_id"]) == ("fresh", first["refresh_id"])
    assert len(banno.ledger()) == asked


def test_an_erased_connection_is_not_refreshed_any_more(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect("ben")
    put(caller, connection, HOURLY)
    assert caller.send("DELETE", f"/v1/connections/{connection}").status_code == 200

    assert schedule_of(running, connection) is None
    assert caller.send("PUT", address(connection), json=HOURLY).status_code == 404
    assert caller.send("DELETE", address(connection)).status_code == 404
    assert schedule_of(running, connection) is None


def test_a_last_firing_for_a_connection_that_is_gone_ends_and_touches_nothing(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=0.2)
    gone, stays = connect("ben"), connect("ben")
    caller.wait_until_ended(caller.refresh(stays)["refresh_id"])
    before = caller.records(stays, "transactions")
    put(caller, gone, HOURLY)
    scheduled = schedule_of(running, gone)
    assert scheduled is not None
    caller.send("DELETE", f"/v1/connections/{gone}")
    fire_once(running, scheduled["Target"])
    execution = wait_for_fired(running, gone)

    assert (execution["status"], execution["error"]) == ("FAILED", "NotFound")
    assert caller.send("GET", f"/v1/connections/{gone}").status_code == 404
    assert caller.records(stays, "transactions") == before


def test_a_schedule_that_a_crash_left_to_a_connection_that_is_gone_goes_with_its_next_firing(
    running: System, caller: Caller, connect: Connect
) -> None:
    gone, stays = connect("ben"), connect("ben")
    for connection in (gone, stays):
        put(caller, connection, HOURLY)
    left = schedule_of(running, gone)
    assert left is not None
    caller.send("DELETE", f"/v1/connections/{gone}")
    put_again(running, left)
    assert schedule_of(running, gone) is not None
    fire_once(running, left["Target"])
    execution = wait_for_fired(running, gone)

    assert (execution["status"], execution["error"]) == ("FAILED", "NotFound")
    assert schedule_of(running, gone) is None
    assert schedule_of(running, stays) is not None


def test_what_a_person_types_takes_no_schedule_away(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect("ben")
    put(caller, connection, HOURLY)
    for typed in (connection, "con_nobody", "../nobody?x=1"):
        asked = {"connection_id": typed, "reason": "schedule", "datasets": ["nothing"]}
        execution = run_refresh(running, asked)
        assert (execution["status"], execution["error"]) == (
            "FAILED",
            "InvalidRequest" if typed == connection else "NotFound",
        )

    assert schedule_of(running, connection) is not None
