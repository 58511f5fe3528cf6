"""EventBridge Scheduler as the tests make it fire: what a schedule starts, at once."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.local.system import System

PATIENCE_SECONDS = 60


def schedule_of(running: System, connection_id: str) -> dict[str, Any] | None:
    """A connection's schedule as Scheduler has it."""
    scheduler = running.client("scheduler")
    group = running.outputs["ScheduleGroupName"]
    try:
        found: dict[str, Any] = scheduler.get_schedule(GroupName=group, Name=connection_id)
    except scheduler.exceptions.ResourceNotFoundException:
        return None
    return found


def put_again(running: System, schedule: dict[str, Any]) -> None:
    """Have Scheduler keep what it had once, past the API."""
    kept = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    running.client("scheduler").create_schedule(**{name: schedule[name] for name in kept})


def fire_once(running: System, target: dict[str, Any]) -> None:
    """Have Scheduler invoke a schedule's own target, by a schedule of now and only now."""
    running.client("scheduler").create_schedule(
        GroupName=running.outputs["ScheduleGroupName"],
        Name=f"once-{uuid.uuid4()}",
        ScheduleExpression=f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target=target,
    )


def wait_for_fired(running: System, connection_id: str) -> dict[str, Any]:
    """The execution that a firing for a connection has started, once it has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := _find_ended(running, connection_id)):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    (execution,) = found
    return execution


def _find_ended(running: System, connection_id: str) -> list[dict[str, Any]]:
    states, machine = running.client("stepfunctions"), running.outputs["RefreshMachineArn"]
    listed = states.list_executions(stateMachineArn=machine)["executions"]
    known = [states.describe_execution(executionArn=one["executionArn"]) for one in listed]
    return [one for one in known if one["status"] != "RUNNING" and _is_of(one, connection_id)]


def _is_of(execution: dict[str, Any], connection_id: str) -> bool:
    request = json.loads(execution["input"])
    return bool(
        request.get("reason") == "schedule" and request.get("connection_id") == connection_id
    )
