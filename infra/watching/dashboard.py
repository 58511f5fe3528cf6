"""The dashboard of a stage: how refreshes, data, events, the API and AWS itself are doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from functions.connectors.registry import Provider
from functions.core.contract import (
    AGE_SECONDS,
    BREACHED,
    DELIVERED,
    DEPRECATIONS,
    ENDPOINTS_DISABLED,
    FAULTS,
    NOT_DELIVERED,
    NOTICED_WITHIN_SECONDS,
    OWED_EVENTS,
    WITH_OBJECTIVE,
    Door,
)
from functions.core.errors import Action
from infra.watching.cost import model_cost
from infra.watching.metrics import HOUR, PERIOD, of_stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_apigateway as apigateway
    from aws_cdk import aws_stepfunctions as sfn

    from infra.config import Stage
    from infra.function import DoorFunction
    from infra.watching.alarms import Alarms, Queues

ENDS: Final = ("Published", "Partial", "Failed", "Cancelled")
"""The metrics of refreshes that have ended, by their status."""

PERCENTILES: Final = ("p50", "p95", "p99")
WIDTH: Final = 24
"""How many columns CloudWatch gives a dashboard."""

WORDS: Final = (
    "**Freshet, stage {}**. What each row shows: docs/operations.md. "
    "What to do about an alarm: its description. Saved queries: Logs Insights, folder Freshet/{}."
)


class _Graph(NamedTuple):
    title: str
    metrics: Sequence[cloudwatch.IMetric]
    stacked: bool = False


class Dashboard(Construct):
    """One dashboard. Its name has the region, as all regions of an account share the names."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        doors: Mapping[Door, DoorFunction],
        machines: Mapping[str, sfn.StateMachine],
        api: apigateway.RestApi,
        alarms: Alarms,
        storage: Construct,
        stage: Stage,
    ) -> None:
        super().__init__(scope, id_)
        words = cloudwatch.TextWidget(
            markdown=WORDS.format(stage.name, stage.name), width=WIDTH, height=2
        )
        cost = model_cost(doors=doors, machines=machines, api=api.deployment_stage, storage=storage)
        self.name = f"freshet-{stage.name}-{cdk.Aws.REGION}"
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=self.name,
            default_interval=cdk.Duration.days(1),
            widgets=[
                [words],
                [cloudwatch.AlarmStatusWidget(alarms=alarms.all, width=WIDTH, height=6)],
                _refreshes(stage),
                _data(stage),
                _events(stage, queues=alarms.queues, announce=doors[Door.ANNOUNCE]),
                _api(api.deployment_stage),
                _functions(doors),
                _machines(machines),
                _row(_Graph("Modelled cost in USD an hour, by list prices", cost, stacked=True)),
            ],
        )


def _refreshes(stage: Stage) -> list[cloudwatch.IWidget]:
    ends = [
        of_stage(end, stage=stage, label=f"{end} {provider}", provider=provider)
        for end in ENDS
        for provider in Provider
    ]
    lateness = [
        of_stage(
            NOTICED_WITHIN_SECONDS,
            stage=stage,
            statistic=percentile,
            label=f"{percentile} {provider}",
            provider=provider,
        )
        for provider in Provider
        for percentile in PERCENTILES[:2]
    ]
    faults = [
        of_stage(FAULTS, stage=stage, label=str(action), action=action) for action in Action
    ] + [of_stage(DEPRECATIONS, stage=stage, label="deprecations")]
    return _row(
        _Graph("Refreshes that ended, by outcome and provider", ends, stacked=True),
        _Graph("Noticed so many seconds late at the most", lateness),
        _Graph("Faults by what to do", faults, stacked=True),
    )


def _data(stage: Stage) -> list[cloudwatch.IWidget]:
    ages = [
        of_stage(
            AGE_SECONDS,
            stage=stage,
            period=HOUR,
            statistic=percentile,
            label=f"{percentile} {provider}",
            provider=provider,
        )
        for provider in Provider
        for percentile in PERCENTILES
    ]
    counts = [
        of_stage(name, stage=stage, period=HOUR, statistic=cloudwatch.Stats.MAXIMUM)
        for name in (WITH_OBJECTIVE, BREACHED)
    ]
    breached = [
        of_stage(
            BREACHED,
            stage=stage,
            period=HOUR,
            statistic=cloudwatch.Stats.MAXIMUM,
            label=str(provider),
            provider=provider,
        )
        for provider in Provider
    ]
    return _row(
        _Graph("Age of the data in seconds", ages),
        _Graph("Connections with an objective, and breached", counts),
        _Graph("Breached by provider", breached, stacked=True),
    )


def _events(stage: Stage, *, queues: Queues, announce: DoorFunction) -> list[cloudwatch.IWidget]:
    behind = announce.function.metric(
        "IteratorAge", statistic=cloudwatch.Stats.MAXIMUM, period=PERIOD
    )
    return _row(
        _Graph(
            "Attempts to deliver events to webhooks",
            [of_stage(name, stage=stage) for name in (DELIVERED, NOT_DELIVERED)],
            stacked=True,
        ),
        _Graph(
            "Events owed for ten minutes, endpoints disabled, messages undelivered",
            [
                *(of_stage(name, stage=stage) for name in (OWED_EVENTS, ENDPOINTS_DISABLED)),
                queues.undelivered.metric_approximate_number_of_messages_visible(
                    label="undelivered", period=PERIOD
                ),
            ],
        ),
        _Graph("Milliseconds that the stream of events is behind", [behind]),
        _Graph(
            "Seconds that an endpoint waits for its turn",
            [queues.lanes.metric_approximate_age_of_oldest_message(period=PERIOD)],
        ),
    )


def _api(api: apigateway.Stage) -> list[cloudwatch.IWidget]:
    return _row(
        _Graph("Calls of the API", [api.metric_count(period=PERIOD)]),
        _Graph(
            "Refused (4xx) and failed (5xx)",
            [api.metric_client_error(period=PERIOD), api.metric_server_error(period=PERIOD)],
        ),
        _Graph(
            "Milliseconds until the answer; waiting calls included",
            [api.metric_latency(statistic=each, period=PERIOD, label=each) for each in PERCENTILES],
        ),
    )


def _functions(doors: Mapping[Door, DoorFunction]) -> list[cloudwatch.IWidget]:
    functions = {str(door): made.function for door, made in doors.items()}
    return _row(
        _Graph(
            "Lambda: errors",
            [each.metric_errors(label=name, period=PERIOD) for name, each in functions.items()],
            stacked=True,
        ),
        _Graph(
            "Lambda: throttled",
            [each.metric_throttles(label=name, period=PERIOD) for name, each in functions.items()],
            stacked=True,
        ),
        _Graph(
            "Lambda: running at once",
            [
                each.metric(
                    "ConcurrentExecutions",
                    label=name,
                    statistic=cloudwatch.Stats.MAXIMUM,
                    period=PERIOD,
                )
                for name, each in functions.items()
            ]
            + [
                lambda_.Function.metric_all_concurrent_executions(
                    label="the whole account", period=PERIOD
                )
            ],
        ),
        _Graph(
            "Lambda: milliseconds, p95",
            [
                each.metric_duration(label=name, statistic="p95", period=PERIOD)
                for name, each in functions.items()
            ],
        ),
    )


def _machines(machines: Mapping[str, sfn.StateMachine]) -> list[cloudwatch.IWidget]:
    return _row(
        _Graph(
            "Step Functions: started",
            [
                machine.metric_started(label=what, period=PERIOD)
                for what, machine in machines.items()
            ],
        ),
        _Graph(
            "Step Functions: failed, timed out",
            [
                made
                for what, machine in machines.items()
                for made in (
                    machine.metric_failed(label=f"{what} failed", period=PERIOD),
                    machine.metric_timed_out(label=f"{what} timed out", period=PERIOD),
                )
            ],
        ),
        _Graph(
            "Step Functions: throttled",
            [
                machine.metric_throttled(label=what, period=PERIOD)
                for what, machine in machines.items()
            ],
        ),
    )


def _row(*graphs: _Graph) -> list[cloudwatch.IWidget]:
    return [
        cloudwatch.GraphWidget(
            title=graph.title,
            left=list(graph.metrics),
            stacked=graph.stacked,
            width=WIDTH // len(graphs),
        )
        for graph in graphs
    ]
