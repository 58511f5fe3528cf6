"""The operator's commands, on a stage that runs."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from infra.account import Account, find_stack
from infra.config import Stage
from infra.local.aws import ACCOUNT, REGION, session
from infra.operations import doctor, undelivered
from infra.operations.doctor import READERS, Level, examine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.caller import Caller
    from infra.local.system import System
    from infra.operations.doctor import Finding
    from tests.e2e.conftest import Connect


@pytest.fixture
def account(running: System, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)

    def find(account: Account, name: str) -> Any:
        # The output has the address that AWS would serve it at.
        stack = find_stack(account, name)
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        outputs["ApiUrl"] = f"{running.api}/"
        told = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        return {**stack, "Outputs": told}

    monkeypatch.setattr(doctor, "find_stack", find)
    return Account(session=session(), number=ACCOUNT, region=REGION)


@pytest.fixture
def stage(running: System) -> Stage:
    """The stage that runs, and its issuer."""
    from aws_cdk import aws_logs as logs  # noqa: PLC0415 - starts a program

    local = Stage(
        name="local", log_retention=logs.RetentionDays.ONE_DAY, requests_per_second=1, burst=1
    )
    return replace(local, jwks_url=running.issuer.jwks_url)


@contextmanager
def secret(running: System, name: str, text: str) -> Iterator[None]:
    """A secret says something else for the time of the block."""
    client, id_ = running.client("secretsmanager"), running.outputs[f"{name}SecretArn"]
    before = client.get_secret_value(SecretId=id_)["SecretString"]
    client.put_secret_value(SecretId=id_, SecretString=text)
    try:
        yield
    finally:
        client.put_secret_value(SecretId=id_, SecretString=before)


def bad(found: Iterator[Finding]) -> list[str]:
    return [each.text for each in found if each.level is Level.FAIL]


def test_a_stage_that_runs_lacks_nothing(stage: Stage, account: Account) -> None:
    found = list(examine(stage, account))

    assert not [each.text for each in found if each.level is not Level.OK]
    told = "\n".join(each.text for each in found)
    for name in READERS:
        assert f"freshet/local/providers/{name} is complete" in told


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("Banno", '{"institutions": []}', "freshet/local/providers/banno is malformed"),
        ("Digime", '{"private_key": "none"}', "freshet/local/providers/digime is malformed"),
        ("Applications", "[]", "freshet/local/applications is malformed"),
    ],
)
def test_a_malformed_secret_is_named(
    name: str, text: str, says: str, running: System, stage: Stage, account: Account
) -> None:
    with secret(running, name, text):
        (told,) = bad(examine(stage, account))

    assert says in told
    assert text not in told


def test_an_issuer_without_keys_is_named(running: System, stage: Stage, account: Account) -> None:
    (told,) = bad(examine(replace(stage, jwks_url=running.issuer.url), account))

    assert "has no keys" in told


def test_a_stage_that_is_not_there_meets_the_names_that_are_taken(
    running: System, stage: Stage, account: Account
) -> None:
    name = "freshet/other/applications"
    client = running.client("secretsmanager")
    client.create_secret(Name=name, SecretString="{}")
    try:
        found = [each.text for each in examine(replace(stage, name="other"), account)]
    finally:
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    assert [each for each in found if name in each]


def put(running: System, body: Any, **attributes: str) -> None:
    running.client("sqs").send_message(
        QueueUrl=running.outputs["UndeliveredQueueUrl"],
        MessageBody=json.dumps(body),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def test_a_missed_start_is_made_up_for_and_its_message_deleted(
    running: System,
    account: Account,
    caller: Caller,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    connection = connect("ada")
    put(
        running,
        {"connection_id": connection, "reason": "schedule"},
        ERROR_CODE="AccessDenied",
        ERROR_MESSAGE="not allowed",
    )
    put(running, {"detail-type": "Step Functions Execution Status Change"}, RULE_ARN="arn:rule")
    monkeypatch.setattr(undelivered, "find_account", lambda: account)
    monkeypatch.setattr(undelivered, "SHOWN_SECONDS", 0)

    def run(*options: str) -> str:
        monkeypatch.setattr("sys.argv", ["undelivered", "--stage", "local", *options])
        assert undelivered.main() == 0
        return capsys.readouterr().out

    told = run("--start", "--delete")

    assert connection in told
    assert "AccessDenied not allowed" in told
    assert "the end of an execution" in told
    (refresh,) = caller.ask("GET", "/v1/refreshes", params={"connection_id": connection})[
        "refreshes"
    ]
    assert refresh["reason"] == "schedule"
    assert caller.wait_until_ended(refresh["refresh_id"])["status"] == "published"
    assert "There are none" in run()
