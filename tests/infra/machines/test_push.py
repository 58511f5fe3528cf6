"""The state machine ``Push``, read as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.core.contract import (
    MAX_DEADLINE_SECONDS,
    SLOT_SECONDS,
    SYNCHRONOUS_SECONDS,
    PushTicketOutcome,
)
from functions.core.polling import pause
from tests.infra.machines.test_refresh import HISTORY

if TYPE_CHECKING:
    from tests.support.cloudformation.template import Template


@pytest.fixture(scope="session")
def machine(local: Template) -> dict[str, Any]:
    return local.definition("Push")


@pytest.fixture(scope="session")
def states(machine: dict[str, Any]) -> dict[str, Any]:
    return dict(machine["States"])


def test_it_has_no_more_states_than_it_needs_and_speaks_jsonata(
    machine: dict[str, Any], states: dict[str, Any]
) -> None:
    assert set(states) == {"Push", "What next?", "Wait", "EndPush", "Done"}
    assert (machine["StartAt"], machine["QueryLanguage"]) == ("Push", "JSONata")
    assert machine["TimeoutSeconds"] == MAX_DEADLINE_SECONDS + SLOT_SECONDS


@pytest.mark.parametrize("task", ["Push", "EndPush"])
def test_a_task_calls_the_door_waits_longer_than_it_runs_and_retries_the_platform_s_faults(
    local: Template, states: dict[str, Any], task: str
) -> None:
    function = local.one("Lambda::Function", "PushDoor")
    broke_off, away, again = states[task]["Retry"]

    assert states[task]["Arguments"]["FunctionName"].startswith("<PushDoorFunction")
    assert 0 < states[task]["TimeoutSeconds"] - function["Timeout"] <= 10
    assert {error.partition(".")[0] for error in broke_off["ErrorEquals"]} == {
        "Lambda",
        "Sandbox",
        "Runtime",
        *([] if task == "EndPush" else ["PlatformFault"]),
    }
    assert (again["ErrorEquals"], again["MaxAttempts"]) == (["TryAgain"], 2000)
    assert (away["MaxAttempts"] == again["MaxAttempts"]) is (task == "EndPush")


def test_a_call_outlives_a_synchronous_attempt(local: Template) -> None:
    """The attempt of a call that may still be alive is not taken for one that was left behind."""
    assert local.one("Lambda::Function", "PushDoor")["Timeout"] > SYNCHRONOUS_SECONDS


@pytest.mark.parametrize(
    ("outcome", "then"),
    [
        (PushTicketOutcome.DONE, "Done"),
        (PushTicketOutcome.RUNNING, "Wait"),
        (PushTicketOutcome.FAILED, "EndPush"),
    ],
)
def test_the_choice_goes_by_the_outcome(
    states: dict[str, Any], outcome: PushTicketOutcome, then: str
) -> None:
    choice = states["What next?"]

    assert states["Push"]["Next"] == "What next?"
    assert [each["Next"] for each in choice["Choices"] if f"'{outcome}'" in each["Condition"]] == [
        then
    ]
    assert choice["Default"] == "EndPush"
    assert states["Wait"]["Next"] == "Push"


def test_whatever_breaks_a_push_ends_it(states: dict[str, Any]) -> None:
    named, last = states["Push"]["Catch"]

    assert named["ErrorEquals"] == ["States.DataLimitExceeded"]
    assert last["ErrorEquals"] == ["States.ALL"]
    assert (named["Next"], last["Next"]) == ("EndPush", "EndPush")
    assert "$states.errorOutput.Error" in last["Output"]


def test_nothing_follows_the_end_and_it_always_has_an_error(states: dict[str, Any]) -> None:
    assert states["EndPush"]["End"] is True
    assert "Catch" not in states["EndPush"]
    assert states["EndPush"]["Arguments"]["Payload"] == (
        "{% $merge([{'error': 'Defect'}, $states.input]) %}"
    )


def test_the_longest_push_stays_within_the_history(states: dict[str, Any]) -> None:
    """It leaves its calls when it is told to come later, ever later, and between planned looks."""
    task = 5 + 3 * states["Push"]["Retry"][0]["MaxAttempts"]
    choice = wait = 2
    later, at = 0, 0.0
    while at < MAX_DEADLINE_SECONDS:
        at += max(60.0, pause(at))
        later += 1
    looks, at = 0, 0.0
    while at < MAX_DEADLINE_SECONDS:
        at += pause(at)
        looks += 1

    assert (later + looks) * (task + choice + wait) < HISTORY * 4 / 5
