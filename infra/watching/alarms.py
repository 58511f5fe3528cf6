"""The alarms of a stage, and the topic that mails them to the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from functions.core.contract import (
    BREACHED,
    DEPRECATIONS,
    ENDPOINTS_DISABLED,
    FAULTS,
    OWED_EVENTS,
    WITH_OBJECTIVE,
    Door,
)
from functions.core.errors import Action
from infra.function import noun
from infra.watching.metrics import HOUR, PERIOD, of_stage
from infra.watching.runbook import RUNBOOK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aws_cdk import aws_apigateway as apigateway
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_sqs as sqs
    from aws_cdk import aws_stepfunctions as sfn

    from infra.config import Stage
    from infra.function import DoorFunction

URGENT: Final = {"OperatorFaults": Action.CONTACT_OPERATOR, "DefectFaults": Action.REPORT}
"""Alarms that one fault rings. What an end user or a caller has to do, they are told themselves."""

PERCENT: Final = 10
HANDFUL: Final = 10
"""In an hour. Faults that a retry cures need no operator, and there are always some: their number
grows with the refreshes, so the alarm goes by their share. A tenth means that a provider is down, a
budget is too small or a function cannot run, but a handful is no evidence. The same holds for the
API's answers 5xx, which include providers' faults; its own defects are counted besides."""

BREACHED_PERCENT: Final = 5
"""Of the connections with an objective. Single users who do not sign in again are always some; a
twentieth means that a provider or a schedule fails."""

ALWAYS_A_FAULT: Final = frozenset({"BulkRuns"})
"""A run fails only where it could not go through its list, whatever becomes of those on it. Of the
other executions, doors count their failures by what to do about them."""

ANSWERING: Final = (Door.API, Door.CONNECT)
"""Doors that raise for nothing but a fault."""

ENDINGS: Final = (
    *(Door.CONCLUDE, Door.PUSH, Door.BULK, Door.RECONCILE, Door.TEND, Door.ANNOUNCE),
    Door.WATCH,
)
"""Doors that are called from outside, when an execution has failed, for whatever reason, or by the
clock, and then raise for a fault only. Lambda drops such a call after its third failure: the door
cannot run."""

STREAM_SECONDS: Final = 10 * 60
LANES_PERIOD: Final = cdk.Duration.minutes(15)
LANES_SENT: Final = 5
"""Messages in that time of which one must have been answered. The clock sends one every two minutes
for an endpoint that has something due. Their age tells nothing: behind an endpoint that is busy for
hours, its own messages wait."""

Metric = cloudwatch.Metric | cloudwatch.MathExpression


class Watched(NamedTuple):
    """A metric with the ``threshold`` of its alarm. ``RUNBOOK`` says what to do about it.

    The alarm rings once the threshold is reached in so many ``periods`` in a row.
    """

    name: str
    metric: Metric
    threshold: int
    periods: int = 1


class Queues(NamedTuple):
    """The queues of a stage: what reached no target, and endpoints whose turn comes."""

    undelivered: sqs.Queue
    lanes: sqs.Queue


class Alarms(Construct):
    """One alarm for each thing that can need a person; all write to the stage's address."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        doors: Mapping[Door, DoorFunction],
        machines: Mapping[str, sfn.StateMachine],
        api: apigateway.RestApi,
        queues: Queues,
        key: kms.Key,
        stage: Stage,
    ) -> None:
        super().__init__(scope, id_)
        self.queues = queues
        email = stage.alarm_email
        topic = self._topic(key, email, undelivered=queues.undelivered) if email else None
        waiting = queues.undelivered.metric_approximate_number_of_messages_visible(period=PERIOD)
        age = doors[Door.ANNOUNCE].function.metric(
            "IteratorAge", statistic=cloudwatch.Stats.MAXIMUM, period=PERIOD
        )
        watched = (
            *_of_faults(machines, stage=stage),
            *_of_machines(machines),
            *_of_doors(doors),
            _of_api(api.deployment_stage),
            Watched("Breaches", _breaches(stage), BREACHED_PERCENT, periods=3),
            Watched("Undelivered", waiting, 1),
            Watched("OwedEvents", of_stage(OWED_EVENTS, stage=stage), 1),
            Watched("EndpointsDisabled", of_stage(ENDPOINTS_DISABLED, stage=stage), 1),
            Watched("StreamAge", age, STREAM_SECONDS * 1000),
            Watched("LanesStuck", _stuck(queues.lanes), 1),
            Watched("Deprecations", of_stage(DEPRECATIONS, stage=stage, period=HOUR), 1),
        )
        self.all = [self._alarm(each, stage=stage) for each in watched]
        for alarm in self.all:
            if topic:
                alarm.add_alarm_action(actions.SnsAction(topic))

    def _alarm(self, watched: Watched, *, stage: Stage) -> cloudwatch.Alarm:
        return watched.metric.create_alarm(
            self,
            watched.name,
            alarm_name=f"Freshet-{stage.name}-{watched.name}",
            alarm_description=RUNBOOK[watched.name].describe(),
            threshold=watched.threshold,
            evaluation_periods=watched.periods,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _topic(self, key: kms.Key, email: str, *, undelivered: sqs.Queue) -> sns.Topic:
        topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=True)
        # A topic with a policy of its own, as that which refuses plain HTTP, has lost the one by
        # which everything of the account may publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AllowAlarms",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
            )
        )
        topic.add_subscription(
            subscriptions.EmailSubscription(email, dead_letter_queue=undelivered)
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
            )
        )
        return topic


def _of_faults(machines: Mapping[str, sfn.StateMachine], *, stage: Stage) -> Iterator[Watched]:
    for name, action in URGENT.items():
        yield Watched(name, of_stage(FAULTS, stage=stage, action=action), 1)
    retry = of_stage(FAULTS, stage=stage, period=HOUR, action=Action.RETRY)
    well = {
        what.lower(): machine.metric_succeeded(period=HOUR)
        for what, machine in machines.items()
        if what not in ALWAYS_A_FAULT
    }
    share = _share(retry, of={"faults": retry, **well})
    yield Watched("RetryFaults", share, PERCENT)


def _of_api(stage: apigateway.Stage) -> Watched:
    faults = stage.metric_server_error(period=HOUR)
    share = _share(faults, of={"calls": stage.metric_count(period=HOUR)})
    return Watched("ApiFaults", share, PERCENT)


def _breaches(stage: Stage) -> cloudwatch.MathExpression:
    def measured(name: str) -> cloudwatch.Metric:
        return of_stage(name, stage=stage, period=HOUR, statistic=cloudwatch.Stats.MAXIMUM)

    return _share(measured(BREACHED), of={"watched": measured(WITH_OBJECTIVE)})


def _stuck(lanes: sqs.Queue) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        expression=f"IF(sent >= {LANES_SENT} AND FILL(answered, 0) == 0, 1, 0)",
        using_metrics={
            "sent": lanes.metric_number_of_messages_sent(period=LANES_PERIOD),
            "answered": lanes.metric_number_of_messages_deleted(period=LANES_PERIOD),
        },
        period=LANES_PERIOD,
    )


def _share(
    faults: cloudwatch.Metric, *, of: Mapping[str, cloudwatch.Metric]
) -> cloudwatch.MathExpression:
    """Percentage of faults; 0 below a handful."""
    # Where nothing went well there is no number, and without FILL no sum either.
    everything = " + ".join(f"FILL({name}, 0)" for name in of)
    return cloudwatch.MathExpression(
        expression=f"IF(faults >= {HANDFUL}, 100 * faults / ({everything}), 0)",
        using_metrics={"faults": faults, **of},
        period=HOUR,
    )


def _of_machines(machines: Mapping[str, sfn.StateMachine]) -> Iterator[Watched]:
    for what, machine in machines.items():
        if what in ALWAYS_A_FAULT:
            yield Watched(f"Failed{what}", machine.metric_failed(period=PERIOD), 1)
        yield Watched(f"Stuck{what}", machine.metric_timed_out(period=PERIOD), 1)


def _of_doors(doors: Mapping[Door, DoorFunction]) -> Iterator[Watched]:
    for door in ANSWERING:
        errors = doors[door].function.metric_errors(period=PERIOD)
        yield Watched(f"{noun(door)}Errors", errors, 1)
    for door in ENDINGS:
        dropped = doors[door].function.metric(
            "AsyncEventsDropped", statistic=cloudwatch.Stats.SUM, period=PERIOD
        )
        yield Watched(f"{noun(door)}Dropped", dropped, 1)
