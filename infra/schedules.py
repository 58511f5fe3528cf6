"""What starts refreshes by the clock: where connections' schedules are, and what they may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from functions.core.contract import Variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_sqs as sqs
    from aws_cdk import aws_stepfunctions as sfn

SERVICE: Final = "scheduler.amazonaws.com"


class Schedules(Construct):
    """``group`` holds one schedule a connection, which the API makes; they start refreshes.

    ``role`` is as whom. ``arns`` names the schedules, present and to come.
    """

    def __init__(
        self, scope: Construct, id_: str, *, machine: sfn.IStateMachine, undelivered: sqs.IQueue
    ) -> None:
        super().__init__(scope, id_)
        self.group = scheduler.CfnScheduleGroup(self, "Group")
        self.role = iam.Role(
            self,
            "Role",
            description="Starts refreshes for the schedules of connections",
            assumed_by=iam.ServicePrincipal(SERVICE, conditions=self._only_for_the_group()),
        )
        machine.grant_start_execution(self.role)
        self.role.add_to_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[undelivered.queue_arn])
        )
        self.arns = cdk.Stack.of(self).format_arn(
            service="scheduler", resource="schedule", resource_name=f"{self.group.ref}/*"
        )
        self._undelivered = undelivered

    def environment(self) -> Mapping[Variable, str]:
        """What whoever makes schedules must know."""
        return {
            Variable.SCHEDULE_GROUP: self.group.ref,
            Variable.SCHEDULE_ROLE: self.role.role_arn,
            Variable.UNDELIVERED: self._undelivered.queue_arn,
        }

    def _only_for_the_group(self) -> dict[str, dict[str, str]]:
        """Scheduler's guide names the group as what asks for a role, not the schedule."""
        return {
            "StringEquals": {
                "aws:SourceAccount": cdk.Aws.ACCOUNT_ID,
                "aws:SourceArn": self.group.attr_arn,
            }
        }
