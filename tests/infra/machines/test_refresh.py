"""The state machine's definition, read as data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pytest

from functions.aws.tables.refreshes import RefreshTable
from functions.core.contract import HOLD_SECONDS, MAX_DEADLINE_SECONDS, SLOT_SECONDS, TicketOutcome
from functions.core.errors import FetchContinues, FetchWaits
from functions.core.refresh.fetch import MARGIN_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from tests.support.cloudformation.template import Template

TASKS = ("Trigger", "CheckStatus", "FetchData", "Conclude")
WAITS = ("Wait", "WaitToTrigger")
HINTED = {"WaitForHint": ("Wait", "CheckStatus"), "WaitForUser": ("WaitToTrigger", "Trigger")}
"""Which wait each of them shortens, and what follows it."""
HISTORY = 25_000
"""Events after which Step Functions ends an execution."""


def mean_seconds(retry: dict[str, Any]) -> float:
    """The mean time for which a retrier goes on."""
    return float(retry["MaxAttempts"] * retry["MaxDelaySeconds"] / 2)


@pytest.fixture(scope="session")
def machine(local: Template) -> dict[str, Any]:
    return local.definition("Refresh")


@pytest.fixture(scope="session")
def states(machine: dict[str, Any]) -> dict[str, Any]:
    return dict(machine["States"])


def test_it_has_the_states_of_the_design_and_speaks_jsonata(
    machine: dict[str, Any], states: dict[str, Any]
) -> None:
    assert set(states) == {*TASKS, *WAITS, *HINTED, "What next?"}
    assert machine["StartAt"] == "Trigger"
    assert machine["QueryLanguage"] == "JSONata"


def test_a_refresh_that_ends_within_the_hold_makes_four_transitions(
    states: dict[str, Any],
) -> None:
    (ready,) = [each["Next"] for each in states["What next?"]["Choices"] if "ready" in str(each)]
    straight = ["Trigger", states["Trigger"]["Next"], states["CheckStatus"]["Next"], ready]

    assert straight == ["Trigger", "CheckStatus", "What next?", "FetchData"]
    assert states["FetchData"]["End"] is True


def test_a_later_turn_of_the_loop_makes_three(states: dict[str, Any]) -> None:
    running = [each["Next"] for each in states["What next?"]["Choices"] if "running" in str(each)]

    assert running == ["WaitForHint", "Wait"]
    assert {states[name]["Next"] for name in running} == {"CheckStatus"}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_waits_a_little_longer_than_its_function_runs(
    local: Template, states: dict[str, Any], task: str
) -> None:
    function = local.one("Lambda::Function", f"{task}Door")

    assert 0 < states[task]["TimeoutSeconds"] - function["Timeout"] <= 10
    assert states[task]["Arguments"]["FunctionName"].startswith(f"<{task}DoorFunction")


@pytest.mark.parametrize("task", TASKS)
def test_a_task_retries_the_platform_s_faults_only_and_spreads_its_tries(
    states: dict[str, Any], task: str
) -> None:
    broke_off, away, again = states[task]["Retry"]
    own = [] if task == "Conclude" else ["PlatformFault"]

    assert broke_off["ErrorEquals"] == [
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.Unknown",
        "Sandbox.Timedout",
        "Runtime.ExitError",
        *own,
    ]
    assert {"Lambda.ServiceException", "Lambda.TooManyRequestsException"} < set(away["ErrorEquals"])
    assert again["ErrorEquals"] == ["TryAgain"]
    for each in (broke_off, away, again):
        assert each["JitterStrategy"] == "FULL"
        assert each["BackoffRate"] > 1
    assert broke_off["MaxAttempts"] <= 3
    assert broke_off["MaxDelaySeconds"] <= 10


@pytest.mark.parametrize("task", TASKS)
def test_what_aws_does_not_let_through_is_tried_for_longer_than_any_deadline(
    states: dict[str, Any], task: str
) -> None:
    """With full jitter a try comes after half of the longest delay."""
    _, away, again = states[task]["Retry"]

    assert mean_seconds(again) > MAX_DEADLINE_SECONDS + SLOT_SECONDS
    assert again["MaxDelaySeconds"] <= 60
    assert mean_seconds(away) > (MAX_DEADLINE_SECONDS if task == "Conclude" else 120)


@pytest.mark.parametrize("task", ["Trigger", "CheckStatus", "FetchData"])
def test_a_task_that_fails_is_concluded_whatever_the_error(
    states: dict[str, Any], task: str
) -> None:
    *_, named, last = states[task]["Catch"]

    assert named["ErrorEquals"] == ["States.DataLimitExceeded"]
    assert last["ErrorEquals"] == ["States.ALL"]
    assert (named["Next"], last["Next"]) == ("Conclude", "Conclude")
    assert "$states.errorOutput.Error" in last["Output"]


def test_nothing_follows_conclude(states: dict[str, Any]) -> None:
    assert states["Conclude"]["End"] is True
    assert "Catch" not in states["Conclude"]


def test_fetch_data_goes_on_or_pauses_with_its_progress(states: dict[str, Any]) -> None:
    goes_on, pauses, *_ = states["FetchData"]["Catch"]

    assert (goes_on["ErrorEquals"], goes_on["Next"]) == ([FetchContinues.name()], "FetchData")
    assert (pauses["ErrorEquals"], pauses["Next"]) == ([FetchWaits.name()], "Wait")
    assert "'resumed': true" in goes_on["Output"]
    assert "'resumed': true" in pauses["Output"]
    assert "'wait_seconds'" in pauses["Output"]


@pytest.mark.parametrize(
    ("outcome", "then"),
    [
        (TicketOutcome.READY, ["FetchData"]),
        (TicketOutcome.RUNNING, ["WaitForHint", "Wait"]),
        (TicketOutcome.LATER, ["WaitForUser", "WaitToTrigger"]),
        (TicketOutcome.JOINED, ["Conclude"]),
        (TicketOutcome.FRESH, ["Conclude"]),
        (TicketOutcome.FAILED, ["Conclude"]),
    ],
)
def test_the_one_choice_goes_by_the_outcome(
    states: dict[str, Any], outcome: TicketOutcome, then: list[str]
) -> None:
    choices = states["What next?"]["Choices"]

    assert [each["Next"] for each in choices if f"'{outcome}'" in each["Condition"]] == then
    assert [name for name, state in states.items() if state["Type"] == "Choice"] == ["What next?"]


def test_an_unknown_outcome_is_concluded_too(states: dict[str, Any]) -> None:
    assert states["What next?"]["Default"] == "Conclude"


@pytest.mark.parametrize("wait", WAITS)
def test_a_wait_is_a_second_at_least_for_it_cannot_catch_a_fault(
    states: dict[str, Any], wait: str
) -> None:
    assert states[wait]["Seconds"] == "{% $max([1, $states.input.wait_seconds]) %}"


@pytest.mark.parametrize("hinted", HINTED)
def test_waiting_for_a_hint_ends_when_the_wait_would(states: dict[str, Any], hinted: str) -> None:
    wait, then = HINTED[hinted]
    state, noted = states[hinted], "DynamoDb.ConditionalCheckFailedException"
    ended, faulty = state["Catch"]

    assert state["TimeoutSeconds"] == states[wait]["Seconds"]
    assert state["Next"] == states[wait]["Next"] == then
    assert (ended["ErrorEquals"], ended["Next"]) == (["States.Timeout", noted], then)
    assert (faulty["ErrorEquals"], faulty["Next"]) == (["States.ALL"], wait)
    assert {each["Output"] for each in (state, ended, faulty)} == {"{% $states.input %}"}


@pytest.mark.parametrize("hinted", HINTED)
def test_only_who_may_be_told_waits_for_it(states: dict[str, Any], hinted: str) -> None:
    (way,) = [each for each in states["What next?"]["Choices"] if each["Next"] == hinted]

    assert "$states.input.hooked = true" in way["Condition"]


@pytest.mark.parametrize("hinted", HINTED)
def test_a_hint_that_was_there_before_the_wait_is_not_missed(
    states: dict[str, Any], hinted: str
) -> None:
    write = states[hinted]["Arguments"]

    assert states[hinted]["Resource"].endswith(":aws-sdk:dynamodb:updateItem.waitForTaskToken")
    assert write["ExpressionAttributeValues"] == {
        ":wake": {"S": "{% $states.context.Task.Token %}"}
    }
    assert "attribute_not_exists(hinted)" in write["ConditionExpression"]


class Client:
    """DynamoDB that has one item, and notes the updates of it."""

    def __init__(self, **item: dict[str, str]) -> None:
        self._item = item
        self.updates: list[Any] = []

    def update_item(self, **request: Any) -> dict[str, Any]:
        self.updates.append(request)
        return {"Attributes": self._item}


@pytest.mark.parametrize("hinted", HINTED)
def test_a_hint_finds_the_task_that_waits_for_it(states: dict[str, Any], hinted: str) -> None:
    write = states[hinted]["Arguments"]
    (task,) = re.findall(r"SET (\w+) = :wake", write["UpdateExpression"])
    (noted,) = re.findall(r"attribute_not_exists\((\w+)\)", write["ConditionExpression"])
    client = Client(**{task: {"S": "token"}})
    refreshes = RefreshTable(cast("DynamoDBClient", client), table="r", connections="c", events="e")

    assert refreshes.note_webhook("ref_1", by="digest") == "token"
    refreshes.forget_webhooks("ref_1")
    hint, listen = client.updates
    assert hint["UpdateExpression"].startswith(f"SET {noted} = ")
    assert set(re.findall(r"\w+", listen["UpdateExpression"])) == {"REMOVE", noted, task}
    assert write["Key"].keys() == hint["Key"].keys()


def test_what_a_person_types_as_refresh_id_is_not_believed(states: dict[str, Any]) -> None:
    output = states["Trigger"]["Catch"][-1]["Output"]

    assert "'refresh_id': $states.context.Execution.Name" in output
    assert "Input.refresh_id" not in output


def test_the_longest_refresh_stays_within_the_history(states: dict[str, Any]) -> None:
    """Each turn of the loop takes the hold at least, within the call or in the Wait state."""
    wait, choice, task, attempt = 2, 2, 5, 3
    worst_task = task + attempt * states["CheckStatus"]["Retry"][0]["MaxAttempts"]
    turns = MAX_DEADLINE_SECONDS // HOLD_SECONDS

    again = states["Conclude"]["Retry"][-1]
    concluding = attempt * SLOT_SECONDS / (again["MaxDelaySeconds"] / 2)

    assert turns * (worst_task + choice + wait) + concluding < HISTORY * 5 / 6


def test_a_step_that_is_tried_all_the_time_stays_within_the_history(
    states: dict[str, Any],
) -> None:
    assert 3 * states["CheckStatus"]["Retry"][-1]["MaxAttempts"] < HISTORY / 2


def test_the_longest_fetch_stays_within_the_history(
    local: Template, machine: dict[str, Any]
) -> None:
    """Each way through Wait takes the hold at least: in pauses, or in a call that is at its end.

    That leaves room for a retry of one of its tasks each time.
    """
    wait, choice, task, attempt = 2, 2, 5, 3
    fetching = local.one("Lambda::Function", "FetchDataDoor")["Timeout"] - MARGIN_SECONDS
    turns = machine["TimeoutSeconds"] // HOLD_SECONDS

    assert fetching - HOLD_SECONDS > HOLD_SECONDS
    assert turns * (wait + task + choice + task) < HISTORY * 4 / 5
    assert turns * (wait + task + choice + task + attempt) < HISTORY


def test_the_machine_ends_what_has_lost_sight_of_its_deadline(machine: dict[str, Any]) -> None:
    assert machine["TimeoutSeconds"] == MAX_DEADLINE_SECONDS + SLOT_SECONDS


@pytest.mark.parametrize("name", ["RefreshMachine", "PushMachine", "RefreshAllMachine"])
def test_executions_are_traced_and_logged_without_what_they_carry(
    local: Template, name: str
) -> None:
    found = local.one("StepFunctions::StateMachine", name)

    assert found["TracingConfiguration"] == {"Enabled": True}
    assert found["LoggingConfiguration"]["Level"] == "ALL"
    assert found["LoggingConfiguration"]["IncludeExecutionData"] is False
