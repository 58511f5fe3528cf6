"""The metrics that the functions write, as alarms and the dashboard name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from functions.core.contract import SERVICE

if TYPE_CHECKING:
    from infra.config import Stage

PERIOD: Final = cdk.Duration.minutes(5)
HOUR: Final = cdk.Duration.hours(1)


def of_stage(
    name: str,
    *,
    stage: Stage,
    period: cdk.Duration = PERIOD,
    statistic: str = cloudwatch.Stats.SUM,
    label: str | None = None,
    **by: str,
) -> cloudwatch.Metric:
    """A metric of the stage, with the dimensions of ``by``."""
    return cloudwatch.Metric(
        namespace=stage.metrics,
        metric_name=name,
        dimensions_map={"service": SERVICE, **by},
        statistic=statistic,
        period=period,
        label=label,
    )
