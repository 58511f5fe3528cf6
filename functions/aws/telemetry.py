"""The structured log and the metrics. It loads no AWS SDK, as the authorizer needs none."""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from functions.core.contract import SERVICE


@cache
def logger() -> Logger:
    """The structured log. Give it ids, names and counts, never what a provider said."""
    return Logger(service=SERVICE)


def count(name: str, **by: str) -> None:
    """Add one to a metric of the stage, with the dimensions of ``by``."""
    with single_metric(name=name, unit=MetricUnit.Count, value=1) as metric:
        for dimension, value in {"service": SERVICE, **by}.items():
            metric.add_dimension(name=dimension, value=value)
