"""What happens by itself: endings, alarms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from functions.core.contract import PushTicket, Ticket
from functions.core.error_names import BY_NAME
from tests.infra.template import flat

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.template import Template


@pytest.mark.parametrize(
    ("name", "machine", "door"),
    [
        pytest.param("Ending", "Refresh", "Conclude", id="of-a-refresh"),
        pytest.param("PushEnding", "Push", "Push", id="of-a-push"),
        pytest.param("BulkEnding", "RefreshAll", "Bulk", id="of-a-bulk-run"),
    ],
)
def test_an_execution_that_ended_nothing_has_its_door_called(
    local: Template, name: str, machine: str, door: str
) -> None:
    rule = local.one("Events::Rule", name)

    assert rule["EventPattern"]["source"] == ["aws.states"]
    assert rule["EventPattern"]["detail"]["status"] == ["ABORTED", "TIMED_OUT", "FAILED"]
    (watched,) = rule["EventPattern"]["detail"]["stateMachineArn"]
    assert flat(watched).startswith(f"<{machine}Machine")
    (target,) = rule["Targets"]
    assert flat(target["Arn"]).startswith(f"<{door}DoorFunction")
    assert flat(target["DeadLetterConfig"]["Arn"]).startswith("<Undelivered")


def _told(template: Template, rule: str) -> str:
    """What a rule's door is called with for an execution that is called the-name."""
    (target,) = template.one("Events::Rule", rule)["Targets"]
    transformer = target["InputTransformer"]
    ((variable, path),) = transformer["InputPathsMap"].items()
    assert path == "$.detail.name"
    event: str = transformer["InputTemplate"].replace(f"<{variable}>", json.dumps("the-name"))
    return event


def test_conclude_is_called_with_a_ticket_for_the_refresh_of_the_execution_s_name(
    local: Template,
) -> None:
    ticket = msgspec.json.decode(_told(local, "Ending"), type=Ticket)

    assert ticket.refresh_id == "the-name"
    assert ticket.outcome == "aborted"
    assert ticket.error in BY_NAME


def test_push_is_called_with_a_ticket_for_the_push_in_the_execution_s_name(
    local: Template,
) -> None:
    ticket = msgspec.json.decode(_told(local, "PushEnding"), type=PushTicket)

    assert (ticket.push_id, ticket.outcome) == ("the-name", "aborted")
    assert ticket.error in BY_NAME


def test_an_event_that_reaches_nobody_is_kept_for_two_weeks(local: Template) -> None:
    queue = local.one("SQS::Queue")

    assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
    assert queue["SqsManagedSseEnabled"] is True


def test_there_is_an_alarm_for_everything_that_can_need_a_person(local: Template) -> None:
    found = {name.removeprefix("Alarms")[:-8] for name in local.all("CloudWatch::Alarm")}

    assert found == {
        "ApiErrors",
        "ApiFaults",
        "CheckStatusErrors",
        "FailedBulkRuns",
        "FailedPushes",
        "FailedRefreshes",
        "StuckBulkRuns",
        "StuckPushes",
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
