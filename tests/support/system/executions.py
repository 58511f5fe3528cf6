"""Executions of the system's state machines, as an operator starts and sees them in the console."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.local.system import System


def wait_for_execution(running: System, arn: str) -> dict[str, Any]:
    client, deadline = running.client("stepfunctions"), time.monotonic() + 60
    while (found := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    result: dict[str, Any] = found
    return result


def run_refresh(running: System, request: dict[str, Any]) -> dict[str, Any]:
    """Start ``Refresh`` by hand and wait for its end."""
    started = running.client("stepfunctions").start_execution(
        stateMachineArn=running.outputs["RefreshMachineArn"],
        name=f"by-hand-{uuid.uuid4()}",
        input=json.dumps(request),
    )
    return wait_for_execution(running, started["executionArn"])


def describe_refresh(running: System, refresh_id: str) -> dict[str, Any]:
    """The execution of a refresh, which has its id for a name."""
    arn = running.outputs["RefreshMachineArn"].replace(":stateMachine:", ":execution:")
    found: dict[str, Any] = running.client("stepfunctions").describe_execution(
        executionArn=f"{arn}:{refresh_id}"
    )
    return found
