"""Rules and schedules that call the functions, the queues, and the bus of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
import msgspec
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from functions.core.bulk.model import BulkRequest
from functions.core.contract import PAYLOAD_VERSION, Reason, TicketOutcome, Variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_stepfunctions as sfn

    from infra.config import Nightly, Stage
    from infra.function import DoorFunction

BATCH: Final = 10
PARALLEL: Final = 10
"""How many items a call gets, and how many calls run at a time for one shard of a stream: some 200
events a second, as each takes about 50 ms."""

RETRIES: Final = 20

MOST_LANES: Final = 50
"""How many endpoints are sent to at a time."""

EXECUTION_NAME: Final = events.EventField.from_path("$.detail.name")
EXECUTION_STATUS: Final = events.EventField.from_path("$.detail.status")


class Undelivered(sqs.Queue):
    """Queue of events that reached no target in time; its alarm sends the operator here."""

    def __init__(self, scope: Construct, id_: str) -> None:
        super().__init__(
            scope,
            id_,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )


class Lanes(sqs.Queue):
    """Queue of endpoints that have something due, which calls a door: FIFO, a group an endpoint.

    Its messages are hints, and what is due is in the table of endpoints: so what fails has no
    queue of its own. A message whose call died comes again after six times the door's time, as
    Lambda's guide wants it, and holds up its own endpoint only.
    """

    def __init__(self, scope: Construct, id_: str, *, door: DoorFunction) -> None:
        super().__init__(
            scope,
            id_,
            fifo=True,
            deduplication_scope=sqs.DeduplicationScope.MESSAGE_GROUP,
            fifo_throughput_limit=sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=cdk.Duration.seconds(6 * door.timeout_seconds),
            retention_period=cdk.Duration.hours(1),
        )
        lambda_.EventSourceMapping(
            self,
            "Source",
            target=door.function,
            event_source_arn=self.queue_arn,
            batch_size=1,
            max_concurrency=MOST_LANES,
        )


class Ending(Construct):
    """Calls a door for an execution that was stopped, timed out or broke.

    ``conclude`` ends the refresh: the connection's slot is free at once then, and not only when
    it runs out. ``push`` ends the push. What has ended already stays as it is. Each finds what
    it needs by the execution's name in its ``ticket``, and does not fail for an execution that
    has ended. Lambda calls a door that fails three times within some minutes; what it has not
    ended by then, the door ``reconcile`` has ended for as long as it takes.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        machine: sfn.IStateMachine,
        door: DoorFunction,
        ticket: Mapping[str, str],
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id_)
        rule = events.Rule(
            self,
            "Rule",
            description="Ends what an execution has left without an end",
            event_pattern=_broke(machine),
        )
        rule.add_target(
            targets.LambdaFunction(
                door.function, event=_conclude_input(ticket), dead_letter_queue=undelivered
            )
        )


class Bus(events.EventBus):
    """The bus of the stage's events. Its name is settled: rules of other stacks go by it."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        super().__init__(
            scope,
            id_,
            event_bus_name=f"freshet-{stage.name}",
            description="Freshet: what has ended of connections, refreshes and pushes",
        )


class NewItems(Construct):
    """Calls a door with the keys of a table's new items, by the table's stream.

    A call that fails is repeated, in halves, so that one item keeps few others. What is given up
    is named in the queue; the clock has the door find it in the table.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        table: dynamodb.Table,
        door: DoorFunction,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id_)
        lambda_.EventSourceMapping(
            self,
            "Source",
            target=door.function,
            event_source_arn=table.table_stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=BATCH,
            parallelization_factor=PARALLEL,
            retry_attempts=RETRIES,
            bisect_batch_on_error=True,
            on_failure=sources.SqsDlq(undelivered),
            filters=[
                lambda_.FilterCriteria.filter({"eventName": lambda_.FilterRule.is_equal("INSERT")})
            ],
        )


class RegularCalls(Construct):
    """Calls a door by the clock. A call that fails needs no queue: the next one comes."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        door: DoorFunction,
        every: cdk.Duration,
        description: str,
        event: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(scope, id_)
        told = events.RuleTargetInput.from_object(event) if event else None
        events.Rule(
            self,
            "Rule",
            description=description,
            schedule=events.Schedule.rate(every),
            targets=[targets.LambdaFunction(door.function, event=told, retry_attempts=0)],
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


def _conclude_input(ticket: Mapping[str, str]) -> events.RuleTargetInput:
    told = {"v": PAYLOAD_VERSION, "outcome": TicketOutcome.ABORTED, "error": EXECUTION_STATUS}
    return events.RuleTargetInput.from_object({**told, **ticket})


START_WITHIN: Final = cdk.Duration.hours(2)
"""After that a missed start is not made up for: the next night comes."""


class NightlyRun(Construct):
    """A rule that starts ``RefreshAll``, over all tenants."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        machine: sfn.IStateMachine,
        undelivered: sqs.IQueue,
        nightly: Nightly,
    ) -> None:
        super().__init__(scope, id_)
        request = BulkRequest(**msgspec.structs.asdict(nightly.options), reason=Reason.SCHEDULE)
        events.Rule(
            self,
            "Rule",
            description="Refreshes the connections of every tenant",
            schedule=events.Schedule.expression(nightly.expression),
            targets=[
                targets.SfnStateMachine(
                    machine,
                    input=events.RuleTargetInput.from_object(msgspec.to_builtins(request)),
                    dead_letter_queue=undelivered,
                    max_event_age=START_WITHIN,
                    retry_attempts=10,
                )
            ],
        )


SERVICE: Final = "scheduler.amazonaws.com"


class Schedules(Construct):
    """``group`` holds one schedule a connection, which the API makes; they start refreshes.

    They run as ``role``. ``arns`` matches all schedules of the group.
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
        """Environment of a function that makes schedules."""
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
