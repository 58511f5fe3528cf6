"""The rule packs that judge every synthesis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import aws_sqs as sqs

from app import freshet

if TYPE_CHECKING:
    from collections.abc import Callable

    import aws_cdk as cdk

REPORT = "validation-report.json"


def _reports(app: cdk.App) -> list[dict[str, Any]]:
    found = json.loads((Path(app.synth().directory) / REPORT).read_text())
    return list(found["pluginReports"])


@pytest.mark.parametrize("stage", ["local", "dev", "prod"])
def test_both_rule_packs_find_nothing_that_is_not_answered(
    new_app: Callable[..., cdk.App], stage: str
) -> None:
    app = new_app(stage=stage)
    freshet(app)
    reports = _reports(app)

    assert [each["pluginName"] for each in reports] == ["AwsSolutions", "Serverless"]
    assert [each["violations"] for each in reports] == [[], []]


def test_a_stage_with_alarms_by_mail_and_a_nightly_run_is_clean_too(
    new_app: Callable[..., cdk.App], stages: dict[str, Any]
) -> None:
    stage = stages["local"] | {"alarm_email": "ops@example.com"}
    stage |= {"nightly": {"expression": "rate(1 day)"}}
    app = new_app(stages={"local": stage})
    freshet(app)

    assert [each["violations"] for each in _reports(app)] == [[], []]


def test_a_new_finding_fails_the_synthesis(new_app: Callable[..., cdk.App]) -> None:
    app = new_app()
    sqs.Queue(freshet(app), "WithoutTls")

    with pytest.raises(RuntimeError, match="does not require requests to use SSL"):
        app.synth()
