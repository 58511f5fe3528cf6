"""The grants of connections' schedules, and of the functions that make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.cloudformation.template import flat

if TYPE_CHECKING:
    from tests.support.cloudformation.template import Template


def test_schedules_have_a_group_of_the_stack_s_own(local: Template) -> None:
    function = local.one("Lambda::Function", "ApiDoor")
    told = function["Environment"]["Variables"]

    assert len(local.all("Scheduler::ScheduleGroup")) == 1
    assert flat(told["FRESHET_SCHEDULE_GROUP"]).startswith("<SchedulesGroup")
    assert flat(told["FRESHET_SCHEDULE_ROLE"]).startswith("<SchedulesRole")
    assert flat(told["FRESHET_UNDELIVERED"]).startswith("<Undelivered")


def test_a_firing_starts_refreshes_or_is_kept_as_undelivered_and_no_more(local: Template) -> None:
    start, keep = local.statements("SchedulesRole")

    assert start["Action"] == "states:StartExecution"
    assert flat(start["Resource"]).startswith("<RefreshMachine")
    assert keep["Action"] == "sqs:SendMessage"
    assert flat(keep["Resource"]).startswith("<Undelivered")


def test_only_scheduler_acts_in_that_role_and_only_for_the_group(local: Template) -> None:
    role = local.one("IAM::Role", "SchedulesRole")
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    condition = statement["Condition"]["StringEquals"]

    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert flat(condition["aws:SourceAccount"]) == "<AWS::AccountId>"
    assert flat(condition["aws:SourceArn"]).startswith("<SchedulesGroup")


def test_the_api_hands_that_role_to_scheduler_and_nothing_else(local: Template) -> None:
    (statement,) = [
        each for each in local.statements("ApiDoorRole") if each["Action"] == "iam:PassRole"
    ]

    assert flat(statement["Resource"]).startswith("<SchedulesRole")
    assert statement["Condition"] == {
        "StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}
    }


@pytest.mark.parametrize("action", ["iam:PassRole", "scheduler:CreateSchedule"])
def test_no_other_door_makes_schedules(local: Template, action: str) -> None:
    may = [
        name for name in local.all("IAM::Policy") if action in str(local.all("IAM::Policy")[name])
    ]

    assert [name.partition("RoleDefault")[0] for name in may] == ["ApiDoor"]
