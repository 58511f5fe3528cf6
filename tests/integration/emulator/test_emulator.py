"""The behaviour of the local AWS that the system needs; each patch has a test here or beside."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from infra.local.aws import session
from infra.local.deploy import DeployError, deploy
from tests.support.emulator.local_aws import Local, run_emulator
from tests.support.emulator.stack import STACK, assembly, resource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_cloudformation.type_defs import WaiterConfigTypeDef

SOON: WaiterConfigTypeDef = {"Delay": 1}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with run_emulator(tmp_path_factory.mktemp("emulated")) as running:
        yield running


# Functions


def test_a_function_sees_its_asset_and_its_variables_and_nothing_of_the_emulator(
    local: Local,
) -> None:
    seen = local.call(do="look", modules=["package.door", "json", "botocore", "ministack", "infra"])
    assert seen["found"] == ["package.door", "json"]
    assert seen["file"] == f"{seen['cwd']}/package/door.py"
    environ = seen["environ"]
    assert environ["OWN"] == "value"
    assert environ["AWS_ENDPOINT_URL"] == local.endpoint
    assert environ["LAMBDA_TASK_ROOT"] == seen["cwd"]
    others = {name for name in environ if not name.startswith(("AWS_", "LAMBDA_"))}
    assert others == {"OWN", "PATH", "LANG", "TZ", "HOME", "TMPDIR", "_HANDLER"}


@pytest.mark.parametrize(
    ("event", "name", "message"),
    [
        ({"do": "raise"}, "RateLimited", "slow down"),
        ({"do": "exit"}, "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ({"do": "sleep", "seconds": 9}, "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
        (
            {"do": "set"},
            "Runtime.MarshalError",
            "Unable to marshal response: Object of type set is not JSON serializable",
        ),
        (
            {"do": "bytes", "bytes": 6_300_000},
            "Function.ResponseSizeTooLarge",
            "over 6291556 bytes",
        ),
    ],
    ids=lambda value: value["do"] if isinstance(value, dict) else "",
)
def test_a_failure_has_the_name_that_aws_gives_it(
    local: Local, *, event: dict[str, object], name: str, message: str
) -> None:
    failure = local.call(**event)
    assert (failure["errorType"], failure["errorMessage"]) == (name, message)
    assert local.call(n=1) == {"n": 1}


def test_what_a_function_raises_leaves_it_warm(local: Local) -> None:
    before = local.call(do="look", modules=[])["pid"]
    local.call(do="raise")
    assert local.call(do="look", modules=[])["pid"] == before


def test_concurrent_calls_run_apart(local: Local) -> None:
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(local.call, do="sleep", seconds=1.5)
        assert local.call(n=1) == {"n": 1}
        assert not slow.done()


def test_what_a_function_prints_is_in_its_log(local: Local) -> None:
    local.call(n=1)
    logs = session().client("logs", endpoint_url=local.endpoint)
    group = f"/aws/lambda/{local.outputs['Function']}"
    messages = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    assert any(message.startswith("called as ") for message in messages)
    assert any(message.startswith("REPORT RequestId: ") for message in messages)


# Executions


def test_a_catch_reads_the_class_and_the_message_of_a_failure(local: Local) -> None:
    output = (
        "{% $merge([$states.input, {'error': $states.errorOutput.Error,"
        " 'message': $parse($states.errorOutput.Cause).errorMessage,"
        " 'name': $states.context.Execution.Name, 'state': $states.context.State.Name}]) %}"
    )
    catch = {"ErrorEquals": ["RateLimited"], "Next": "Caught", "Output": output}
    work = local.task({"do": "raise", "text": "30"}, Catch=[catch])
    execution = local.start(
        local.machine(Work=work, Caught={"Type": "Succeed"}), "caught", '{"a":1}'
    )
    assert json.loads(local.wait_until_ended(execution)["output"]) == {
        "a": 1,
        "error": "RateLimited",
        "message": "30",
        "name": "caught",
        "state": "Work",
    }


def test_a_retry_waits_no_longer_than_its_maximum(local: Local) -> None:
    retry = {
        "ErrorEquals": ["RateLimited"],
        "IntervalSeconds": 1,
        "BackoffRate": 60,
        "MaxAttempts": 2,
        "MaxDelaySeconds": 1,
        "JitterStrategy": "FULL",
    }
    failed = local.wait_until_ended(
        local.start(local.machine(Work=local.task({"do": "raise"}, Retry=[retry])))
    )
    assert (failed["status"], failed["error"]) == ("FAILED", "RateLimited")
    events = local.machines.get_execution_history(executionArn=failed["executionArn"])["events"]
    assert [event["type"] for event in events].count("TaskFailed") == 3


def test_a_wait_takes_as_long_as_the_data_says(local: Local) -> None:
    wait = {"Type": "Wait", "Seconds": "{% $states.input.seconds %}", "End": True}
    done = local.wait_until_ended(local.start(local.machine(Wait=wait), text='{"seconds": 1}'))
    assert 0.9 < (done["stopDate"] - done["startDate"]).total_seconds() < 2


def test_an_execution_starts_at_once(local: Local) -> None:
    machine = local.machine(Pass={"Type": "Pass", "End": True})
    ended = [local.wait_until_ended(local.start(machine)) for _ in range(5)]
    assert min((one["stopDate"] - one["startDate"]).total_seconds() for one in ended) < 0.1


def test_a_start_repeated_while_it_runs_is_the_same_execution(local: Local) -> None:
    machine = local.machine(Wait={"Type": "Wait", "Seconds": 1, "End": True})
    first = local.start(machine, "once", '{"a": 1}')
    assert local.start(machine, "once", '{"a": 1}') == first
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        local.start(machine, "once", '{"a": 2}')
    local.wait_until_ended(first)
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        local.start(machine, "once", '{"a": 1}')


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("a b", "{}", "InvalidName"),
        ("a/b", "{}", "InvalidName"),
        ("a" * 81, "{}", "(InvalidName|ParamValidation)"),
        ("a", "{", "InvalidExecutionInput"),
        ("a", f'"{"x" * 262_144}"', "InvalidExecutionInput"),
    ],
    ids=["blank", "slash", "long", "not JSON", "large"],
)
def test_a_start_that_is_not_valid_is_refused(
    local: Local, *, name: str, text: str, error: str
) -> None:
    machine = local.machine(Pass={"Type": "Pass", "End": True})
    with pytest.raises(ClientError, match=error):
        local.start(machine, name, text)


def test_a_stopped_execution_does_nothing_more(local: Local) -> None:
    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 9}
    execution = local.start(local.machine(Work=local.task({"do": "raise"}, Retry=[retry])))
    time.sleep(0.5)
    local.machines.stop_execution(executionArn=execution)
    time.sleep(1.5)
    assert local.wait_until_ended(execution)["status"] == "ABORTED"
    events = local.machines.get_execution_history(executionArn=execution)["events"]
    assert events[-1]["type"] == "ExecutionAborted"


# Objects


@pytest.mark.parametrize("span", ["bytes=3-5", "bytes=3-", "bytes=-2", None])
@pytest.mark.parametrize("versioned", [False, True])
def test_a_span_is_read_of_a_version_as_of_the_newest(
    local: Local, *, span: str | None, versioned: bool
) -> None:
    s3, text, name = session().client("s3", endpoint_url=local.endpoint), b"0123456789", "spans"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=name, Key="k", Body=text)["VersionId"]
    request = {"Bucket": name, "Key": "k"}
    request |= {"Range": span} if span else {}
    request |= {"VersionId": version} if versioned else {}
    whole = {"bytes=3-5": text[3:6], "bytes=3-": text[3:], "bytes=-2": text[-2:], None: text}
    assert s3.get_object(**request)["Body"].read() == whole[span]  # type: ignore[arg-type]


def test_a_span_past_the_end_of_a_version_is_refused(local: Local) -> None:
    s3, name = session().client("s3", endpoint_url=local.endpoint), "ends"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=name, Key="k", Body=b"0123456789")["VersionId"]
    with pytest.raises(ClientError, match="416"):
        s3.get_object(Bucket=name, Key="k", VersionId=version, Range="bytes=10-")


# Resources


def test_a_table_has_its_time_to_live(local: Local) -> None:
    tables = session().client("dynamodb", endpoint_url=local.endpoint)
    found = tables.describe_time_to_live(TableName=local.outputs["Table"])
    assert found["TimeToLiveDescription"] == {
        "AttributeName": "expires_at",
        "TimeToLiveStatus": "ENABLED",
    }


def test_a_reference_to_a_secret_is_its_arn_and_an_update_keeps_its_value(local: Local) -> None:
    secrets = session().client("secretsmanager", endpoint_url=local.endpoint)
    arn = local.outputs["Secret"]
    assert arn.startswith("arn:aws:secretsmanager:")
    before = secrets.get_secret_value(SecretId=arn)["SecretString"]
    changed = {"Label": "second"}
    again = deploy(local.assembly, endpoint=local.endpoint, stack=STACK, parameters=changed)
    assert again == local.outputs
    assert secrets.describe_secret(SecretId=arn)["Description"] == "second"
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == before


def test_a_secret_goes_with_its_stack(local: Local) -> None:
    stacks = session().client("cloudformation", endpoint_url=local.endpoint)
    secrets = session().client("secretsmanager", endpoint_url=local.endpoint)
    secret = resource("SecretsManager::Secret", Name="short-lived", SecretString="{}")
    stacks.create_stack(StackName="short", TemplateBody=json.dumps({"Resources": {"S": secret}}))
    stacks.get_waiter("stack_create_complete").wait(StackName="short", WaiterConfig=SOON)
    assert secrets.get_secret_value(SecretId="short-lived")["SecretString"] == "{}"
    stacks.delete_stack(StackName="short")
    stacks.get_waiter("stack_delete_complete").wait(StackName="short", WaiterConfig=SOON)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        secrets.get_secret_value(SecretId="short-lived")


def test_a_resource_that_fails_is_named_with_its_reason(local: Local, tmp_path: Path) -> None:
    broken = resource("ApiGateway::GatewayResponse", RestApiId="none", ResponseType="UNAUTHORIZED")
    written = assembly(tmp_path, {"Resources": {"Broken": broken}}, stack="Broken")
    for _again in range(2):
        with pytest.raises(DeployError, match=r"(?s)Broken .*Invalid API identifier"):
            deploy(written, endpoint=local.endpoint, stack="Broken")
