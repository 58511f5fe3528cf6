"""What a stage costs by the hour, as far as CloudWatch counts what AWS bills.

The prices are AWS's list prices of us-east-1 in 2026, for arm64 and on-demand tables. It is a
model: bulk runs' own transitions, S3, KMS, logs and what is stored are not in it.
``docs/performance/scale.md`` has all of it on paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb

from infra.watching.metrics import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from aws_cdk import aws_apigateway as apigateway
    from aws_cdk import aws_stepfunctions as sfn
    from constructs import Construct

    from functions.core.contract import Door
    from infra.function import DoorFunction

DOLLARS: Final = {
    "gb_second": 0.0000133334,
    "invocation": 0.0000002,
    "transition": 0.000025,
    "call": 0.0000035,
    "write": 0.000000625,
    "read": 0.000000125,
}

TRANSITIONS: Final = 4
"""Of an execution that waits no longer than its function holds."""


def model_cost(
    *,
    doors: Mapping[Door, DoorFunction],
    machines: Mapping[str, sfn.StateMachine],
    api: apigateway.Stage,
    storage: Construct,
) -> list[cloudwatch.IMetric]:
    """Model the dollars that each hour has cost, by service."""
    started = [machine.metric_started(period=HOUR) for machine in machines.values()]
    calls = [api.metric_count(period=HOUR)]
    return [
        _sum("Lambda", _functions(doors.values())),
        _sum("Step Functions", ((each, TRANSITIONS * DOLLARS["transition"]) for each in started)),
        _sum("DynamoDB", _units(storage)),
        _sum("API Gateway", ((each, DOLLARS["call"]) for each in calls)),
    ]


def _functions(doors: Iterable[DoorFunction]) -> Iterator[tuple[cloudwatch.IMetric, float]]:
    for door in doors:
        milliseconds = door.function.metric_duration(statistic=cloudwatch.Stats.SUM, period=HOUR)
        yield milliseconds, door.memory_mb / 1024 / 1000 * DOLLARS["gb_second"]
        yield door.function.metric_invocations(period=HOUR), DOLLARS["invocation"]


def _units(storage: Construct) -> Iterator[tuple[cloudwatch.IMetric, float]]:
    """The units of the tables and, which CloudWatch counts apart, of their global indexes."""
    for table in storage.node.find_all():
        if not isinstance(table, dynamodb.Table):
            continue
        cfn: Any = table.node.default_child
        indexes = cdk.Stack.of(table).resolve(cfn.global_secondary_indexes) or []
        names = [{}, *({"GlobalSecondaryIndexName": each["indexName"]} for each in indexes)]
        for name in names:
            for kind in ("write", "read"):
                metric = cloudwatch.Metric(
                    namespace="AWS/DynamoDB",
                    metric_name=f"Consumed{kind.title()}CapacityUnits",
                    dimensions_map={"TableName": table.table_name, **name},
                    statistic=cloudwatch.Stats.SUM,
                    period=HOUR,
                )
                yield metric, DOLLARS[kind]


def _sum(
    label: str, priced: Iterable[tuple[cloudwatch.IMetric, float]]
) -> cloudwatch.MathExpression:
    """Add up metrics, each by its price."""
    prefix = "".join(word[0] for word in label.lower().split())
    parts = {f"{prefix}{number}": each for number, each in enumerate(priced)}
    return cloudwatch.MathExpression(
        label=label,
        # CloudWatch reads no exponents.
        expression=" + ".join(
            f"FILL({name}, 0) * {f'{price:.14f}'.rstrip('0')}" for name, (_, price) in parts.items()
        ),
        using_metrics={name: metric for name, (metric, _) in parts.items()},
        period=HOUR,
    )
