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

from functions.core.contract import Door
from infra.function import noun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aws_cdk import aws_apigateway as apigateway
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_sqs as sqs
    from aws_cdk import aws_stepfunctions as sfn

    from infra.function import DoorFunction

PERIOD: Final = cdk.Duration.minutes(5)
FAILED_EXECUTIONS: Final = 10
"""In one period. One user's dead credentials are no reason to wake anybody."""

ALWAYS_A_FAULT: Final = frozenset({"BulkRuns"})
"""A run fails only where it could not go through its list, whatever becomes of those on it."""

ANSWER_ALWAYS: Final = (Door.API, Door.CHECK_STATUS)
"""Doors that raise for a fault only. The others also raise to say what is no fault: a token
that is refused, a request that asks too much, how a refresh ended, where the machine goes on."""

Watched = tuple[str, cloudwatch.Metric, int]


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
        email: str | None,
    ) -> None:
        super().__init__(scope, id_)
        topic = self._topic(key, email, undelivered=undelivered) if email else None
        waiting = undelivered.metric_approximate_number_of_messages_visible(period=PERIOD)
        watched = (
            *_of_machines(machines),
            *_of_doors(doors),
            ("ApiFaults", api.metric_server_error(period=PERIOD), 1),
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


def _of_machines(machines: Mapping[str, sfn.StateMachine]) -> Iterator[Watched]:
    for what, machine in machines.items():
        threshold = 1 if what in ALWAYS_A_FAULT else FAILED_EXECUTIONS
        yield f"Failed{what}", machine.metric_failed(period=PERIOD), threshold
        yield f"Stuck{what}", machine.metric_timed_out(period=PERIOD), 1


def _of_doors(doors: Mapping[Door, DoorFunction]) -> Iterator[Watched]:
    for door in ANSWER_ALWAYS:
        yield f"{noun(door)}Errors", doors[door].function.metric_errors(period=PERIOD), 1
