"""The API's refusals, and the state that they leave as it was."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from infra.local.caller import Caller
from infra.local.issuer import Issuer
from tests.support.system.problems import read_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.system import System

GOOD: dict[str, Any] = {
    "provider": "banno",
    "subject": "someone",
    "settings": {"institution": "garden"},
    "credentials": {"access_token": "a"},
}
NOWHERE = "con_" + "0" * 32


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        pytest.param("POST", "/v1/refreshes", {"connection_id": NOWHERE}, (404, "not-found"), id="unknown-connection"),
        pytest.param("POST", "/v1/refreshes", {"connection_id": 7}, (400, "invalid-request"), id="wrong-type"),
        pytest.param("POST", "/v1/refreshes", {"connection_id": "x", "datset": []}, (400, "invalid-request"), id="unknown-field"),
        pytest.param("POST", "/v1/refreshes", {}, (400, "invalid-request"), id="missing-field"),
        pytest.param("POST", "/v1/refreshes", {"connection_id": "x" * 65}, (400, "invalid-request"), id="too-long-id"),
        pytest.param("POST", "/v1/refreshes", {"connection_id": NOWHERE, "refresh_id": "ref_1"}, (400, "invalid-request"), id="refresh-id-is-not-the-callers"),
        pytest.param("POST", "/v1/refreshes", b"{", (400, "invalid-request"), id="not-json"),
        pytest.param("POST", "/v1/refreshes", b"\xff\xfe", (400, "invalid-request"), id="not-utf-8"),
        pytest.param("POST", "/v1/refreshes", b'{"connection_id": NaN}', (400, "invalid-request"), id="nan"),
        pytest.param("POST", "/v1/refreshes", b"[" * 50_000, (400, "invalid-request"), id="nested-deeply"),
        pytest.param("POST", "/v1/refreshes", b'{"max_age_seconds":' + b"9" * 5000 + b"}", (400, "invalid-request"), id="huge-number"),
        pytest.param("POST", "/v1/refreshes", b" " * 70_000, (413, "too-large"), id="oversize"),
        pytest.param("POST", "/v1/connections", GOOD | {"provider": "acme"}, (400, "invalid-request"), id="unknown-provider"),
        pytest.param("POST", "/v1/connections", GOOD | {"settings": {}}, (400, "invalid-request"), id="missing-setting"),
        pytest.param("POST", "/v1/connections", GOOD | {"settings": {"institution": "nowhere"}}, (400, "invalid-request"), id="unknown-institution"),
        pytest.param("POST", "/v1/connections", GOOD | {"credentials": {}}, (400, "invalid-request"), id="no-token"),
        pytest.param("POST", "/v1/connections", GOOD | {"credentials": {"access_token": "a", "expires_at": "2026-01-01T00:00:00"}}, (400, "invalid-request"), id="time-without-zone"),
        pytest.param("GET", f"/v1/connections/{NOWHERE}", None, (404, "not-found"), id="absent"),
        pytest.param("GET", "/v1/connections/" + "x" * 300, None, (404, "not-found"), id="absurd-id"),
        pytest.param("GET", "/v1/connections?limit=0", None, (400, "invalid-request"), id="limit-zero"),
        pytest.param("GET", "/v1/connections?limit=ten", None, (400, "invalid-request"), id="limit-not-a-number"),
        pytest.param("GET", "/v1/connections?page=2", None, (400, "invalid-request"), id="unknown-parameter"),
        pytest.param("GET", "/v1/nothing", None, (404, "not-found"), id="no-such-route"),
        pytest.param("GET", "/nothing", None, (404, "not-found"), id="outside-the-version"),
        pytest.param("PUT", "/v1/refreshes", None, (405, "method-not-allowed"), id="other-method"),
    ],
)  # fmt: skip
def test_a_bad_request_gets_a_problem_that_says_so(
    caller: Caller, method: str, path: str, body: Any, expected: tuple[int, str]
) -> None:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    answer = caller.send(method, path, data=data)

    assert read_problem(answer) == expected


def test_a_method_that_is_not_there_is_told_which_are(caller: Caller) -> None:
    assert caller.send("PUT", "/v1/connections").headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        pytest.param({"exp": int(time.time()) - 3600}, "has expired", id="expired"),
        pytest.param({"aud": "another"}, "audience", id="for-another-audience"),
        pytest.param({"iss": "http://127.0.0.1:1/"}, "issuer", id="from-another-issuer"),
        pytest.param({"tenant": ""}, "no tenant", id="without-a-tenant"),
        pytest.param({"tenant": ["a"]}, "no tenant", id="with-a-list-of-tenants"),
        pytest.param({"tenant": "\ud800"}, "no tenant", id="with-half-a-character"),
    ],
)
def test_a_token_that_does_not_verify_is_refused(
    running: System, claims: dict[str, Any], detail: str
) -> None:
    caller = Caller(running.api, token=running.issuer.token("someone", **claims))
    answer = caller.send("GET", "/v1/connections")

    assert read_problem(answer) == (401, "unauthorized")
    assert detail in answer.json()["detail"]
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_request_without_a_token_is_told_the_scheme_and_no_error(running: System) -> None:
    answer = requests.get(f"{running.api}/v1/connections", timeout=30)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def forged(running: System) -> str:
    """Signed by a key of another's, under the same key id."""
    other = Issuer()
    other.url = running.issuer.url
    return other.token("someone")


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda _: "", id="none"),
        pytest.param(lambda _: "not-a-token", id="not-a-token"),
        pytest.param(forged, id="signed-by-another"),
        pytest.param(lambda it: it.issuer.token("a")[:-4] + "AAAA", id="tampered"),
    ],
)
def test_a_caller_without_a_good_token_is_refused(
    running: System, token: Callable[[System], str]
) -> None:
    answer = Caller(running.api, token=token(running)).send("GET", "/v1/connections")

    assert read_problem(answer) == (401, "unauthorized")


APPLICATION = "http://localhost:3000"


@pytest.mark.parametrize(("origin", "let_in"), [(APPLICATION, True), ("http://other.test", False)])
def test_a_browser_application_of_an_allowed_origin_can_call_the_api(
    running: System, caller: Caller, origin: str, *, let_in: bool
) -> None:
    asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    preflight = requests.options(running.api + "/v1/refreshes", headers=asks, timeout=30)
    answers = (
        preflight,
        caller.send("GET", f"/v1/connections/{NOWHERE}", headers={"Origin": origin}),
    )
    allowed = [each.headers.get("Access-Control-Allow-Origin") for each in answers]
    refused = Caller(running.api, token="x").send("GET", "/v1/connections")

    assert [each.status_code for each in answers] == [204, 404]
    assert allowed == [origin if let_in else None] * 2
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, "*")


def test_a_tenant_that_has_used_up_its_calls_is_told_when_to_come_again_and_no_other_is(
    running: System, caller: Caller
) -> None:
    client, table = running.client("dynamodb"), running.outputs["ConnectionsTableName"]
    eager = Caller(running.api, token=running.issuer.token("eager"))
    eager.ask("GET", "/v1/connections")
    client.update_item(
        TableName=table,
        Key={"connection_id": {"S": "budget#tenant#eager"}},
        UpdateExpression="ADD full_at :minute",
        ExpressionAttributeValues={":minute": {"N": str(60 * 1_000_000)}},
    )
    answer = eager.send("GET", "/v1/connections")

    assert read_problem(answer) == (429, "throttled")
    assert 50 <= int(answer.headers["Retry-After"]) <= 60
    assert caller.send("GET", "/v1/connections").status_code == 200
