"""What happens by itself: schedules, endings, alarms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from functions.core.contract import RefreshRequest, Ticket
from functions.core.errors import BY_NAME
from tests.infra.template import flat

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.template import Template

NIGHTLY = {"expression": "cron(15 2 * * ? *)", "connection_id": "con_1", "enabled": True}
"""A stage whose owner wants one connection refreshed every night."""


@pytest.fixture(scope="session")
def nightly(synthesised: Callable[..., Template], stages: dict[str, Any]) -> Template:
    return synthesised(stages={"local": stages["local"] | {"nightly": NIGHTLY}})


def test_the_nightly_schedule_is_off_until_a_stage_turns_it_on(
    local: Template, nightly: Template
) -> None:
    assert local.one("Events::Rule", "Nightly")["State"] == "DISABLED"
    assert nightly.one("Events::Rule", "Nightly")["State"] == "ENABLED"
    assert nightly.one("Events::Rule", "Nightly")["ScheduleExpression"] == NIGHTLY["expression"]


def test_the_nightly_schedule_asks_the_machine_as_anyone_may(nightly: Template) -> None:
    (target,) = nightly.one("Events::Rule", "Nightly")["Targets"]
    request = msgspec.json.decode(target["Input"], type=RefreshRequest)

    assert flat(target["Arn"]).startswith("<RefreshMachine")
    assert (request.connection_id, request.reason) == ("con_1", "schedule")


def test_a_schedule_that_is_on_needs_a_connection(
    synthesised: Callable[..., Template], stages: dict[str, Any]
) -> None:
    stage = stages["local"] | {"nightly": {"enabled": True}}

    with pytest.raises(ValueError, match="needs a connection_id"):
        synthesised(stages={"local": stage})


def test_an_execution_that_did_not_end_its_refresh_calls_conclude(local: Template) -> None:
    rule = local.one("Events::Rule", "Ending")

    assert rule["EventPattern"]["source"] == ["aws.states"]
    assert rule["EventPattern"]["detail"]["status"] == ["ABORTED", "TIMED_OUT", "FAILED"]
    (machine,) = rule["EventPattern"]["detail"]["stateMachineArn"]
    assert flat(machine).startswith("<RefreshMachine")
    assert flat(rule["Targets"][0]["Arn"]).startswith("<ConcludeDoorFunction")


def test_conclude_is_called_with_a_ticket_for_the_refresh_of_the_execution_s_name(
    local: Template,
) -> None:
    (target,) = local.one("Events::Rule", "Ending")["Targets"]
    transformer = target["InputTransformer"]
    ((variable, path),) = transformer["InputPathsMap"].items()
    event = transformer["InputTemplate"].replace(f"<{variable}>", json.dumps("the-name"))
    ticket = msgspec.json.decode(event, type=Ticket)

    assert path == "$.detail.name"
    assert ticket.refresh_id == "the-name"
    assert ticket.outcome == "aborted"
    assert ticket.error in BY_NAME


def test_an_event_that_reaches_nobody_is_kept_for_two_weeks(local: Template) -> None:
    queue = local.one("SQS::Queue")
    targets = [rule["Properties"]["Targets"][0] for rule in local.all("Events::Rule").values()]

    assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
    assert queue["SqsManagedSseEnabled"] is True
    assert len(targets) == 2
    for target in targets:
        assert flat(target["DeadLetterConfig"]["Arn"]).startswith("<Undelivered")


def test_a_missed_night_is_not_made_up_for_in_the_morning(local: Template) -> None:
    (target,) = local.one("Events::Rule", "Nightly")["Targets"]

    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 7200, "MaximumRetryAttempts": 10}


def test_there_is_an_alarm_for_everything_that_can_need_a_person(local: Template) -> None:
    found = {name.removeprefix("Alarms")[:-8] for name in local.all("CloudWatch::Alarm")}

    assert found == {
        "ApiErrors",
        "ApiFaults",
        "CheckStatusErrors",
        "FailedRefreshes",
        "StuckRefreshes",
        "Undelivered",
    }


def test_alarms_write_to_whom_the_stage_names(
    synthesised: Callable[..., Template], local: Template, stages: dict[str, Any]
) -> None:
    stage = stages["local"] | {"alarm_email": "ops@example.com"}
    told = synthesised(stages={"local": stage})

    assert local.all("SNS::Topic") == {}
    assert told.one("SNS::Subscription")["Endpoint"] == "ops@example.com"
    assert "KmsMasterKeyId" in told.one("SNS::Topic")
    for alarm in told.all("CloudWatch::Alarm").values():
        assert [flat(action)[:12] for action in alarm["Properties"]["AlarmActions"]] == [
            "<AlarmsTopic"
        ]
