"""The structured log and the metrics. It loads no AWS SDK, as the authorizer needs none."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from functions.core.contract import SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@cache
def logger() -> Logger:
    """The structured log. Give it ids, names and counts, never what a provider said."""
    return Logger(service=SERVICE)


def count(name: str, **by: str) -> None:
    """Add one to a metric of the stage, with the dimensions of ``by``."""
    with single_metric(name=name, unit=MetricUnit.Count, value=1) as metric:
        for dimension, value in {"service": SERVICE, **by}.items():
            metric.add_dimension(name=dimension, value=value)


def tell(
    *, counts: Mapping[str, int], seconds: Mapping[str, Sequence[float]] | None = None, **by: str
) -> None:
    """Write metrics of the stage in one line, with the dimensions of ``by``.

    Args:
        counts: what is added to each metric.
        seconds: the values of each metric that is a time, fewer than 100.
        by: the dimensions.
    """
    metrics = EphemeralMetrics()
    for dimension, value in {"service": SERVICE, **by}.items():
        metrics.add_dimension(name=dimension, value=value)
    for name, number in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)
    for name, values in (seconds or {}).items():
        for one in values:
            metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=one)
    metrics.flush_metrics()
