"""The HTTP API as the gateway sees it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.errors import NotFound
from functions.rest.console import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.cloudformation.template import Template

ROOT = Path(__file__).parents[2]
EVERY_METHOD = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}


def _answers(template: Template) -> dict[str, dict[str, Any]]:
    found = template.all("ApiGateway::GatewayResponse").values()
    return {each["Properties"]["ResponseType"]: each["Properties"] for each in found}


def _problem(answer: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(answer["ResponseTemplates"]["application/json"]))


def _methods(template: Template, http_method: str) -> list[dict[str, Any]]:
    found = [each["Properties"] for each in template.all("ApiGateway::Method").values()]
    return [each for each in found if each["HttpMethod"] == http_method]


def test_everything_below_v1_goes_to_the_door(local: Template) -> None:
    paths = {each["Properties"]["PathPart"] for each in local.all("ApiGateway::Resource").values()}
    methods = [each["Properties"] for each in local.all("ApiGateway::Method").values()]

    assert paths == {
        *("v1", "{proxy+}", "hooks", "{provider}", "{token}", "openapi.json", "docs", "{file}"),
        *("connect", "callbacks", "{name}", "errors", "receipt-keys", "console", "config.json"),
    }
    assert sorted(each["HttpMethod"] for each in methods) == [
        *["ANY"] * 10,
        *("GET", "GET", "HEAD", "OPTIONS", "POST", "POST"),
    ]
    assert {each["Integration"]["Type"] for each in methods} == {"AWS_PROXY"}


def test_nothing_but_webhooks_sign_in_description_and_public_keys_is_open_without_a_token(
    local: Template,
) -> None:
    resources = local.all("ApiGateway::Resource")
    parts = {name: each["Properties"]["PathPart"] for name, each in resources.items()}
    open_ = {
        parts[each["ResourceId"]["Ref"]]
        for http_method in ("ANY", "GET", "HEAD", "POST")
        for each in _methods(local, http_method)
        if each["AuthorizationType"] == "NONE"
    }
    others = [each for each in _methods(local, "ANY") if each["AuthorizationType"] != "NONE"]

    assert open_ == {
        *("{token}", "{name}", "openapi.json", "docs", "{file}", "errors", "receipt-keys"),
        *("console", "config.json"),
    }
    assert [each["AuthorizationType"] for each in others] == ["CUSTOM", "CUSTOM"]
    assert all("AuthorizerId" in each for each in others)


def test_a_preflight_needs_no_token_where_browsers_are_let_in(
    local: Template, prod: Template
) -> None:
    (preflight,) = _methods(local, "OPTIONS")
    readable = "gatewayresponse.header.Access-Control-Allow-Origin"

    assert preflight["AuthorizationType"] == "NONE"
    assert "ApiDoor" in json.dumps(preflight["Integration"]["Uri"])
    assert {each["ResponseParameters"].get(readable) for each in _answers(local).values()} == {
        "'*'"
    }
    assert _methods(prod, "OPTIONS") == []
    assert {each["ResponseParameters"].get(readable) for each in _answers(prod).values()} == {None}


def _door(method: dict[str, Any]) -> str:
    (found,) = re.findall(r"(\w+)DoorFunction", json.dumps(method["Integration"]["Uri"]))
    return str(found)


def test_webhooks_and_users_who_sign_in_have_doors_of_their_own(local: Template) -> None:
    doors = {
        name: [_door(each) for each in _methods(local, name)]
        for name in ("ANY", "GET", "HEAD", "POST")
    }

    assert {name: sorted(found) for name, found in doors.items()} == {
        "ANY": ["Api"] * 10,
        "GET": ["Connect"] * 2,
        "HEAD": ["Connect"],
        "POST": ["Connect", "Webhook"],
    }


def test_the_authorizer_is_asked_once_a_minute_for_each_token(local: Template) -> None:
    found = local.one("ApiGateway::Authorizer")

    assert found["Type"] == "TOKEN"
    assert found["IdentitySource"] == "method.request.header.Authorization"
    assert found["AuthorizerResultTtlInSeconds"] == 60


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        pytest.param("Bearer abc.def.ghi", True, id="a token"),
        pytest.param("bearer abc", True, id="in any case"),
        pytest.param("Bearer  abc_-~+/==", True, id="every character of RFC 6750"),
        pytest.param("Basic abc", False, id="another scheme"),
        pytest.param("Bearer", False, id="no token"),
        pytest.param("Bearer a b", False, id="two tokens"),
        pytest.param('Bearer a"', False, id="another character"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_only_what_looks_like_a_bearer_token_reaches_the_authorizer(
    local: Template, header: str, *, asked: bool
) -> None:
    pattern = local.one("ApiGateway::Authorizer")["IdentityValidationExpression"]

    assert bool(re.match(pattern, header)) is asked


def test_every_answer_of_the_gateway_s_own_is_a_problem(local: Template) -> None:
    for answer in _answers(local).values():
        problem = _problem(answer)
        headers = answer["ResponseParameters"]

        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert {*problem} - {"status"} == {"type", "title", "detail", "action"}
        assert re.fullmatch(r"urn:freshet:problem:[a-z-]+", problem["type"])
        assert str(problem.get("status")) == str(answer.get("StatusCode"))


@pytest.mark.parametrize(
    ("response", "status"),
    [
        ("UNAUTHORIZED", 401),
        ("ACCESS_DENIED", 401),
        ("AUTHORIZER_FAILURE", 503),
        ("AUTHORIZER_CONFIGURATION_ERROR", 503),
        ("MISSING_AUTHENTICATION_TOKEN", 404),
        ("REQUEST_TOO_LARGE", 413),
        ("THROTTLED", 429),
        ("INTEGRATION_FAILURE", 503),
        ("INTEGRATION_TIMEOUT", 504),
        ("WAF_FILTERED", 403),
        ("UNSUPPORTED_MEDIA_TYPE", 415),
        ("QUOTA_EXCEEDED", 429),
    ],
)
def test_the_gateway_answers_with_the_status_that_says_what_happened(
    local: Template, response: str, status: int
) -> None:
    assert _answers(local)[response]["StatusCode"] == str(status)


def test_a_default_answer_leaves_each_of_its_cases_its_own_status(local: Template) -> None:
    answers = _answers(local)

    assert all("StatusCode" not in answers[name] for name in ("DEFAULT_4XX", "DEFAULT_5XX"))


def test_an_unknown_address_reads_as_what_the_door_says_of_what_is_not_there(
    local: Template,
) -> None:
    assert _problem(_answers(local)["MISSING_AUTHENTICATION_TOKEN"]) == {
        "type": "urn:freshet:problem:not-found",
        "title": "Not Found",
        "status": 404,
        "detail": NotFound.text,
        "action": "fix_request",
    }


def test_a_401_says_which_scheme_and_a_429_says_when(local: Template) -> None:
    answers = _answers(local)
    unauthorized = answers["UNAUTHORIZED"]["ResponseParameters"]
    denied = answers["ACCESS_DENIED"]
    throttled = answers["THROTTLED"]["ResponseParameters"]

    assert unauthorized["gatewayresponse.header.WWW-Authenticate"] == "'Bearer'"
    assert denied["ResponseParameters"]["gatewayresponse.header.WWW-Authenticate"].startswith(
        '\'Bearer error="invalid_token", error_description="'
    )
    assert _problem(denied)["detail"] == "$context.authorizer.detail"
    assert throttled["gatewayresponse.header.Retry-After"] == "'1'"


def test_the_access_log_names_no_person_address_token_or_path(local: Template) -> None:
    written = local.one("ApiGateway::Stage")["AccessLogSetting"]["Format"]

    assert set(re.findall(r"\$context\.[A-Za-z.]+", written)) == {
        "$context.requestId",
        "$context.xrayTraceId",
        "$context.requestTimeEpoch",
        "$context.httpMethod",
        "$context.resourcePath",
        "$context.status",
        "$context.error.responseType",
        "$context.responseLatency",
        "$context.responseLength",
    }


def test_no_trace_of_the_gateway_has_addresses_in_it(prod: Template) -> None:
    assert prod.one("ApiGateway::Stage")["TracingEnabled"] is False


def test_what_is_larger_than_a_packet_is_compressed_and_no_function_does_so_itself(
    prod: Template,
) -> None:
    sources = (ROOT / "functions").rglob("*.py")

    assert prod.one("ApiGateway::RestApi")["MinimumCompressionSize"] == 1024
    assert not [path for path in sources if "Content-Encoding" in path.read_text()]


def test_the_stage_is_throttled_and_never_logs_bodies(
    prod: Template, stages: dict[str, Any]
) -> None:
    stage = prod.one("ApiGateway::Stage")
    settings, *_ = stage["MethodSettings"]

    assert stage["StageName"] == "prod"
    assert settings["DataTraceEnabled"] is False
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    assert settings["ThrottlingRateLimit"] == stages["prod"]["requests_per_second"]
    assert settings["ThrottlingBurstLimit"] == stages["prod"]["burst"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/hooks/{provider}/{token}", {"POST"}),
        ("/v1/connect/{token}", {"GET", "HEAD", "POST"}),
        ("/v1/connect/callbacks/{provider}/{name}", {"GET"}),
        *((path, EVERY_METHOD) for path in ("/v1/openapi.json", "/v1/docs", "/v1/docs/{file}")),
        ("/v1/errors", EVERY_METHOD),
        *((f"/v1/console{below}", EVERY_METHOD) for below in ("", "/config.json", "/{file}")),
        ("/v1/receipt-keys", EVERY_METHOD),
    ],
)
def test_calls_without_a_token_have_a_share_of_the_rate(
    prod: Template, path: str, methods: set[str]
) -> None:
    everything, *others = prod.one("ApiGateway::Stage")["MethodSettings"]
    share = [each for each in others if each["ResourcePath"] == "/" + path.replace("/", "~1")]

    assert {each["HttpMethod"] for each in share} == methods
    for each in share:
        at_once = (path, each["HttpMethod"]) == ("/v1/console/{file}", "GET")
        most = everything["ThrottlingBurstLimit"]
        assert 0 < each["ThrottlingRateLimit"] < everything["ThrottlingRateLimit"]
        assert 0 < each["ThrottlingBurstLimit"] < most + at_once
        assert each["MetricsEnabled"] is True
        assert each["DataTraceEnabled"] is False


def test_a_browser_may_ask_for_all_files_of_the_console_at_once(
    synthesised: Callable[..., Template],
) -> None:
    _, *shares = synthesised(stage="dev").one("ApiGateway::Stage")["MethodSettings"]
    (files,) = [
        each["ThrottlingBurstLimit"]
        for each in shares
        if (each["ResourcePath"], each["HttpMethod"]) == ("/~1v1~1console~1{file}", "GET")
    ]

    assert files >= 2 * len(list(FOLDER.iterdir()))


def test_no_other_call_has_a_share_of_its_own(local: Template) -> None:
    _, *shares = local.one("ApiGateway::Stage")["MethodSettings"]
    open_ = [
        each["Properties"]
        for each in local.all("ApiGateway::Method").values()
        if each["Properties"]["AuthorizationType"] == "NONE"
    ]
    ways = [len(EVERY_METHOD) if each["HttpMethod"] == "ANY" else 1 for each in open_]

    assert len(shares) == sum(ways)


def test_the_api_s_name_and_so_its_metrics_are_its_stage_s_own(prod: Template) -> None:
    assert prod.one("ApiGateway::RestApi")["Name"] == "Freshet-prod"
    alarm = prod.one("CloudWatch::Alarm", "AlarmsApiFaults")
    measured = [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]
    for metric in measured:
        assert {"Name": "ApiName", "Value": "Freshet-prod"} in metric["Dimensions"]


def test_the_account_s_role_for_logs_is_left_alone_where_the_stage_says_so(
    synthesised: Callable[..., Template], prod: Template, stages: dict[str, Any]
) -> None:
    stage = stages["prod"] | {"account_log_role": False}
    without = synthesised(stage="prod", stages={"prod": stage})

    assert prod.all("ApiGateway::Account")
    assert without.all("ApiGateway::Account") == {}
    assert not [name for name in without.all("IAM::Role") if "CloudWatch" in name]
    assert without.one("ApiGateway::Stage")["AccessLogSetting"]


KEY = "ReservedConcurrentExecutions"


def test_a_stage_may_set_a_number_of_functions_aside_for_the_api_and_for_nothing_else(
    synthesised: Callable[..., Template], stages: dict[str, Any]
) -> None:
    reserving = synthesised(stages={"local": stages["local"] | {"api_concurrency": 40}})
    functions = reserving.all("Lambda::Function").values()
    reserved = {
        each["Properties"]["Handler"]: each["Properties"][KEY]
        for each in functions
        if KEY in each["Properties"]
    }

    assert reserved == {"functions.api.handler": 40}


@pytest.mark.parametrize("most", [0, -1, 1.5, "40"])
def test_a_number_of_functions_that_answers_no_call_is_refused(
    synthesised: Callable[..., Template], stages: dict[str, Any], most: object
) -> None:
    with pytest.raises(ValueError, match="api_concurrency"):
        synthesised(stages={"local": stages["local"] | {"api_concurrency": most}})
