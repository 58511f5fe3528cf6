"""The dashboard: it shows what the functions write, and what AWS measures of this stack."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from msgspec.structs import replace

import functions
from functions.aws.ends import tell_end
from functions.background import deliver, watch
from functions.connectors.registry import Provider
from functions.core import contract
from functions.core.contract import SERVICE
from functions.core.delivery.lane import Drained
from functions.core.delivery.ports import Sent
from functions.core.errors import Action
from functions.core.model import Event, Status
from functions.core.refresh.steps import READY
from tests.support.cloudformation.template import flat
from tests.support.scripted_connector import a_refresh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cloudformation.template import Template

Shown = tuple[str, frozenset[str]]
"""A metric's name, and the names of its dimensions."""

COLUMNS = 24
MOST_IN_A_GRAPH = 500
MOST_OF_AN_EXPRESSION = 2048


@pytest.fixture(scope="module")
def body(local: Template) -> dict[str, Any]:
    return dict(json.loads(flat(local.one("CloudWatch::Dashboard")["DashboardBody"])))


def metrics(body: dict[str, Any]) -> list[tuple[str, str, dict[str, str]]]:
    """Each metric of each graph: its namespace, its name and its dimensions."""
    found = []
    for widget in body["widgets"]:
        for metric in widget["properties"].get("metrics", ()):
            if isinstance(metric[0], dict):  # a sum of others
                continue
            namespace, name, *pairs = (each for each in metric if isinstance(each, str))
            found.append((namespace, name, dict(zip(pairs[::2], pairs[1::2], strict=True))))
    return found


def counted() -> Iterator[Shown]:
    """What the functions count, by the source of each call of ``count``."""
    for path in Path(functions.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name("count"), args=[name], keywords=by):
                    by_name = frozenset(str(each.arg) for each in by)
                    match name:
                        case ast.Name(constant):
                            yield getattr(contract, constant), by_name | {"service"}
                        case ast.Constant(text):
                            yield str(text), by_name | {"service"}


def told(text: str) -> Iterator[Shown]:
    """The metrics of lines in CloudWatch's embedded format."""
    for line in map(json.loads, text.splitlines()):
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            (dimensions,) = directive["Dimensions"]
            for metric in directive["Metrics"]:
                yield metric["Name"], frozenset(dimensions)


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> set[Shown]:
    """All metrics that functions write, by calling what writes several at once."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Freshet/local")
    ready = Event(type=READY, at=1, version=1, facts={"noticed_within_seconds": 1})
    for status in Status:
        if status.has_ended:
            tell_end(replace(a_refresh(at=0), status=status, events=(ready,)))

    here = SimpleNamespace(
        **dict.fromkeys(
            ("endpoints", "deliveries", "events", "keyring", "sender", "lanes", "sleep"), None
        ),
        objectives=SimpleNamespace(all_watches=list),
        clock=lambda: 0.0,
    )
    measured = SimpleNamespace(watches=2, breached=1, sample_ages=lambda: [1.0])
    monkeypatch.setattr(watch, "wiring", lambda: here)
    monkeypatch.setattr(watch, "measure", lambda *_, **__: {"banno": measured})
    watch.handler({"measure": True}, LambdaContext())

    def drain(_id: str, ports: Any, *, until: float) -> Drained:
        assert until
        endpoint = SimpleNamespace(tenant="t", endpoint_id="e")
        for status in (204, 500):
            sent = Sent(milliseconds=1, status=status)
            ports.report(endpoint, SimpleNamespace(event_id="v"), sent)
        return Drained()

    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
    monkeypatch.setattr(deliver, "wiring", lambda: here)
    monkeypatch.setattr(deliver, "drain", drain)
    deliver.handler({"Records": [{"body": '{"endpoint_id": "e"}'}]}, context)
    return {*counted(), *told(capsys.readouterr().out)}


def test_every_metric_of_the_stage_is_one_that_functions_write(
    body: dict[str, Any], emitted: set[Shown]
) -> None:
    of_stage = [each for each in metrics(body) if not each[0].startswith("AWS/")]

    assert of_stage
    assert {namespace for namespace, _, _ in of_stage} == {"Freshet/local"}
    assert {(name, frozenset(by)) for _, name, by in of_stage} <= emitted
    values: dict[str, set[str]] = {
        "service": {SERVICE},
        "provider": {*Provider},
        "action": {*Action},
    }
    for _, _, by in of_stage:
        assert all(value in values[name] for name, value in by.items())


def test_refreshes_that_end_are_shown_by_each_end_and_each_provider(body: dict[str, Any]) -> None:
    shown = {(name, by.get("provider")) for _, name, by in metrics(body)}
    ends = [status.capitalize() for status in Status if status.has_ended]

    assert {(end, str(provider)) for end in ends for provider in Provider} <= shown


def test_what_aws_measures_is_of_this_stack(body: dict[str, Any], local: Template) -> None:
    kinds = {
        "FunctionName": "Lambda::Function",
        "StateMachineArn": "StepFunctions::StateMachine",
        "QueueName": "SQS::Queue",
        "TableName": "DynamoDB::Table",
    }
    shown: dict[str, set[str]] = {kind: set() for kind in kinds}
    for namespace, name, by in metrics(body):
        if namespace.startswith("AWS/") and "ApiName" not in by:
            assert by or name == "ConcurrentExecutions", "only this is the whole account's"
            for kind, value in by.items():
                if kind != "GlobalSecondaryIndexName":
                    shown[kind].add(value.strip("<>").partition(".")[0])

    assert {kind: shown[kind] for kind in kinds} == {
        kind: set(local.all(of)) for kind, of in kinds.items()
    }


def test_all_alarms_of_the_stage_are_shown(body: dict[str, Any], local: Template) -> None:
    (widget,) = [each for each in body["widgets"] if each["type"] == "alarm"]
    shown = {each.strip("<>").partition(".")[0] for each in widget["properties"]["alarms"]}

    assert shown == set(local.all("CloudWatch::Alarm"))


def test_no_row_is_wider_than_the_page_and_no_graph_fuller_than_cloudwatch_draws(
    body: dict[str, Any],
) -> None:
    for widget in body["widgets"]:
        assert widget["x"] + widget["width"] <= COLUMNS
        assert len(widget["properties"].get("metrics", ())) <= MOST_IN_A_GRAPH


def test_its_name_has_the_region_as_an_account_has_the_names_but_once(local: Template) -> None:
    name = flat(local.one("CloudWatch::Dashboard")["DashboardName"])
    assert name == "freshet-local-<AWS::Region>"
    assert flat(local.body["Outputs"]["DashboardName"]["Value"]) == name


def test_the_modelled_cost_has_each_function_table_and_index(
    body: dict[str, Any], local: Template
) -> None:
    (widget,) = [each for each in body["widgets"] if "cost" in each["properties"].get("title", "")]
    expressions = [each[0] for each in widget["properties"]["metrics"] if isinstance(each[0], dict)]
    counted = metrics({"widgets": [widget]})
    indexes = {
        (flat(name), index["IndexName"])
        for name, table in local.all("DynamoDB::Table").items()
        for index in table["Properties"].get("GlobalSecondaryIndexes", ())
    }

    assert {each["label"] for each in expressions} == {
        "Lambda",
        "Step Functions",
        "DynamoDB",
        "API Gateway",
    }
    assert all(len(each["expression"]) <= MOST_OF_AN_EXPRESSION for each in expressions)
    assert not [each for each in expressions if "e-" in each["expression"]]
    assert {by["FunctionName"].strip("<>") for _, _, by in counted if "FunctionName" in by} == set(
        local.all("Lambda::Function")
    )
    assert {
        (by["TableName"].strip("<>").partition(".")[0], by["GlobalSecondaryIndexName"])
        for _, _, by in counted
        if "GlobalSecondaryIndexName" in by
    } == indexes
