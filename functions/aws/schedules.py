"""Connections' schedules in EventBridge Scheduler, in a group of the stack's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.faults import code_of
from functions.aws.tables.dynamodb import retry
from functions.core.contract import Reason, RefreshRequest, Schedule
from functions.core.errors import InvalidRequest

if TYPE_CHECKING:
    from mypy_boto3_scheduler.client import EventBridgeSchedulerClient
    from mypy_boto3_scheduler.type_defs import (
        CreateScheduleInputTypeDef,
        FlexibleTimeWindowTypeDef,
        RetryPolicyTypeDef,
        TargetTypeDef,
    )

RETRY: Final[RetryPolicyTypeDef] = {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10}
"""Scheduler tries for so long to start one firing: the next comes anyway."""

REFUSED: Final = (
    "EventBridge Scheduler does not take this schedule: check expression and time_zone."
)


class Unscheduling:
    """Deletes schedules."""

    def __init__(self, client: EventBridgeSchedulerClient, *, group: str) -> None:
        """Take the group's name."""
        self._client, self._group = client, group

    def remove(self, connection_id: str) -> None:
        """Delete the schedule; what can be no schedule's name has none."""
        unknown = self._client.exceptions
        try:
            retry(
                lambda: self._client.delete_schedule(GroupName=self._group, Name=connection_id),
                when=_is_conflict,
            )
        except (unknown.ResourceNotFoundException, unknown.ValidationException):
            return


class Schedules(Unscheduling):
    """Implements ``core.schedules.Schedules``: a schedule is named by its connection."""

    def __init__(
        self,
        client: EventBridgeSchedulerClient,
        *,
        group: str,
        machine: str,
        role: str,
        undelivered: str,
    ) -> None:
        """Take the group's name, and the ARNs of what is started, of its role, and of a queue.

        The queue gets what could not be started in time.
        """
        super().__init__(client, group=group)
        self._target: TargetTypeDef = {
            "Arn": machine,
            "RoleArn": role,
            "DeadLetterConfig": {"Arn": undelivered},
            "RetryPolicy": RETRY,
        }

    def get(self, connection_id: str) -> Schedule | None:
        """Read a connection's schedule; None if it has none."""
        try:
            found = self._client.get_schedule(GroupName=self._group, Name=connection_id)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        request = msgspec.json.decode(found["Target"]["Input"], type=RefreshRequest)
        return Schedule(
            expression=found["ScheduleExpression"],
            time_zone=found["ScheduleExpressionTimezone"],
            jitter_minutes=found["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0),
            max_age_seconds=request.max_age_seconds,
            datasets=request.datasets,
        )

    def put(self, connection_id: str, schedule: Schedule) -> None:
        """Change the schedule, or make it.

        Raises:
            InvalidRequest: Scheduler refuses it.
        """
        try:
            retry(lambda: self._write(connection_id, schedule), when=_is_conflict)
        except self._client.exceptions.ValidationException as error:
            # The same refusal as for a role that Scheduler may not assume, but for the text.
            if "role" in error.response["Error"]["Message"]:
                raise
            raise InvalidRequest(REFUSED) from None

    def _write(self, connection_id: str, schedule: Schedule) -> None:
        """Write it once; another call that makes it a moment earlier is a conflict."""
        try:
            self._client.update_schedule(**self._request(connection_id, schedule))
        except self._client.exceptions.ResourceNotFoundException:
            self._client.create_schedule(**self._request(connection_id, schedule))

    def _request(self, connection_id: str, schedule: Schedule) -> CreateScheduleInputTypeDef:
        request = RefreshRequest(
            connection_id=connection_id,
            reason=Reason.SCHEDULE,
            max_age_seconds=schedule.max_age_seconds,
            datasets=schedule.datasets,
        )
        return {
            "GroupName": self._group,
            "Name": connection_id,
            "ScheduleExpression": schedule.expression,
            "ScheduleExpressionTimezone": schedule.time_zone,
            "FlexibleTimeWindow": _window(schedule.jitter_minutes),
            "Target": {**self._target, "Input": msgspec.json.encode(request).decode()},
        }


def _is_conflict(error: Exception) -> bool:
    """Scheduler refuses a write that meets another; the SDK does not try it again."""
    return code_of(error) == "ConflictException"


def _window(minutes: int) -> FlexibleTimeWindowTypeDef:
    if minutes == 0:
        return {"Mode": "OFF"}
    return {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": minutes}
