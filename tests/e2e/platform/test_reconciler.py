"""Refreshes that lost their execution are started or ended by the reconciler."""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import TYPE_CHECKING

import msgspec

from functions.aws.tables.refreshes import RefreshTable
from functions.core.contract import Reason, RefreshRequest
from functions.core.model import Connection, Refresh
from functions.core.refresh import steps as step
from tests.support.system.executions import describe_refresh

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl

LONG_AGO = 400
"""Seconds: longer than anything open is left without a look."""


def refreshes(running: System) -> RefreshTable:
    return RefreshTable(
        running.client("dynamodb"),
        table=running.outputs["RefreshesTableName"],
        connections=running.outputs["ConnectionsTableName"],
        events=running.outputs["EventsTableName"],
    )


def admitted(running: System, caller: Caller, connection: str, *, seconds: int) -> Refresh:
    """A refresh as the API has admitted it so long ago, whose execution it could not start."""
    tenant = caller.ask("GET", f"/v1/connections/{connection}")
    table = running.client("dynamodb")
    item = table.get_item(
        TableName=running.outputs["ConnectionsTableName"],
        Key={"connection_id": {"S": connection}},
    )["Item"]
    assert tenant["connection_id"] == connection
    refresh = step.create(
        msgspec.json.decode(item["document"]["S"], type=Connection),
        RefreshRequest(connection_id=connection, reason=Reason.API),
        refresh_id=f"ref_{uuid.uuid4().hex}",
        at=time.time() - seconds,
    )
    refresh = msgspec.structs.replace(refresh, datasets=("accounts", "transactions"))
    assert refreshes(running).admit(refresh, until=refresh.deadline) == refresh.refresh_id
    return refresh


def look_after(running: System) -> None:
    answer = running.client("lambda").invoke(
        FunctionName=running.outputs["ReconcileName"], LogType="Tail", Payload=b"{}"
    )
    assert "FunctionError" not in answer, base64.b64decode(answer["LogResult"]).decode()


def test_a_refresh_that_was_admitted_and_never_started_runs_once(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    refresh = admitted(running, caller, connect("ada"), seconds=60)
    look_after(running)
    look_after(running)

    assert caller.wait_until_ended(refresh.refresh_id)["status"] == "published"
    assert sum(each["path"].endswith("/fetch") for each in banno.ledger() if "path" in each) == 1


def test_a_refresh_that_is_too_young_is_left_to_the_one_that_admitted_it(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    refresh = admitted(running, caller, connect("ada"), seconds=0)
    look_after(running)

    assert refreshes(running).get(refresh.refresh_id) == refresh
    assert banno.ledger() is not None


def test_a_refresh_past_its_deadline_that_never_started_fails_and_frees_its_connection(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=0.2)
    connection = connect("ada")
    refresh = admitted(running, caller, connection, seconds=1000)
    look_after(running)

    ended = caller.wait_until_ended(refresh.refresh_id)
    assert (ended["status"], ended["error"]["name"]) == ("failed", "PlatformFault")
    assert (
        caller.wait_until_ended(caller.refresh(connection)["refresh_id"])["status"] == "published"
    )


def test_a_refresh_whose_execution_is_over_and_whose_end_was_lost_is_ended_and_swept(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    """Its execution was stopped before it was admitted: no rule has anything to end then."""
    connection = connect("ada")
    refresh = admitted(running, caller, connection, seconds=LONG_AGO)
    table, states = refreshes(running), running.client("stepfunctions")
    begun = step.begin_trigger(refresh, at=refresh.requested_at)
    table.delete(refresh.refresh_id)
    started = states.start_execution(
        stateMachineArn=running.outputs["RefreshMachineArn"],
        name=refresh.refresh_id,
        input=json.dumps({"connection_id": 7}),
    )["executionArn"]
    caller.until(
        lambda: states.describe_execution(executionArn=started),
        lambda it: it["status"] != "RUNNING",
        seconds=60,
    )
    time.sleep(2)
    table.release(refresh)
    assert table.admit(begun, until=begun.deadline) == refresh.refresh_id
    bucket, key = running.outputs["BucketName"], f"{connection}/{refresh.refresh_id}"
    staged = f"snapshots/{key}/accounts/00000.jsonl.gz"
    running.client("s3").put_object(Bucket=bucket, Key=staged, Body=b"x")
    look_after(running)

    assert caller.wait_until_ended(refresh.refresh_id)["status"] == "failed"
    caller.until(
        lambda: running.client("s3").list_object_versions(Bucket=bucket, Prefix=staged),
        lambda it: not it.get("Versions"),
        seconds=30,
    )
    banno.settings(task_seconds=0.2)
    assert (
        caller.wait_until_ended(caller.refresh(connection)["refresh_id"])["status"] == "published"
    )


def test_a_refresh_that_runs_is_left_alone_however_old_it_looks(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=6)
    connection = connect("ada")
    refresh_id = caller.refresh(connection)["refresh_id"]
    table = running.client("dynamodb")
    caller.until(
        lambda: caller.ask("GET", f"/v1/refreshes/{refresh_id}"),
        lambda it: it["version"] >= 3,
        seconds=30,
    )
    table.update_item(
        TableName=running.outputs["RefreshesTableName"],
        Key={"refresh_id": {"S": refresh_id}},
        UpdateExpression="SET look_at = :old",
        ExpressionAttributeValues={":old": {"S": "2020-01-01T00:00:00.000Z"}},
    )
    look_after(running)

    assert describe_refresh(running, refresh_id)["status"] == "RUNNING"
    assert caller.wait_until_ended(refresh_id)["status"] == "published"
