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

TODO: Final = {
    Action.CONTACT_OPERATOR: "A refresh, push or sign-in failed and only an operator can mend why: "
    "a provider's secret is missing, malformed or refused, or AWS refuses a function an access. "
    'Search the functions\' logs for "contact_operator" in `action`: `error` says what it is, '
    "`correlation_id` which refresh or push. Mend the secret, which the next refresh reads "
    "without a deployment, or the grant or key that AWS misses.",
    Action.REPORT: "A refresh, push or sign-in met a defect, or an answer outside the provider's "
    "contract. "
    'Search the functions\' logs for "report" in `action` and for "unexpected": `error` and '
    "`places` say where, `correlation_id` which refresh or push. Report it with these lines. "
    "The snapshot that was published before still stands.",
    Action.RETRY: "A tenth of an hour's refreshes and pushes failed by something that passes: a "
    'provider is down, or its budget is too small. Search the functions\' logs for "retry" in '
    "`action`: `error` says what it is; the refresh in `correlation_id` says of which provider. "
    "Wait until the provider is back, or raise the `budget` in its secret.",
}
"""What to do, by the action of the faults that ring."""

API_FAULTS: Final = (
    "A tenth of an hour's calls of the API were answered 5xx. `error` in the API's access log says "
    "whether the gateway or the function answered. If the function did, its log has the error; if "
    "it is `provider-unavailable`, the provider is down, and it passes by itself."
)
ERRORS: Final = (
    "The function `{}` broke, which is a defect, or it ran out of time. Its log has the error. "
    "Report it with that log; what was asked for can be asked again."
)
FAILED_RUN: Final = (
    "A bulk run could not go through its list of connections. Open the failed execution of the "
    "machine RefreshAll (output BulkMachineArn): its last event says why. Mend that, then start "
    "another run; with `older_than_seconds` it passes over what this one has refreshed."
)
STUCK: Final = (
    "An execution ran until its machine's time limit. Open the one that timed out in Step "
    "Functions: its last state says what it waited for. What it held is freed by itself; its "
    "result has to be asked for again."
)
DROPPED: Final = (
    "Lambda gave up calling the function `{}`, which ends what was left without an end, keeps "
    "tokens alive or announces events. Its log says why. Mend that, unless AWS was at fault: what "
    "it has not done is then done within some minutes."
)
DEPRECATIONS_TODO: Final = (
    "A provider says that its API, as Freshet calls it, is about to end. Search the functions' "
    'logs for "provider deprecates": `provider` says which, `status` is its word for it. Look at '
    "its announcements, and for a version of Freshet that calls another API."
)
BREACHES: Final = (
    "For three hours, a twentieth of the connections with an objective have had data older than it "
    "allows. The metric Breached has them by `provider`; the events freshness.breached say of each "
    "why (`cause`), as does infra.operations.explain. Where one provider or institution is down it "
    "passes by itself; where users have to sign in again, the applications have to ask them."
)
UNDELIVERED: Final = (
    "An event reached no target: a schedule's start, an execution's ending or an alarm's mail. "
    "Each message in the queue (output UndeliveredQueueUrl) has its target and error in its "
    "attributes. Mend that, then delete the messages; a missed start comes again by its schedule."
)

STREAM_SECONDS: Final = 10 * 60
OWED: Final = (
    "An event was not announced within ten minutes: on the bus (output EventBusName) and to the "
    "webhook endpoints of its tenant. It is tried again each minute. Search the log of the "
    "function `announce` for `refused` and `unexpected`: `error` says what it is, "
    "`correlation_id` which event. Mend that, unless AWS was at fault."
)
DISABLED: Final = (
    "An application's webhook endpoint was disabled: it has taken nothing for 72 hours, or has "
    'answered 410. Search the log of the function `deliver` for "disabled": `endpoint_id` says '
    "which one. Its tenant is told by an event, and by GET /v1/endpoints. What comes meanwhile "
    "waits for 30 days, until the tenant enables it again. Ask the tenant, if it does not."
)
STREAM: Final = (
    "The function `announce` is ten minutes behind the stream of new events, so that applications "
    "hear of them late. Its log says whether it fails; mend that. If it does not, more events come "
    "than it can take: it catches up, and none is lost."
)

LANES_PERIOD: Final = cdk.Duration.minutes(15)
LANES_SENT: Final = 5
"""Messages in that time of which one must have been answered. The clock sends one every two minutes
for an endpoint that has something due. Their age tells nothing: behind an endpoint that is busy for
hours, its own messages wait."""

LANES: Final = (
    "For 15 minutes no webhook endpoint's turn has come to its end: the function `deliver` cannot "
    "run, or dies. Its log, or its metrics Errors and Throttles, say why. Mend that. What is due "
    "waits meanwhile, up to 30 days, and none is lost before."
)

Metric = cloudwatch.Metric | cloudwatch.MathExpression


class Watched(NamedTuple):
    """A metric with the ``threshold`` of its alarm, and what the operator does about it.

    The alarm rings once the threshold is reached in so many ``periods`` in a row.
    """

    name: str
    metric: Metric
    threshold: int
    todo: str
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
            Watched("Breaches", _breaches(stage), BREACHED_PERCENT, BREACHES, periods=3),
            Watched("Undelivered", waiting, 1, UNDELIVERED),
            Watched("OwedEvents", of_stage(OWED_EVENTS, stage=stage), 1, OWED),
            Watched(
                "EndpointsDisabled",
                of_stage(ENDPOINTS_DISABLED, stage=stage),
                1,
                DISABLED,
            ),
            Watched("StreamAge", age, STREAM_SECONDS * 1000, STREAM),
            Watched("LanesStuck", _stuck(queues.lanes), 1, LANES),
            Watched(
                "Deprecations",
                of_stage(DEPRECATIONS, stage=stage, period=HOUR),
                1,
                DEPRECATIONS_TODO,
            ),
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
            alarm_description=watched.todo,
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
        yield Watched(name, of_stage(FAULTS, stage=stage, action=action), 1, TODO[action])
    retry = of_stage(FAULTS, stage=stage, period=HOUR, action=Action.RETRY)
    well = {
        what.lower(): machine.metric_succeeded(period=HOUR)
        for what, machine in machines.items()
        if what not in ALWAYS_A_FAULT
    }
    share = _share(retry, of={"faults": retry, **well})
    yield Watched("RetryFaults", share, PERCENT, TODO[Action.RETRY])


def _of_api(stage: apigateway.Stage) -> Watched:
    faults = stage.metric_server_error(period=HOUR)
    share = _share(faults, of={"calls": stage.metric_count(period=HOUR)})
    return Watched("ApiFaults", share, PERCENT, API_FAULTS)


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
            yield Watched(f"Failed{what}", machine.metric_failed(period=PERIOD), 1, FAILED_RUN)
        yield Watched(f"Stuck{what}", machine.metric_timed_out(period=PERIOD), 1, STUCK)


def _of_doors(doors: Mapping[Door, DoorFunction]) -> Iterator[Watched]:
    for door in ANSWERING:
        errors = doors[door].function.metric_errors(period=PERIOD)
        yield Watched(f"{noun(door)}Errors", errors, 1, ERRORS.format(door))
    for door in ENDINGS:
        dropped = doors[door].function.metric(
            "AsyncEventsDropped", statistic=cloudwatch.Stats.SUM, period=PERIOD
        )
        yield Watched(f"{noun(door)}Dropped", dropped, 1, DROPPED.format(door))
