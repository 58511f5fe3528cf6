"""What somebody should be told about, and the topic that tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from functions.core.contract import FAULTS, SERVICE, Door
from functions.core.errors import Acts
from infra.function import noun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aws_cdk import aws_apigateway as apigateway
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_sqs as sqs
    from aws_cdk import aws_stepfunctions as sfn

    from infra.config import Stage
    from infra.function import DoorFunction

PERIOD: Final = cdk.Duration.minutes(5)
HOUR: Final = cdk.Duration.hours(1)

NEED_SOMEBODY: Final = (Acts.OPERATOR, Acts.DEFECT)
"""One is enough. What a user or a caller has to do, they are told themselves."""

PERCENT: Final = 10
HANDFUL: Final = 10
"""In an hour. What is gone when it is tried again needs nobody, and some of it is there always:
the more, the more is refreshed, so it is a share that tells. A tenth is a provider that is down, a
budget that is too small, or a function that cannot run; but not where they are a handful. So it is
with the API's answers 5xx, which tell of providers, too: a defect of its own is counted besides."""

ALWAYS_A_FAULT: Final = frozenset({"BulkRuns"})
"""A run fails only where it could not go through its list, whatever becomes of those on it. Of the
other executions, doors count who has to act on how they fail."""

ENDINGS: Final = (Door.CONCLUDE, Door.PUSH, Door.BULK)
"""Doors that are called from outside when an execution has failed, for whatever reason, and then
raise for a fault only. Lambda drops such a call after its third failure: the door cannot run."""

Watched = tuple[str, cloudwatch.Metric | cloudwatch.MathExpression, int]


class Alarms(Construct):
    """One alarm for each thing that can need a person; they write to ``email`` if there is one."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        doors: Mapping[Door, DoorFunction],
        machines: Mapping[str, sfn.StateMachine],
        api: apigateway.RestApi,
        undelivered: sqs.Queue,
        key: kms.Key,
        stage: Stage,
    ) -> None:
        super().__init__(scope, id_)
        email = stage.alarm_email
        topic = self._topic(key, email, undelivered=undelivered) if email else None
        waiting = undelivered.metric_approximate_number_of_messages_visible(period=PERIOD)
        watched = (
            *_of_faults(machines, stage=stage),
            *_of_machines(machines),
            *_of_doors(doors),
            _of_api(api.deployment_stage),
            ("Undelivered", waiting, 1),
        )
        for each in watched:
            alarm = self._alarm(each)
            if topic:
                alarm.add_alarm_action(actions.SnsAction(topic))

    def _alarm(self, watched: Watched) -> cloudwatch.Alarm:
        name, metric, threshold = watched
        return metric.create_alarm(
            self,
            name,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _topic(self, key: kms.Key, email: str, *, undelivered: sqs.Queue) -> sns.Topic:
        topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=True)
        topic.add_subscription(
            subscriptions.EmailSubscription(email, dead_letter_queue=undelivered)
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
            )
        )
        return topic


def _of_faults(machines: Mapping[str, sfn.StateMachine], *, stage: Stage) -> Iterator[Watched]:
    for acts in NEED_SOMEBODY:
        yield f"{acts.title()}Faults", _faults(acts, stage=stage, period=PERIOD), 1
    retry = _faults(Acts.RETRY, stage=stage, period=HOUR)
    well = {
        what.lower(): machine.metric_succeeded(period=HOUR)
        for what, machine in machines.items()
        if what not in ALWAYS_A_FAULT
    }
    yield f"{Acts.RETRY.title()}Faults", _share(retry, of={"faults": retry, **well}), PERCENT


def _of_api(stage: apigateway.Stage) -> Watched:
    faults = stage.metric_server_error(period=HOUR)
    return "ApiFaults", _share(faults, of={"calls": stage.metric_count(period=HOUR)}), PERCENT


def _faults(acts: Acts, *, stage: Stage, period: cdk.Duration) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=stage.metrics,
        metric_name=FAULTS,
        dimensions_map={"service": SERVICE, "acts": acts},
        statistic=cloudwatch.Stats.SUM,
        period=period,
    )


def _share(
    faults: cloudwatch.Metric, *, of: Mapping[str, cloudwatch.Metric]
) -> cloudwatch.MathExpression:
    """How many in a hundred of these are faults; 0 where those are a handful."""
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
            yield f"Failed{what}", machine.metric_failed(period=PERIOD), 1
        yield f"Stuck{what}", machine.metric_timed_out(period=PERIOD), 1


def _of_doors(doors: Mapping[Door, DoorFunction]) -> Iterator[Watched]:
    # Of all doors, it alone raises for a fault only, whoever calls it.
    yield "ApiErrors", doors[Door.API].function.metric_errors(period=PERIOD), 1
    for door in ENDINGS:
        function = doors[door].function
        dropped = function.metric(
            "AsyncEventsDropped", statistic=cloudwatch.Stats.SUM, period=PERIOD
        )
        yield f"{noun(door)}Dropped", dropped, 1
