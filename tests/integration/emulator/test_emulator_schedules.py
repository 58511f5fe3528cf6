"""The behaviour of the local EventBridge Scheduler that connections' schedules need."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.local.aws import ACCOUNT, REGION, emulator, session
from infra.local.programs import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_scheduler.client import EventBridgeSchedulerClient
    from mypy_boto3_scheduler.type_defs import FlexibleTimeWindowTypeDef, TargetTypeDef

TARGET: TargetTypeDef = {
    "Arn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:none",
    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none",
}
OFF: FlexibleTimeWindowTypeDef = {"Mode": "OFF"}
HOURLY = "rate(1 hour)"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(free_port(), tmp_path_factory.mktemp("schedules"), iam=True) as found:
        scheduler = session().client("scheduler", endpoint_url=found)
        for group in ("ours", "theirs"):
            scheduler.create_schedule_group(Name=group)
        yield found


@pytest.fixture
def scheduler(endpoint: str) -> EventBridgeSchedulerClient:
    return session().client("scheduler", endpoint_url=endpoint)


def refusal(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_a_change_takes_the_place_of_all_that_was_said_before(
    scheduler: EventBridgeSchedulerClient,
) -> None:
    scheduler.create_schedule(
        GroupName="ours",
        Name="changed",
        ScheduleExpression="cron(0 3 * * ? *)",
        ScheduleExpressionTimezone="Europe/Berlin",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        Target=TARGET,
    )
    made = scheduler.get_schedule(GroupName="ours", Name="changed")
    scheduler.update_schedule(
        GroupName="ours",
        Name="changed",
        ScheduleExpression=HOURLY,
        FlexibleTimeWindow=OFF,
        Target=TARGET,
    )
    changed = scheduler.get_schedule(GroupName="ours", Name="changed")

    assert made["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert made["FlexibleTimeWindow"]["MaximumWindowInMinutes"] == 15
    assert (changed["ScheduleExpression"], changed["ScheduleExpressionTimezone"]) == (HOURLY, "UTC")
    assert changed["FlexibleTimeWindow"] == {"Mode": "OFF"}


@pytest.mark.parametrize("expression", ["cron(0 3 * * * *)", "rate(hour)", "daily"])
def test_an_expression_that_would_never_fire_is_refused(
    scheduler: EventBridgeSchedulerClient, expression: str
) -> None:
    with pytest.raises(ClientError) as caught:
        scheduler.create_schedule(
            GroupName="ours",
            Name="refused",
            ScheduleExpression=expression,
            FlexibleTimeWindow=OFF,
            Target=TARGET,
        )
    assert refusal(caught) == "ValidationException"


def test_a_schedule_is_allowed_by_its_group(
    endpoint: str, scheduler: EventBridgeSchedulerClient
) -> None:
    limited = member(endpoint, may=f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/ours/*")
    for group in ("ours", "theirs"):
        scheduler.create_schedule(
            GroupName=group,
            Name="there",
            ScheduleExpression=HOURLY,
            FlexibleTimeWindow=OFF,
            Target=TARGET,
        )
    limited.create_schedule(
        GroupName="ours",
        Name="own",
        ScheduleExpression=HOURLY,
        FlexibleTimeWindow=OFF,
        Target=TARGET,
    )
    limited.delete_schedule(GroupName="ours", Name="there")

    with pytest.raises(ClientError) as caught:
        limited.delete_schedule(GroupName="theirs", Name="there")
    assert refusal(caught) == "AccessDeniedException"
    assert scheduler.get_schedule(GroupName="theirs", Name="there")["Name"] == "there"


def member(endpoint: str, *, may: str) -> EventBridgeSchedulerClient:
    """Someone who may do anything with schedules, but only with these."""
    iam = session().client("iam", endpoint_url=endpoint)
    iam.create_user(UserName="member")
    statement = {"Effect": "Allow", "Action": "scheduler:*", "Resource": may}
    iam.put_user_policy(
        UserName="member",
        PolicyName="schedules",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    key = iam.create_access_key(UserName="member")["AccessKey"]
    return boto3.client(
        "scheduler",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
