"""Data that are older than they may be are told of, once, and so is the end of it."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.system import System
    from tests.e2e.conftest import Connect

HOUR = 3600


def call_watch(running: System, event: dict[str, Any]) -> None:
    """Call the function as the clock does."""
    answer = running.client("lambda").invoke(
        FunctionName=running.outputs["WatchName"],
        LogType="Tail",
        Payload=json.dumps(event).encode(),
    )
    assert "FunctionError" not in answer, base64.b64decode(answer["LogResult"]).decode()


def age(running: System, connection: str, *, seconds: int) -> None:
    """Let what is published of a connection be as of so long ago."""
    dynamodb, table = running.client("dynamodb"), running.outputs["ConnectionsTableName"]
    key = {"connection_id": {"S": connection}}
    item = dynamodb.get_item(TableName=table, Key=key)["Item"]
    pointer = json.loads(item["latest"]["S"])
    pointer["as_of"] -= seconds
    dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET latest = :latest",
        ExpressionAttributeValues={":latest": {"S": json.dumps(pointer)}},
    )


def told(caller: Caller, connection: str, *, count: int) -> list[dict[str, Any]]:
    """The events of freshness of a connection, once there are so many in the log."""

    def look() -> dict[str, Any]:
        page = caller.ask("GET", "/v1/events", params={"connection_id": connection})
        found = [one for one in page["events"] if one["type"].startswith("freshness.")]
        return {"found": found}

    found: list[dict[str, Any]]
    found = caller.until(look, lambda it: len(it["found"]) >= count, seconds=60)["found"]
    return found


@pytest.mark.usefixtures("banno")
def test_a_breach_and_its_end_are_told_once_each(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect("ben")
    done = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    path = f"/v1/connections/{connection}"
    answer = caller.send("PUT", f"{path}/objective", json={"max_age_seconds": HOUR})
    assert (answer.status_code, answer.json()) == (201, {"max_age_seconds": HOUR})
    call_watch(running, {})
    fresh = caller.ask("GET", f"{path}/freshness")
    assert (fresh["verdict"], fresh["as_of"]) == ("fresh", done["as_of"])
    assert fresh["objective"] == {
        "max_age_seconds": HOUR,
        "of": "connection",
        "breached_at": None,
    }

    age(running, connection, seconds=2 * HOUR)
    caller.ask("PUT", f"{path}/objective", json={"max_age_seconds": HOUR})
    for _ in range(2):
        call_watch(running, {})
    breached_at = caller.ask("GET", f"{path}/freshness")["objective"]["breached_at"]
    assert breached_at is not None

    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])

    def look() -> dict[str, Any]:
        """The publication is announced a moment later."""
        call_watch(running, {})
        return caller.ask("GET", f"{path}/freshness")

    caller.until(look, lambda it: it["objective"]["breached_at"] is None, seconds=30)

    breach, end = told(caller, connection, count=2)
    assert (breach["type"], end["type"]) == ("freshness.breached", "freshness.restored")
    assert breach["data"]["breached_at"] == end["data"]["breached_at"] == breached_at
    assert (breach["data"]["max_age_seconds"], breach["data"]["of"]) == (HOUR, "connection")
    assert breach["data"]["cause"] is not None
    assert end["data"]["restored_at"] == end["time"]
    assert caller.ask("GET", f"/v1/events/{breach['id']}") == breach


@pytest.mark.usefixtures("banno")
def test_a_tenant_s_objective_reaches_its_connections_and_no_other_tenant(
    running: System, caller: Caller, connect: Connect, logs: Callable[[], str]
) -> None:
    connection = connect("cleo")
    stranger = Caller(running.api, token=running.issuer.token(f"tenant-{uuid.uuid4().hex[:8]}"))
    caller.ask("PUT", "/v1/objective", json={"max_age_seconds": HOUR})
    assert stranger.send("GET", "/v1/objective").status_code == 404
    answer = stranger.send(
        "PUT", f"/v1/connections/{connection}/objective", json={"max_age_seconds": HOUR}
    )
    assert answer.status_code == 404

    for _ in range(2):
        call_watch(running, {})
    key = {"objective_of": {"S": connection}}
    items = running.client("dynamodb")
    table = running.outputs["ObjectivesTableName"]
    watch = items.get_item(TableName=table, Key=key)["Item"]
    assert int(watch["max_age_seconds"]["N"]) == HOUR
    call_watch(running, {"measure": True})
    assert '"WithObjective"' in logs()

    caller.ask("DELETE", f"/v1/connections/{connection}", params={"revoke": "false"})

    def look() -> dict[str, Any]:
        call_watch(running, {})
        return {"left": "Item" in items.get_item(TableName=table, Key=key)}

    caller.until(look, lambda it: not it["left"], seconds=30)
    assert caller.send("DELETE", "/v1/objective").status_code == 204
