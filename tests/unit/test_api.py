"""The API as far as it answers by itself; what needs stores is tried end to end, in e2e."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from functions.api import read_allowed_origins
from functions.connectors.registry import Provider
from functions.core.contract import MAX_BODY_BYTES, Variable
from functions.rest.routes import ROUTES
from tests.support.api_gateway import call, headers, read_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "QUERY")
CONNECTION = "/v1/connections/con_1"
SAMPLES = {
    rule: rule.replace("<connection_id>", "con_1")
    .replace("<refresh_id>", "ref_1")
    .replace("<name>", "accounts")
    for rule in ROUTES
}


def taken(rule: str) -> set[str]:
    """The methods that an address takes: HEAD where a GET needs no token."""
    by_method = ROUTES[rule]
    return {*by_method} | {"HEAD" for each in by_method.values() if each.open}


@pytest.mark.parametrize(
    ("method", "rule"),
    [(method, rule) for rule in ROUTES for method in METHODS if method not in taken(rule)],
)
def test_a_method_that_an_address_does_not_take_is_refused_with_those_it_takes(
    method: str, rule: str
) -> None:
    answer = call(method, SAMPLES[rule])
    assert read_problem(answer, 405)["type"] == "urn:freshet:problem:method-not-allowed"
    assert headers(answer)["Allow"] == ", ".join(sorted(taken(rule)))


@pytest.mark.parametrize(
    "path", ["/v1/docs", "/v1/docs/start.js", "/v1/errors", "/v1/openapi.json"]
)
def test_an_open_page_is_asked_for_by_head_as_by_get_and_comes_without_its_body(path: str) -> None:
    whole, head = call("GET", path), call("HEAD", path)

    assert whole["statusCode"] == 200
    assert whole["body"]
    assert head == whole | {"body": ""}


HTTPS = {"X-Forwarded-Proto": "https"}


@pytest.mark.parametrize("base", ["", "/dev", "/of/ours", "/v1"])
def test_a_problem_names_its_page_in_the_console_as_the_api_was_asked(base: str) -> None:
    context = {"path": f"{base}/v1/docs/none", "domainName": "api.example", "requestTimeEpoch": 0}
    told = msgspec.json.decode(
        call("GET", "/v1/docs/none", headers=HTTPS, requestContext=context)["body"]
    )

    assert told["help"] == f"https://api.example{base}/v1/console#/errors/NotFound"
    assert "help" not in msgspec.json.decode(call("GET", "/v1/docs/none")["body"])


@pytest.mark.parametrize("scheme", ["javascript", "https://evil.example/#", "ftp", "https, http"])
def test_a_problem_names_no_page_by_a_scheme_that_a_caller_has_made_up(scheme: str) -> None:
    context = {"path": "/v1/docs/none", "domainName": "api.example", "requestTimeEpoch": 0}
    asked = {"headers": {"X-Forwarded-Proto": scheme}, "requestContext": context}

    assert "help" not in msgspec.json.decode(call("GET", "/v1/docs/none", **asked)["body"])


@pytest.mark.parametrize(
    ("path", "console"), [("/v1/docs/none", "null"), ("/v2/x", '{"stage": "unit"}')]
)
def test_without_a_console_or_outside_the_api_a_problem_names_no_page(
    monkeypatch: pytest.MonkeyPatch, path: str, console: str
) -> None:
    monkeypatch.setenv(Variable.CONSOLE, console)
    context = {"path": f"/dev{path}", "domainName": "api.example", "requestTimeEpoch": 0}

    read_problem(call("GET", path, headers=HTTPS, requestContext=context), 404)


def test_by_head_an_unknown_page_is_told_of_as_by_get() -> None:
    read_problem(call("HEAD", "/v1/docs/none"), 404)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/",
        "/v2/connections",
        "/v1/connection",
        f"{CONNECTION}/credentials/x",
        "/%00",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_address_is_not_found(method: str, path: str) -> None:
    assert read_problem(call(method, path), 404)["type"] == "urn:freshet:problem:not-found"


@pytest.mark.parametrize("path", ["/v1/connections", "/v1/refreshes"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(None, 400, id="none"),
        pytest.param("", 400, id="empty"),
        pytest.param("{", 400, id="cut-off"),
        pytest.param("[" * 60_000, 400, id="nested"),
        pytest.param('{"connection_id": ' + "9" * 5000 + "}", 400, id="a-huge-number"),
        pytest.param('"\ud800"', 400, id="a-surrogate"),
        pytest.param(" " * MAX_BODY_BYTES, 400, id="as-large-as-may-be"),
        pytest.param(" " * (MAX_BODY_BYTES + 1), 413, id="a-byte-too-large"),
        pytest.param("é" * (MAX_BODY_BYTES // 2 + 1), 413, id="too-large-in-bytes-only"),
    ],
)
def test_a_body_that_is_not_right_is_refused(path: str, body: str | None, status: int) -> None:
    read_problem(call("POST", path, body=body), status)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(None, "The body is empty: send a JSON object.", id="none"),
        pytest.param(" \n", "The body is empty: send a JSON object.", id="blank"),
        pytest.param("\ud800", "The body is not Unicode text in UTF-8.", id="a-surrogate"),
        pytest.param("{", "The body is not JSON: Input data was truncated.", id="cut-off"),
        pytest.param("x", "The body is not JSON: invalid character (byte 0).", id="no-json"),
    ],
)
def test_a_body_that_cannot_be_read_is_told_why(body: str | None, told: str) -> None:
    assert read_problem(call("POST", "/v1/refreshes", body=body), 400)["detail"] == told


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("not base64!", id="other-letters"),
        pytest.param("YQ", id="no-padding"),
        pytest.param("é", id="beyond-ascii"),
    ],
)
def test_what_only_claims_to_be_base64_is_refused(body: str) -> None:
    told = read_problem(call("POST", "/v1/refreshes", body=body, isBase64Encoded=True), 400)
    assert told["detail"] == "The body is not valid base64."


def test_base64_is_unpacked_before_it_is_read() -> None:
    body = base64.b64encode(b'{"connection_id": "c", "surprise": 1}').decode()
    told = read_problem(call("POST", "/v1/refreshes", body=body, isBase64Encoded=True), 400)
    assert "surprise" in told["detail"]


@pytest.mark.parametrize(
    ("method", "rule"),
    [
        (method, rule)
        for rule, by_method in ROUTES.items()
        for method, route in by_method.items()
        if not route.any_query
    ],
)
def test_no_address_takes_a_parameter_that_it_does_not_know(method: str, rule: str) -> None:
    answer = call(method, SAMPLES[rule], queryStringParameters={"tenant": "other"}, body="{}")
    assert read_problem(answer, 400)["detail"] == "Unknown query parameter: tenant."


@pytest.mark.parametrize(
    ("method", "rule"),
    [(method, rule) for rule in ROUTES for method in ROUTES[rule]],
)
@pytest.mark.parametrize("values", [["1", "2"], ["1", "1"], ["", ""]])
def test_no_address_takes_a_parameter_twice(method: str, rule: str, values: list[str]) -> None:
    answer = call(
        method,
        SAMPLES[rule],
        queryStringParameters={"limit": values[-1]},
        multiValueQueryStringParameters={"limit": values},
        body="{}",
    )
    told = read_problem(answer, 400)["detail"]
    assert told == "A query parameter may be given once only: limit."


def test_a_parameter_that_came_once_is_as_the_gateway_passes_it() -> None:
    answer = call(
        "GET",
        "/v1/refreshes",
        queryStringParameters={"limit": "x", "status": "failed"},
        multiValueQueryStringParameters={"limit": ["x"], "status": ["failed"]},
    )
    assert read_problem(answer, 400)["detail"].startswith("limit must be")


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "1.5", "", "x", "1e2", "\u0663", "9" * 5000])
def test_a_limit_outside_its_bounds_is_refused(limit: str) -> None:
    answer = call("GET", f"{CONNECTION}/datasets/accounts", queryStringParameters={"limit": limit})
    assert read_problem(answer, 400)["detail"] == "limit must be a whole number from 1 to 1000."


@pytest.mark.parametrize("name", ["x" * 81, "é"])
def test_an_id_that_could_not_be_one_is_not_found(name: str) -> None:
    read_problem(call("GET", f"/v1/refreshes/{name}"), 404)


def test_an_unknown_provider_is_told_which_there_are() -> None:
    body = '{"provider": "x", "subject": "s", "credentials": {"access_token": "t"}}'
    told = read_problem(call("POST", "/v1/connections", body=body), 400)
    assert told["detail"] == f"No such provider. There are: {', '.join(Provider)}."


@pytest.mark.parametrize("settings", ['{"institution": "g", "more": "x"}', "{}"])
def test_settings_are_exactly_those_of_the_provider(settings: str) -> None:
    body = (
        '{"provider": "banno", "subject": "s", "credentials": {"access_token": "t"},'
        f' "settings": {settings}}}'
    )
    told = read_problem(call("POST", "/v1/connections", body=body), 400)
    assert told["detail"] == "This provider's settings are: institution."


def test_nothing_is_kept_by_anyone_in_between() -> None:
    assert headers(call("GET", "/nowhere"))["Cache-Control"] == "no-store"


@pytest.mark.parametrize("base", ["", "/freshet", "/apis/freshet", "/v1", "/apis/v1", "/v1/apis"])
def test_the_base_path_of_a_custom_domain_changes_nothing(base: str) -> None:
    answer = call("GET", f"{base}/v1/docs/")
    assert (answer["statusCode"], headers(answer)["Location"]) == (308, "../docs")
    read_problem(call("POST", f"{base}/v1/refreshes", body="{"), 400)
    read_problem(call("GET", f"{base}/v10/connections"), 404)


ORIGIN = "https://app.example.com"


@pytest.fixture
def _browsers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stage that lets pages of two origins in."""
    origins = msgspec.json.encode(["https://other.example.com", ORIGIN]).decode()
    monkeypatch.setenv(Variable.ALLOWED_ORIGINS, origins)
    read_allowed_origins.cache_clear()
    yield
    read_allowed_origins.cache_clear()


def asked_from(origin: str, method: str, path: str, **changes: object) -> dict[str, Any]:
    named = {"headers": {"Origin": origin}, "multiValueHeaders": {"Origin": [origin]}}
    return call(method, path, **{**named, **changes})


@pytest.mark.usefixtures("_browsers")
def test_a_preflight_from_an_allowed_origin_is_told_what_it_may_send() -> None:
    answer = asked_from(ORIGIN, "OPTIONS", CONNECTION)
    told = headers(answer)
    assert answer["statusCode"] == 204
    assert told["Access-Control-Allow-Origin"] == ORIGIN
    taken = {method for by_method in ROUTES.values() for method in by_method}
    assert set(told["Access-Control-Allow-Methods"].split(",")) == taken
    assert {"Authorization", "Idempotency-Key", "Prefer"} <= set(
        told["Access-Control-Allow-Headers"].split(",")
    )


@pytest.mark.usefixtures("_browsers")
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"body": "{"}, 400, id="refused"),
        pytest.param({"requestContext": {}}, 500, id="unexpected"),
    ],
)
def test_a_page_of_an_allowed_origin_can_read_every_answer(
    changes: dict[str, Any], status: int
) -> None:
    answer = asked_from(ORIGIN, "POST", "/v1/refreshes", **changes)
    assert answer["statusCode"] == status
    assert headers(answer)["Access-Control-Allow-Origin"] == ORIGIN
    assert "Retry-After" in headers(answer)["Access-Control-Expose-Headers"]


@pytest.mark.usefixtures("_browsers")
@pytest.mark.parametrize("path", [CONNECTION, "/nowhere"])
def test_a_page_of_another_origin_can_read_nothing(path: str) -> None:
    for method in ("OPTIONS", "PATCH"):
        answer = asked_from("https://evil.example.com", method, path)
        assert "Access-Control-Allow-Origin" not in headers(answer)


@pytest.mark.usefixtures("_browsers")
@pytest.mark.parametrize("changes", [{}, {"requestContext": {}}], ids=["answered", "refused"])
def test_no_cache_gives_one_origin_s_answer_to_another(changes: dict[str, Any]) -> None:
    for answer in (
        call("GET", "/v1/openapi.json", **changes),
        asked_from(ORIGIN, "GET", "/v1/docs", **changes),
        asked_from("https://evil.example.com", "GET", "/v1/docs", **changes),
        asked_from(ORIGIN, "GET", "/nowhere", **changes),
    ):
        assert headers(answer)["Vary"] == "Origin"


def test_without_allowed_origins_no_page_can_read_anything() -> None:
    answer = asked_from(ORIGIN, "PATCH", CONNECTION)
    assert "Access-Control-Allow-Origin" not in headers(answer)


def test_an_unexpected_fault_is_a_problem_and_its_text_goes_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = read_problem(call("GET", "/v1/connections", requestContext={"canary-4711": 1}), 500)
    assert told["type"] == "urn:freshet:problem:defect"
    (record,) = caplog.records
    assert vars(record)["error"] == "KeyError"
    assert (record.getMessage(), record.exc_info) == ("unexpected", None)
