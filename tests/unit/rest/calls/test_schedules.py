"""Schedules as the API reads and shows them, and Scheduler's refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from functions.aws.schedules import REFUSED, Schedules
from functions.core.contract import Schedule
from functions.core.errors import InvalidRequest
from functions.core.model import iso
from functions.rest.body import decode
from functions.rest.calls.connections import connection_out
from functions.rest.calls.schedules import ScheduleIn
from tests.support.scripted_connector import CONNECTION, a_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_scheduler.client import EventBridgeSchedulerClient

HOURLY = Schedule(expression="rate(1 hour)")
AT = 1_800_000_000.0


def test_a_schedule_says_when_and_the_rest_has_defaults() -> None:
    given = decode(b'{"expression": "rate(1 hour)"}', ScheduleIn)
    assert msgspec.to_builtins(given) == {
        "expression": "rate(1 hour)",
        "time_zone": "UTC",
        "jitter_minutes": 0,
        "max_age_seconds": None,
        "datasets": None,
    }


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"expression": None}, id="no-expression"),
        pytest.param({"expression": ""}, id="an-empty-expression"),
        pytest.param({"expression": "x" * 257}, id="a-long-expression"),
        pytest.param({"time_zone": ""}, id="an-empty-zone"),
        pytest.param({"time_zone": "x" * 51}, id="a-long-zone"),
        pytest.param({"jitter_minutes": -1}, id="jitter-below-0"),
        pytest.param({"jitter_minutes": 1441}, id="jitter-over-a-day"),
        pytest.param({"jitter_minutes": 1.5}, id="a-broken-jitter"),
        pytest.param({"max_age_seconds": -1}, id="a-negative-age"),
        pytest.param({"datasets": []}, id="no-dataset"),
        pytest.param({"datasets": "accounts"}, id="a-name-for-a-list"),
        pytest.param({"deadline_seconds": 60}, id="what-a-schedule-does-not-have"),
        pytest.param({"connection_id": "con_2"}, id="another-connection"),
    ],
)
def test_what_is_no_schedule_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        decode(msgspec.json.encode({"expression": "rate(1 hour)"} | more), ScheduleIn)


def test_a_connection_is_shown_with_its_schedule_and_when_it_ran_and_will() -> None:
    connection = a_connection(schedule=HOURLY, scheduled_at=AT)
    shown = connection_out(connection, at=AT + 9000).schedule
    assert msgspec.to_builtins(shown) == {
        **msgspec.to_builtins(HOURLY),
        "next_run_at": iso(AT + 10_800),
        "last_run_at": iso(AT),
    }
    assert connection_out(a_connection(), at=AT).schedule is None


def test_of_one_that_has_not_run_neither_is_known() -> None:
    shown = connection_out(a_connection(schedule=HOURLY), at=AT).schedule
    assert shown is not None
    assert (shown.next_run_at, shown.last_run_at) == (None, None)


# --- what Scheduler refuses ------------------------------------------------------------------


@pytest.fixture
def client() -> EventBridgeSchedulerClient:
    return boto3.client(
        "scheduler",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def scheduler(client: EventBridgeSchedulerClient) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def schedules(client: EventBridgeSchedulerClient) -> Schedules:
    return Schedules(
        client,
        group="group",
        machine="arn:aws:states:us-east-1:000000000000:stateMachine:refresh",
        role="arn:aws:iam::000000000000:role/schedules",
        undelivered="arn:aws:sqs:us-east-1:000000000000:undelivered",
    )


def test_what_scheduler_does_not_take_is_the_caller_s_to_change(
    scheduler: Stubber, schedules: Schedules
) -> None:
    scheduler.add_client_error("update_schedule", "ValidationException", "canary-4711")
    with pytest.raises(InvalidRequest) as caught:
        schedules.put(CONNECTION, HOURLY)
    assert str(caught.value) == REFUSED


def test_a_role_that_scheduler_may_not_take_on_is_not(
    scheduler: Stubber, schedules: Schedules
) -> None:
    told = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
    scheduler.add_client_error("update_schedule", "ValidationException", told)
    with pytest.raises(ClientError):
        schedules.put(CONNECTION, HOURLY)


def test_a_schedule_that_another_makes_at_the_same_moment_is_changed(
    scheduler: Stubber, schedules: Schedules
) -> None:
    scheduler.add_client_error("update_schedule", "ResourceNotFoundException")
    scheduler.add_client_error("create_schedule", "ConflictException")
    scheduler.add_response("update_schedule", {"ScheduleArn": "arn"})
    schedules.put(CONNECTION, HOURLY)


def test_one_that_is_just_being_changed_is_taken_away_a_moment_later(
    scheduler: Stubber, schedules: Schedules
) -> None:
    scheduler.add_client_error("delete_schedule", "ConflictException")
    scheduler.add_response("delete_schedule", {})
    schedules.remove(CONNECTION)


@pytest.mark.parametrize("refusal", ["ResourceNotFoundException", "ValidationException"])
def test_under_a_name_that_no_schedule_has_or_can_have_nothing_is_taken_away(
    scheduler: Stubber, schedules: Schedules, refusal: str
) -> None:
    scheduler.add_client_error("delete_schedule", refusal)
    schedules.remove("what a person types")
