"""The state machine ``RefreshAll``, read as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from functions.core.bulk.model import OPEN_SECONDS, BulkRequest
from functions.core.contract import MAX_DEADLINE_SECONDS, SLOT_SECONDS, Prefix, Reason
from infra.config import Nightly
from infra.storage import LISTED_DAYS
from tests.support.cloudformation.template import as_list, flat

if TYPE_CHECKING:
    from tests.support.cloudformation.template import Template

CHILD_TASKS = ("Refresh", "Look", "Record")


@pytest.fixture(scope="session")
def machine(local: Template) -> dict[str, Any]:
    return local.definition("RefreshAll")


@pytest.fixture(scope="session")
def states(machine: dict[str, Any]) -> dict[str, Any]:
    return dict(machine["States"])


@pytest.fixture(scope="session")
def each(states: dict[str, Any]) -> dict[str, Any]:
    return dict(states["RefreshEach"])


@pytest.fixture(scope="session")
def child(each: dict[str, Any]) -> dict[str, Any]:
    return dict(each["ItemProcessor"]["States"])


def test_it_lists_goes_through_the_list_and_closes_the_run(
    machine: dict[str, Any], states: dict[str, Any]
) -> None:
    assert set(states) == {"List", "Any connections?", "RefreshEach", "Close"}
    assert (machine["StartAt"], machine["QueryLanguage"]) == ("List", "JSONata")
    assert states["Any connections?"]["Choices"][0]["Next"] == "RefreshEach"
    assert states["Any connections?"]["Default"] == "Close"
    assert states["RefreshEach"]["Next"] == "Close"
    assert states["Close"]["End"] is True


@pytest.mark.parametrize("state", ["List", "RefreshEach"])
def test_a_run_is_closed_whatever_goes_wrong(states: dict[str, Any], state: str) -> None:
    named, last = states[state]["Catch"]

    assert named["ErrorEquals"] == ["States.DataLimitExceeded"]
    assert last["ErrorEquals"] == ["States.ALL"]
    assert (named["Next"], last["Next"]) == ("Close", "Close")
    assert "$states.errorOutput.Error" in last["Output"]


def test_the_children_are_many_and_one_that_breaks_stops_no_other(each: dict[str, Any]) -> None:
    assert each["ItemProcessor"]["ProcessorConfig"] == {
        "Mode": "DISTRIBUTED",
        "ExecutionType": "STANDARD",
    }
    assert each["ToleratedFailurePercentage"] == 100


def test_how_many_run_at_a_time_is_the_stage_s(
    synthesised: Any, prod: Template, stages: dict[str, Any]
) -> None:
    few = synthesised(stages={"local": stages["local"] | {"bulk_concurrency": 3}})

    assert few.definition("RefreshAll")["States"]["RefreshEach"]["MaxConcurrency"] == 3
    assert prod.definition("RefreshAll")["States"]["RefreshEach"]["MaxConcurrency"] == 50


def test_the_list_is_read_in_the_version_that_was_written_and_the_results_go_beside_it(
    each: dict[str, Any],
) -> None:
    reader, writer = each["ItemReader"], each["ResultWriter"]

    assert reader["Arguments"]["VersionId"] == "{% $states.input.version_id %}"
    assert reader["ReaderConfig"]["CSVHeaders"] == ["connection_id"]
    for place in (reader["Arguments"]["Key"], writer["Arguments"]["Prefix"]):
        assert place.startswith(f"{{% '{Prefix.BULKS}' & $states.input.bulk_id & '/")


def test_a_child_makes_three_transitions_and_records_in_every_case(
    child: dict[str, Any], each: dict[str, Any]
) -> None:
    first = each["ItemProcessor"]["StartAt"]
    straight = [first, child[first]["Next"], child["Refresh"]["Next"]]

    assert straight == ["WaitForPlace", "Refresh", "Record"]
    assert child["Record"]["End"] is True
    for task in ("Refresh", "Look"):
        *_, named, last = child[task]["Catch"]
        assert named["ErrorEquals"] == ["States.DataLimitExceeded"]
        assert last["ErrorEquals"] == ["States.ALL"]
        assert (named["Next"], last["Next"]) == ("Record", "Record")


def test_a_refresh_that_was_started_before_is_looked_at(child: dict[str, Any]) -> None:
    before = child["Refresh"]["Catch"][0]

    assert before["ErrorEquals"] == ["StepFunctions.ExecutionAlreadyExistsException"]
    assert before["Next"] == "Look"
    assert child["Refresh"]["Arguments"]["Name"] == "{% $states.input.refresh_id %}"
    arn = child["Look"]["Arguments"]["ExecutionArn"]
    assert ":execution:<RefreshMachine" in arn


@pytest.mark.parametrize("task", CHILD_TASKS)
def test_a_child_s_task_has_an_end_and_spreads_its_tries(child: dict[str, Any], task: str) -> None:
    *_, retry = child[task]["Retry"]

    assert child[task]["TimeoutSeconds"] > 0
    for each in child[task]["Retry"]:
        assert each["JitterStrategy"] == "FULL"
        assert each["MaxDelaySeconds"] <= 60
    assert retry["MaxAttempts"] * retry["MaxDelaySeconds"] / 2 > 20 * 60


def test_an_outcome_that_is_there_already_is_not_written_again_for_long(
    child: dict[str, Any],
) -> None:
    refused, _ = child["Record"]["Retry"]

    assert refused["ErrorEquals"] == ["DynamoDb.TransactionCanceledException"]
    assert refused["MaxAttempts"] <= 6


def test_a_list_that_cannot_be_read_now_is_read_later(each: dict[str, Any]) -> None:
    (retry,) = each["Retry"]

    assert retry["ErrorEquals"] == ["States.ItemReaderFailed"]


def test_a_run_is_closed_however_long_that_takes(states: dict[str, Any]) -> None:
    *_, again = states["Close"]["Retry"]

    assert again["ErrorEquals"] == ["TryAgain"]
    assert again["MaxAttempts"] * again["MaxDelaySeconds"] / 2 > 6 * 60 * 60


def test_a_refresh_is_not_started_anew_because_it_has_failed(child: dict[str, Any]) -> None:
    (retry,) = child["Refresh"]["Retry"]

    assert all(error.startswith("StepFunctions.") for error in retry["ErrorEquals"])
    assert child["Refresh"]["TimeoutSeconds"] > MAX_DEADLINE_SECONDS + SLOT_SECONDS


def test_an_outcome_and_its_count_are_one_transaction(child: dict[str, Any]) -> None:
    put, add = child["Record"]["Arguments"]["TransactItems"]

    assert child["Record"]["Resource"].endswith(":aws-sdk:dynamodb:transactWriteItems")
    assert put["Put"]["ConditionExpression"] == "attribute_not_exists(bulk_id)"
    assert add["Update"]["UpdateExpression"].startswith("ADD #outcome :one")
    assert put["Put"]["TableName"] == add["Update"]["TableName"]


def test_a_run_ends_before_its_list_is_forgotten(machine: dict[str, Any]) -> None:
    assert machine["TimeoutSeconds"] < (LISTED_DAYS - 1) * 24 * 60 * 60


def test_a_run_keeps_its_tenant_s_place_until_it_can_run_no_more(machine: dict[str, Any]) -> None:
    assert machine["TimeoutSeconds"] < OPEN_SECONDS


EXECUTIONS = "arn:aws:states:<AWS::Region>:<AWS::AccountId>:execution:"
RULE = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
MAY = {
    "<StorageBucket.Arn>/bulks/*": {
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    },
    "<StorageBulks.Arn>": {"dynamodb:PutItem", "dynamodb:UpdateItem"},
    "<StorageKey.Arn>": {"kms:Decrypt", "kms:GenerateDataKey"},
    "<BulkDoorFunction.Arn>": {"lambda:InvokeFunction"},
    "<BulkDoorFunction.Arn>:*": {"lambda:InvokeFunction"},
    "<RefreshMachine>": {"states:StartExecution"},
    f"{EXECUTIONS}<RefreshMachine.Name>:*": {"states:DescribeExecution", "states:StopExecution"},
    "<RefreshAllMachine>": {"states:StartExecution"},
    f"{EXECUTIONS}<RefreshAllMachine.Name>:*": {"states:DescribeExecution", "states:StopExecution"},
    f"{EXECUTIONS}<RefreshAllMachine.Name>/Each:*": {"states:RedriveExecution"},
    f"arn:aws:events:<AWS::Region>:<AWS::AccountId>:{RULE}": {
        "events:DescribeRule",
        "events:PutRule",
        "events:PutTargets",
    },
}


def test_the_machine_may_do_what_its_states_need_and_no_more(local: Template) -> None:
    may: dict[str, set[str]] = {}
    names = {
        name: name.removesuffix(name[-8:])
        for name in local.body["Resources"]
        if name.startswith(("Storage", "BulkDoorFunction", "Refresh"))
    }
    for statement in local.statements("RefreshAllMachineRole"):
        for resource in as_list(statement["Resource"]):
            text = flat(resource)
            for name, plain in names.items():
                text = text.replace(f"<{name}", f"<{plain}")
            may.setdefault(text, set()).update(as_list(statement["Action"]))
    everything = may.pop("*")

    assert all(action.startswith(("logs:", "xray:")) for action in everything)
    assert may == MAY


NIGHTLY = {
    "expression": "cron(15 2 * * ? *)",
    "options": {"older_than_seconds": 43_200, "spread_seconds": 7200},
}
"""A stage whose owner wants all connections refreshed every night."""


def test_a_stage_can_have_all_connections_refreshed_every_night(
    synthesised: Any, local: Template, stages: dict[str, Any]
) -> None:
    nightly = synthesised(stages={"local": stages["local"] | {"nightly": NIGHTLY}})
    rule = nightly.one("Events::Rule", "Nightly")
    (target,) = rule["Targets"]

    assert not [name for name in local.all("Events::Rule") if name.startswith("Nightly")]
    assert rule["ScheduleExpression"] == NIGHTLY["expression"]
    assert flat(target["Arn"]).startswith("<RefreshAllMachine")
    assert msgspec.json.decode(target["Input"], type=BulkRequest) == BulkRequest(
        older_than_seconds=43_200, spread_seconds=7200, reason=Reason.SCHEDULE
    )
    assert flat(target["DeadLetterConfig"]["Arn"]).startswith("<Undelivered")
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 7200, "MaximumRetryAttempts": 10}


@pytest.mark.parametrize(
    "options",
    [
        {"provider": "nobody"},
        {"spread_seconds": -1},
        {"tenant": "acme"},
        {"provider": "banno", "connection_ids": ["con_1"]},
        {"older_than_seconds": 99, "connection_ids": ["con_1"]},
    ],
    ids=str,
)
def test_a_night_that_could_start_nothing_is_refused(
    synthesised: Any, stages: dict[str, Any], options: dict[str, object]
) -> None:
    nightly = {"expression": "rate(1 day)", "options": options}
    with pytest.raises(ValueError, match=r"No such provider|Expected|unknown field|leave out"):
        synthesised(stages={"local": stages["local"] | {"nightly": nightly}})


@pytest.mark.parametrize(
    "expression",
    ["0 3 * * *", "rate(1 days)", "rate(1 minute)", "cron(0 3 * * * *)"],
)
def test_a_night_that_aws_would_refuse_is_refused(expression: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"like rate|every 5"):
        msgspec.convert({"expression": expression}, Nightly)
