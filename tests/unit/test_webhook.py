"""The webhook function for a push: what it believes, and what it starts."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from msgspec.structs import replace

from functions import webhook
from functions.aws.executions import Executions
from functions.core import webhooks
from functions.core.errors import ProviderUnavailable
from functions.core.push.model import PushStatus
from tests.support.fakes.pushes import PUSH
from tests.support.push_harness import PushHarness
from tests.support.scripted_connector import a_connection

if TYPE_CHECKING:
    from functions.core.model import Connection

TOKEN = f"{PUSH}.{'x' * 43}"
FERN = a_connection(provider="endgrate", subject="fern")


class States:
    """Step Functions, as far as it is asked to start an execution."""

    exceptions = SimpleNamespace(ExecutionAlreadyExists=KeyError)

    def __init__(self) -> None:
        self.started: list[dict[str, str]] = []

    def start_execution(self, **asked: str) -> None:
        self.started.append(asked)


class Hooks:
    """The door of webhooks around a push whose answer was lost."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, connection: Connection | None) -> None:
        self.harness, self.states = PushHarness(answers=(ProviderUnavailable(),)), States()
        self.harness.run()
        self.harness.change(webhook=webhooks.digest(TOKEN))
        here = SimpleNamespace(
            clock=self.harness.clock,
            connections=SimpleNamespace(get=lambda _id: connection),
            pushes=self.harness.pushes,
            push_executions=Executions(self.states, machine="arn:machine"),  # type: ignore[arg-type]
        )
        monkeypatch.setattr(webhook, "wiring", lambda: here)

    def post(self, **more: str) -> int:
        told = {"metadata": {"token": TOKEN}, "session_id": "fern", "transfer_id": "t7", **more}
        event: dict[str, Any] = {
            "pathParameters": {"provider": "endgrate", "token": TOKEN},
            "body": json.dumps(told),
        }
        return int(webhook.handler(event, LambdaContext())["statusCode"])


def test_a_push_that_was_given_up_is_taken_on_under_its_new_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hooks = Hooks(monkeypatch, FERN)
    assert hooks.post() == 200
    push = hooks.harness.push
    assert (push.status, push.job) == (PushStatus.SENT, "t7")
    (started,) = hooks.states.started
    assert started["name"] == push.execution
    assert json.loads(started["input"])["push_id"] == push.execution


@pytest.mark.parametrize(
    ("connection", "told"),
    [
        pytest.param(FERN, {"session_id": "reed"}, id="of-another-session"),
        pytest.param(FERN, {"session_id": ""}, id="of-no-session"),
        pytest.param(replace(FERN, subject="reed"), {}, id="of-a-session-before"),
        pytest.param(None, {}, id="of-a-connection-that-was-erased"),
        pytest.param(FERN, {"transfer_id": ""}, id="of-no-transfer"),
    ],
)
def test_what_is_not_of_the_push_is_not_found_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, connection: Connection | None, told: dict[str, str]
) -> None:
    hooks = Hooks(monkeypatch, connection)
    before = hooks.harness.push
    assert hooks.post(**told) == 404
    assert hooks.harness.push == before
    assert hooks.states.started == []
