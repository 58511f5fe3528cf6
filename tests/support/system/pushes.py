"""Pushes of a running system, for the tests."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl

FERN = {
    "provider": "endgrate",
    "subject": "65a1f0000000000000000001",
    "datasets": ["crm-contact", "crm-ticket"],
}
ENDED = {"done", "incomplete", "failed", "unknown_outcome"}
TRANSFER = "/api/push/transfer"


def contact(name: str, **more: Any) -> dict[str, Any]:
    return {"data": {"first_name": name, "emails": [f"{name}@example.com"]}, **more}


def post(
    caller: Caller, connection: str, *records: dict[str, Any], key: str = "", **more: Any
) -> requests.Response:
    """Ask for a push, under a key of its own unless one is given."""
    body = {"connection_id": connection, "dataset": "crm-contact", "records": records, **more}
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    return caller.send("POST", "/v1/pushes", json=body, headers=headers)


def wait_until_ended(caller: Caller, push_id: str, *, seconds: float = 60) -> dict[str, Any]:
    return caller.until(
        lambda: caller.ask("GET", f"/v1/pushes/{push_id}"),
        lambda it: it["status"] in ENDED,
        seconds=seconds,
    )


def push_records(
    caller: Caller, connection: str, *records: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """A push that has ended."""
    answer = post(caller, connection, *records, **more)
    assert answer.status_code == 202, answer.text
    return wait_until_ended(caller, answer.json()["push_id"])


def list_triggered(endgrate: SimulatorControl) -> list[dict[str, Any]]:
    return endgrate.ledger("push_triggered")


def count_posted(endgrate: SimulatorControl) -> int:
    return sum(row.get("path") == TRANSFER for row in endgrate.ledger())


def list_kept(running: System, connection: str) -> str:
    """Everything that the bucket has of a connection's pushes, in every version."""
    found = running.client("s3").list_object_versions(
        Bucket=running.outputs["BucketName"], Prefix=f"pushes/{connection}/"
    )
    return str([found.get("Versions"), found.get("DeleteMarkers")])


def executions(running: System, push_id: str) -> list[dict[str, Any]]:
    found = running.client("stepfunctions").list_executions(
        stateMachineArn=running.outputs["PushMachineArn"], maxResults=1000
    )["executions"]
    return [each for each in found if each["name"].startswith(push_id)]


def wait_until_status(caller: Caller, push_id: str, status: str) -> dict[str, Any]:
    return caller.until(
        lambda: caller.ask("GET", f"/v1/pushes/{push_id}"),
        lambda it: it["status"] == status,
        seconds=30,
    )
