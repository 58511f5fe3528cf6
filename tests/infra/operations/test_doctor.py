"""What is told of a stage beside which the account has another whose name begins as its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra.operations.doctor import AFTER, Deployment, Level

EMAIL = "ops@example.com"


def deployment(**pages: dict[str, Any]) -> Deployment:
    """The stage ``prod``, in an account that answers so, a page each."""

    class Client:
        def get_paginator(self, name: str) -> Any:
            return SimpleNamespace(paginate=lambda **_: iter([pages[name]]))

    account = SimpleNamespace(client=lambda _: Client())
    stage = SimpleNamespace(name="prod", alarm_email=EMAIL)
    return Deployment(cast("Any", stage), cast("Any", account), {})


def told(check: str, **pages: dict[str, Any]) -> list[tuple[Level, str]]:
    """What a check of a stage that is deployed says."""
    (found,) = (each for each in AFTER if each.__name__ == check)
    return [(each.level, each.text) for each in found(deployment(**pages))]


def test_an_alarm_of_another_stage_is_not_told() -> None:
    ringing = [{"AlarmName": "Freshet-prod-eu-DefectFaults"}]

    assert told("_alarms", describe_alarms={"MetricAlarms": ringing}) == [
        (Level.OK, "No alarm rings.")
    ]


def test_an_alarm_leads_to_its_entry_in_the_runbook() -> None:
    ringing = [{"AlarmName": "Freshet-prod-DefectFaults"}]

    assert told("_alarms", describe_alarms={"MetricAlarms": ringing}) == [
        (Level.FAIL, "The alarm DefectFaults rings: see docs/operations.md#defects.")
    ]


@pytest.mark.parametrize(
    ("topic", "count"), [("Freshet-prod-AlarmsTopic1A2B", 0), ("Freshet-prod-eu-AlarmsTopic1A", 1)]
)
def test_only_the_stages_own_topic_sends_its_mail(topic: str, count: int) -> None:
    confirmed = {
        "Endpoint": EMAIL,
        "TopicArn": f"arn:aws:sns:eu-west-1:1:{topic}",
        "SubscriptionArn": f"arn:aws:sns:eu-west-1:1:{topic}:9f",
    }

    assert len(told("_mail", list_subscriptions={"Subscriptions": [confirmed]})) == count
