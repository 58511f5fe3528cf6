"""What happens when an execution ends without its Conclude, and where lost events go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from functions.core.contract import PAYLOAD_VERSION, Outcome
from functions.core.errors import Aborted

if TYPE_CHECKING:
    from aws_cdk import aws_stepfunctions as sfn

    from infra.function import DoorFunction


class Undelivered(sqs.Queue):
    """Events that reached no target in time. Whoever gets its alarm looks here for them."""

    def __init__(self, scope: Construct, id_: str) -> None:
        super().__init__(
            scope,
            id_,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )


class Ending(Construct):
    """Calls ``conclude`` for an execution that was stopped, timed out or broke.

    The connection's slot is free at once then, and not only when it runs out. A refresh that
    has ended already stays as it is. ``conclude`` finds the connection by the refresh's id,
    and does not fail for an execution that has ended.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        machine: sfn.IStateMachine,
        conclude: DoorFunction,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id_)
        rule = events.Rule(
            self,
            "Rule",
            description="Ends the refresh of an execution that did not end it itself",
            event_pattern=_broke(machine),
        )
        rule.add_target(
            targets.LambdaFunction(
                conclude.function, event=_ticket(), dead_letter_queue=undelivered
            )
        )


def _broke(machine: sfn.IStateMachine) -> events.EventPattern:
    return events.EventPattern(
        source=["aws.states"],
        detail_type=["Step Functions Execution Status Change"],
        detail={
            "stateMachineArn": [machine.state_machine_arn],
            "status": ["ABORTED", "TIMED_OUT", "FAILED"],
        },
    )


def _ticket() -> events.RuleTargetInput:
    return events.RuleTargetInput.from_object(
        {
            "v": PAYLOAD_VERSION,
            "outcome": Outcome.ABORTED,
            "refresh_id": events.EventField.from_path("$.detail.name"),
            "connection_id": "",
            "error": Aborted.name(),
        }
    )
