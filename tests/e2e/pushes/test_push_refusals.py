"""Pushes that are refused, the tenants that may see them, and what is left of them."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.caller import Caller
from tests.support.system.pushes import (
    FERN,
    TRANSFER,
    contact,
    count_posted,
    executions,
    list_kept,
    list_triggered,
    post,
    push_records,
    wait_until_status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl

pytestmark = pytest.mark.usefixtures("endgrate")


@pytest.fixture
def fern(caller: Caller) -> str:
    return caller.connect(FERN)


def test_a_connection_is_erased_with_its_pushes(
    running: System, caller: Caller, fern: str, endgrate: SimulatorControl
) -> None:
    endgrate.fault(method="POST", path=TRANSFER, kind="status", status=503)
    push = push_records(caller, fern, contact("rowan"))
    assert push["push_id"] in list_kept(running, fern)
    assert caller.send("DELETE", f"/v1/connections/{fern}").status_code == 200

    assert caller.send("GET", f"/v1/pushes/{push['push_id']}").status_code == 404
    assert list_kept(running, fern) == "[None, None]"
    items = running.client("dynamodb").scan(TableName=running.outputs["PushesTableName"])
    assert fern not in str(items)
    assert push["push_id"] not in str(items)


def item(running: System, push_id: str) -> dict[str, Any]:
    """The stored item of a push."""
    found = running.client("dynamodb").get_item(
        TableName=running.outputs["PushesTableName"], Key={"push_id": {"S": push_id}}
    )
    return dict(found.get("Item", {}))


def stopped(running: System, caller: Caller, push_id: str) -> dict[str, Any]:
    """The push's last execution, once none is running."""
    found = caller.until(
        lambda: {"all": executions(running, push_id)},
        lambda it: bool(it["all"]) and all(each["status"] != "RUNNING" for each in it["all"]),
        seconds=40,
    )
    return dict(found["all"][0])


def test_erasing_while_a_push_is_being_sent_leaves_nothing_either(
    running: System, caller: Caller, fern: str, endgrate: SimulatorControl
) -> None:
    endgrate.fault(method="POST", path=TRANSFER, kind="slow", seconds=4)
    push_id = post(caller, fern, contact("rowan")).json()["push_id"]
    wait_until_status(caller, push_id, "sending")
    assert caller.send("DELETE", f"/v1/connections/{fern}").status_code == 200

    assert stopped(running, caller, push_id)["status"] == "FAILED"
    assert item(running, push_id) == {}
    assert list_kept(running, fern) == "[None, None]"
    assert count_posted(endgrate) == 1


def test_a_push_that_the_erasure_did_not_see_is_forgotten_by_the_call_that_takes_it_on(
    running: System, caller: Caller, fern: str
) -> None:
    push = push_records(caller, fern, contact("rowan"))
    before = item(running, push["push_id"])
    caller.send("DELETE", f"/v1/connections/{fern}")
    running.client("dynamodb").put_item(TableName=running.outputs["PushesTableName"], Item=before)
    running.client("stepfunctions").start_execution(
        stateMachineArn=running.outputs["PushMachineArn"],
        name=f"{push['push_id']}-late",
        input=json.dumps({"push_id": push["push_id"]}),
    )

    stopped(running, caller, push["push_id"])
    assert item(running, push["push_id"]) == {}


@pytest.mark.parametrize(
    ("more", "detail"),
    [
        pytest.param({"dataset": "crm-deal"}, "crm-contact, crm-ticket", id="another-dataset"),
        pytest.param({"records": []}, "length >= 1", id="no-records"),
        pytest.param({"color": "green"}, "color", id="an-unknown-field"),
    ],
)
def test_a_push_that_cannot_be_is_refused_with_what_is_wrong(
    caller: Caller, fern: str, more: dict[str, Any], detail: str
) -> None:
    answer = post(caller, fern, contact("rowan"), **more)

    assert answer.status_code == 400
    assert detail in answer.json()["detail"]


def test_a_push_without_a_key_is_refused(
    caller: Caller, fern: str, endgrate: SimulatorControl
) -> None:
    body = {"connection_id": fern, "dataset": "crm-contact", "records": [contact("rowan")]}
    answer = caller.send("POST", "/v1/pushes", json=body)

    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["detail"]
    assert count_posted(endgrate) == 0


@pytest.mark.usefixtures("banno")
def test_a_provider_that_takes_no_records_is_told_apart(caller: Caller, connect: Connect) -> None:
    answer = post(caller, connect("ben"), contact("rowan"), dataset="accounts")

    assert answer.status_code == 400
    assert answer.json()["detail"] == "This connection's provider takes no pushes."


def test_another_tenants_pushes_look_exactly_like_nothing(
    running: System, caller: Caller, fern: str, endgrate: SimulatorControl
) -> None:
    push = push_records(caller, fern, contact("rowan"))
    stranger = Caller(running.api, token=running.issuer.token("stranger"))
    theirs = stranger.send("GET", f"/v1/pushes/{push['push_id']}")
    nothing = stranger.send("GET", "/v1/pushes/psh_" + "0" * 32)

    assert (theirs.status_code, theirs.content) == (404, nothing.content)
    assert post(stranger, fern, contact("alder")).status_code == 404
    assert len(list_triggered(endgrate)) == 1


def test_what_is_pushed_is_written_down_nowhere_but_in_the_bucket(
    running: System, caller: Caller, fern: str, endgrate: SimulatorControl, logs: Callable[[], str]
) -> None:
    canary = f"canary{uuid.uuid4().hex[:8]}"
    misfit = {"data": {"age": canary}, "id": "7"}
    done = push_records(caller, fern, contact(canary), misfit)
    endgrate.fault(method="POST", path=TRANSFER, kind="status", status=503)
    lost = push_records(caller, fern, contact(canary))
    assert (done["status"], lost["status"]) == ("incomplete", "unknown_outcome")

    states = running.client("stepfunctions")
    arns = [
        each["executionArn"]
        for push in (done, lost)
        for each in executions(running, push["push_id"])
    ]
    client = running.client("dynamodb")
    tables = [value for name, value in running.outputs.items() if name.endswith("TableName")]
    seen = [
        logs(),
        json.dumps([done, lost]),
        *(str(states.get_execution_history(executionArn=arn)) for arn in arns),
        *(str(states.describe_execution(executionArn=arn)) for arn in arns),
        *(str(client.scan(TableName=table)) for table in tables),
        str(running.client("s3").list_object_versions(Bucket=running.outputs["BucketName"])),
    ]

    assert done["push_id"] in "".join(seen)
    assert canary not in "".join(seen)
