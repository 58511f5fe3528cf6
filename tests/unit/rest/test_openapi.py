"""The OpenAPI document: it is made from the table of calls, and its examples are what it says."""

from __future__ import annotations

import inspect
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import msgspec
import pytest

from functions import api
from functions.connectors.registry import REGISTRY
from functions.core.errors import NotFound, find_error
from functions.core.events.model import CloudEvent, EventType
from functions.core.gateway import GATEWAY_PROBLEMS
from functions.core.refresh.admission import RefreshOutcome
from functions.core.wait import MAX_WAIT_SECONDS
from functions.rest import calls
from functions.rest.body import ALLOWED
from functions.rest.calls.refreshes import RefreshOut
from functions.rest.calls.registrations import ConnectionIn
from functions.rest.models import error_out
from functions.rest.openapi.document import EXAMPLES, address, document, ids_in
from functions.rest.openapi.schemas import EVENT_DATA
from functions.rest.problems import CONTENT_TYPE, STATUS, TYPE, problem
from functions.rest.routes import MODULES, ROUTES
from tests.support.api_gateway import call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.errors import FreshetError
    from functions.rest.route import Route

DOCUMENT = document(ROUTES)
CALLS = [
    pytest.param(method, rule, route, id=route.name)
    for rule, routes in ROUTES.items()
    for method, route in routes.items()
]
MODELS = {
    model.__name__: model
    for routes in ROUTES.values()
    for route in routes.values()
    for model in (route.body, *(answer.model for answer in route.answers))
    if model
}
BODIES = {
    route.body.__name__: route.body
    for routes in ROUTES.values()
    for route in routes.values()
    if route.body
}
CURSORS = [
    pytest.param(rule, parameter.example, id=route.name)
    for rule, routes in ROUTES.items()
    for route in routes.values()
    for parameter in route.query
    if parameter.name == "cursor"
]
EXAMPLE = [
    pytest.param(name, value, id=f"{name}-{title}")
    for name, examples in EXAMPLES.models.items()
    for title, value in examples.items()
]


def operation(method: str, rule: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][address(rule)][method.lower()]
    return found


def valid(schema: dict[str, Any], value: Any) -> bool:
    whole = schema | {"components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True).is_valid(value)


def refused(error: type[FreshetError]) -> str:
    return problem(error()).type.removeprefix(TYPE)


@pytest.mark.parametrize(("method", "rule", "route"), CALLS)
def test_a_call_is_described(method: str, rule: str, route: Route) -> None:
    told = operation(method, rule)

    assert told["operationId"] == route.name
    assert told["summary"] == route.summary
    assert 0 < len(route.summary) < 80
    assert told["tags"] == [route.tag]
    assert [each["name"] for each in told["parameters"] if each["in"] == "path"] == ids_in(rule)
    assert told.get("security", "token") == ([] if route.open else "token")
    assert ("requestBody" in told) == bool(route.body)


@pytest.mark.parametrize(("method", "rule", "route"), CALLS)
def test_a_call_says_how_it_succeeds_and_with_which_problems(
    method: str, rule: str, route: Route
) -> None:
    told = operation(method, rule)["responses"]
    kinds = {
        kind
        for each in told.values()
        if "$ref" in each
        for kind in each["$ref"].rpartition("/")[2].split("_")
    }

    assert {str(answer.status) for answer in route.answers} <= told.keys()
    assert {refused(error) for error in route.problems} <= kinds
    assert {"invalid-request", "throttled", "defect", "unavailable", "timeout"} <= kinds
    assert ("unauthorized" in kinds) != route.open


@pytest.mark.parametrize(("method", "rule", "route"), CALLS)
def test_a_handler_takes_what_its_route_declares(method: str, rule: str, route: Route) -> None:
    declared = [each.argument for each in (*route.query, *route.headers)]
    body = ["body"] if route.body else []
    _call, *taken = inspect.signature(route.handler).parameters

    assert (route.method, route.rule) == (method, rule)
    assert sorted(taken) == sorted([*ids_in(rule), *body, *declared])


def test_every_module_of_calls_is_imported() -> None:
    folder = Path(calls.__file__).parent
    assert {each.stem for each in folder.glob("[!_]*.py")} <= {
        module.__name__.rpartition(".")[2] for module in MODULES
    }


def test_a_held_answer_is_told_to_be_held_as_long_as_it_is() -> None:
    told = operation("POST", "/v1/refreshes")["description"]
    assert f"held for up to {MAX_WAIT_SECONDS} seconds" in told


def test_an_example_of_an_error_says_what_the_error_says() -> None:
    told = [
        each
        for each in objects(EXAMPLES.models)
        if {"name", "action"} <= each.keys() and "who_acts" not in each
    ]
    events = [
        each
        for each in objects(EXAMPLES.models)
        if {"error", "action"} <= each.keys() and each["error"]
    ]

    assert told
    assert events
    assert told == [
        msgspec.to_builtins(error_out(each["name"]))
        | {"help": f"https://api.example/v1/console#/errors/{each['name']}"}
        for each in told
    ]
    assert all(each["action"] == find_error(each["error"]).action for each in events)


def test_no_two_calls_have_one_name() -> None:
    names = [route.name for routes in ROUTES.values() for route in routes.values()]

    assert len(set(names)) == len(names)


def test_everything_that_is_taken_or_given_has_an_example_and_nothing_else_has() -> None:
    assert EXAMPLES.models.keys() == MODELS.keys()
    assert EXAMPLES.ids.keys() == {name for rule in ROUTES for name in ids_in(rule)}


@pytest.mark.parametrize(("name", "value"), EXAMPLE)
def test_an_example_is_what_its_model_and_its_schema_say(name: str, value: Any) -> None:
    msgspec.json.decode(msgspec.json.encode(value), type=BODIES.get(name, Any))

    if name in DOCUMENT["components"]["schemas"]:
        assert valid({"$ref": f"#/components/schemas/{name}"}, value)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """The objects in an example, itself among them."""
    match value:
        case dict():
            yield value
            yield from objects([*value.values()])
        case list():
            for each in value:
                yield from objects(each)


def test_an_example_s_version_is_how_many_events_there_are() -> None:
    told = [each for each in objects(EXAMPLES.models) if {"version", "events"} <= each.keys()]

    assert told
    for each in told:
        versions = [event["version"] for event in each["events"]]
        assert versions == [*range(1, each["version"] + 1)]


def test_an_example_s_coverage_counts_its_parts() -> None:
    told = [each for each in objects(EXAMPLES.models) if {"coverage", "parts"} <= each.keys()]

    assert told
    for each in told:
        states = Counter(part["state"] for part in each["parts"])
        assert each["coverage"] == {state: states[state] for state in each["coverage"]}
        assert sum(each["coverage"].values()) == len(each["parts"])


@pytest.mark.parametrize(("method", "rule", "route"), CALLS)
def test_an_example_of_a_parameter_is_what_its_schema_says(
    method: str, rule: str, route: Route
) -> None:
    answers = [operation(method, rule)["responses"][str(a.status)] for a in route.answers]
    headers = [each for answer in answers for each in answer.get("headers", {}).values()]
    for told in [*operation(method, rule)["parameters"], *headers]:
        examples = told["schema"].get("examples", [told.get("example")])
        assert all(valid(told["schema"], example) for example in examples), told


@pytest.mark.parametrize(("rule", "cursor"), CURSORS)
def test_an_example_of_a_cursor_is_one_that_its_address_could_have_given(
    rule: str, cursor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nothing:
        def __getattr__(self, _service: str) -> None:
            raise NotFound

    monkeypatch.setattr(api, "wiring", Nothing)
    path = rule
    for name, id_ in EXAMPLES.ids.items():
        path = path.replace(f"<{name}>", id_.example)
    answer = call("GET", path, queryStringParameters={"cursor": cursor})

    assert answer["statusCode"] == 404  # it was looked for, so the cursor was not refused


def test_the_outcomes_of_a_refresh_are_those_that_callers_are_told() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    (of_refresh,) = (
        each["$ref"]
        for each in schemas[RefreshOut.__name__]["properties"]["outcome"]["anyOf"]
        if "$ref" in each
    )

    assert schemas[of_refresh.rpartition("/")[2]]["enum"] == sorted(RefreshOutcome)
    assert "Outcome" not in schemas


def patterns(told: msgspec.inspect.Type) -> set[str]:
    """The patterns of all texts in a type."""
    match told:
        case msgspec.inspect.StrType(pattern=str(pattern)):
            return {pattern}
        case msgspec.inspect.StructType(fields=fields):
            return set().union(*(patterns(field.type) for field in fields))
        case msgspec.inspect.UnionType(types=types):
            return set().union(*map(patterns, types))
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return patterns(key) | patterns(value)
        case (
            msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.ListType(item_type=item)
        ):
            return patterns(item)
        case _:
            return set()


def test_every_pattern_of_a_body_has_words_for_who_has_not_met_it() -> None:
    found = set().union(*map(patterns, msgspec.inspect.multi_type_info(BODIES.values())))

    assert found == ALLOWED.keys()


@pytest.mark.parametrize("name", [*DOCUMENT["components"]["responses"]])
def test_an_example_of_a_problem_is_a_problem_of_that_kind(name: str) -> None:
    content = DOCUMENT["components"]["responses"][name]["content"][CONTENT_TYPE]
    assert sorted(content["examples"]) == name.split("_")
    for kind, example in content["examples"].items():
        assert valid(content["schema"], example["value"])
        assert example["value"]["type"] == TYPE + kind
    assert len({example["value"]["status"] for example in content["examples"].values()}) == 1


def test_every_problem_that_has_a_status_is_some_call_s_or_any_address_s() -> None:
    told = {kind for name in DOCUMENT["components"]["responses"] for kind in name.split("_")}

    assert {refused(error) for error in STATUS} - told == {"method-not-allowed"}
    assert {each.kind for each in GATEWAY_PROBLEMS if each.status} <= told


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"provider": "x"}, id="another-provider"),
        pytest.param({"settings": {}}, id="without-its-settings"),
        pytest.param({"settings": {"institution": "g", "more": "x"}}, id="with-others"),
        pytest.param({"credentials": None}, id="without-credentials"),
        pytest.param({"datasets": ["accounts"]}, id="datasets-where-they-are-fixed"),
        pytest.param({"params": {"accounts": {}}}, id="params-of-a-dataset-that-has-none"),
        pytest.param({"params": {"transactions": {"until": 1}}}, id="unknown-params"),
        pytest.param({"more": "x"}, id="an-unknown-field"),
    ],
)
def test_a_connection_s_schema_knows_what_its_provider_needs(value: dict[str, Any]) -> None:
    good = EXAMPLES.models[ConnectionIn.__name__]["banno"]
    schema = {"$ref": "#/components/schemas/ConnectionIn"}

    assert valid(schema, good)
    assert not valid(schema, good | value)


def test_every_event_is_described_with_an_example_of_its_own() -> None:
    told = DOCUMENT["webhooks"]

    assert told.keys() == set(EventType)
    for type_, path in told.items():
        content = path["post"]["requestBody"]["content"]["application/json"]
        (example,) = content["examples"].values()
        assert example["value"]["type"] == type_
        assert valid(content["schema"], example["value"])
        assert not valid(content["schema"], example["value"] | {"type": "other.type"})


@pytest.mark.parametrize("type_", EventType)
def test_an_event_s_schema_knows_its_data(type_: EventType) -> None:
    event = EXAMPLES.models[CloudEvent.__name__][type_]
    group = type_.partition(".")[0]

    assert event["data"] == msgspec.to_builtins(msgspec.convert(event["data"], EVENT_DATA[group]))
    lacking = {name: value for name, value in event["data"].items() if name != "url"}
    assert not valid({"$ref": "#/components/schemas/CloudEvent"}, event | {"data": lacking})


def test_every_provider_has_an_example_of_a_connection() -> None:
    examples = EXAMPLES.models[ConnectionIn.__name__]

    assert {example["provider"] for example in examples.values()} == {*REGISTRY}


def test_nothing_in_it_is_written_as_only_python_reads_it() -> None:
    text = msgspec.json.encode(DOCUMENT).decode()

    assert r"(?!\\n)" not in text
    assert "``" not in text


def test_links_lead_to_calls_by_ids_that_the_answer_has() -> None:
    by_name = {route.name: rule for rule, all_ in ROUTES.items() for route in all_.values()}
    links = [
        (answer, link)
        for path in DOCUMENT["paths"].values()
        for told in path.values()
        for answer in told["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert links
    for answer, link in links:
        (example, *_) = answer["content"]["application/json"]["examples"].values()
        assert link["parameters"].keys() == set(ids_in(by_name[link["operationId"]]))
        for name, pointer in link["parameters"].items():
            assert pointer == f"$response.body#/{name}"
            assert name in example["value"]


def test_a_ping_is_not_linked_to_the_log_that_does_not_have_it() -> None:
    ping = DOCUMENT["paths"]["/endpoints/{endpoint_id}/ping"]["post"]
    assert "links" not in ping["responses"]["200"]
