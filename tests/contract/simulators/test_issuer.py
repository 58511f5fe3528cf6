"""The local issuer signs in only whom it should: a client that knows PKCE and its own address."""

from __future__ import annotations

import base64
import json
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest

from infra.local.aws import ROOT
from infra.local.issuer import CLIENT, CODE_SECONDS, Issuer

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

CONSOLE = "http://127.0.0.1:4566/stage/v1/console"
ORIGIN = "http://127.0.0.1:4566"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ASKED = {
    "client_id": CLIENT,
    "redirect_uri": CONSOLE,
    "response_type": "code",
    "scope": "openid",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "state": "of-the-page",
    "nonce": "once",
}
REDEEMED = {
    "client_id": CLIENT,
    "redirect_uri": CONSOLE,
    "grant_type": "authorization_code",
    "code_verifier": VERIFIER,
}


@pytest.fixture
def issuer() -> Issuer:
    one = Issuer()
    one.url, one.console = "http://127.0.0.1:9000", CONSOLE
    return one


@pytest.fixture
def browser(issuer: Issuer) -> FlaskClient:
    return issuer.app().test_client()


def choose(browser: FlaskClient, tenant: str = "demo", **changes: str) -> dict[str, str]:
    """What the issuer sends a browser back with, once its person has chosen."""
    answer = browser.post("/authorize", query_string=ASKED | changes, data={"tenant": tenant})
    at, _, query = answer.headers["Location"].partition("?")
    assert (answer.status_code, at) == (303, CONSOLE)
    return dict(parse_qsl(query))


def redeem(browser: FlaskClient, code: str, /, **changes: str) -> TestResponse:
    return browser.post("/token", data=REDEEMED | {"code": code} | changes)


def claims(issuer: Issuer, token: str, *, audience: str) -> dict[str, Any]:
    (key,) = issuer.app().test_client().get("/jwks").get_json()["keys"]
    return jwt.decode(token, jwt.PyJWK(key), audience=audience, issuer=issuer.url)


def test_a_person_chooses_a_tenant_and_is_signed_in(issuer: Issuer, browser: FlaskClient) -> None:
    page = browser.get("/authorize", query_string=ASKED)
    back = choose(browser, "neighbour")
    told = redeem(browser, back["code"]).get_json()

    assert page.text.count('<button name="tenant"') == 2
    assert (back["state"], back["iss"]) == ("of-the-page", issuer.url)
    assert claims(issuer, told["access_token"], audience="freshet")["tenant"] == "neighbour"
    assert claims(issuer, told["id_token"], audience=CLIENT)["nonce"] == "once"
    assert told["token_type"] == "Bearer"


def test_a_code_is_good_once(browser: FlaskClient) -> None:
    code = choose(browser)["code"]

    assert redeem(browser, code).status_code == 200
    assert redeem(browser, code).get_json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": CHALLENGE},
        {"code_verifier": VERIFIER[:-1]},
        {"code_verifier": ""},
        {"redirect_uri": f"{CONSOLE}/"},
        {"code": "another"},
    ],
)
def test_without_its_verifier_and_address_a_code_is_worth_nothing(
    browser: FlaskClient, changes: dict[str, str]
) -> None:
    answer = redeem(browser, choose(browser)["code"], **changes)

    assert (answer.status_code, answer.get_json()) == (400, {"error": "invalid_grant"})


def test_a_wrong_verifier_uses_the_code_up(browser: FlaskClient) -> None:
    code = choose(browser)["code"]
    redeem(browser, code, code_verifier="w" * 43)

    assert redeem(browser, code).status_code == 400


def test_a_code_is_good_for_a_minute(browser: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    code, then = choose(browser)["code"], time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: then + CODE_SECONDS + 1)

    assert redeem(browser, code).status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "another"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_no_other_client_or_grant_gets_a_token(
    browser: FlaskClient, changes: dict[str, str], error: str
) -> None:
    answer = redeem(browser, choose(browser)["code"], **changes)

    assert answer.get_json() == {"error": error}


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "another"},
        {"redirect_uri": "https://evil.example.com"},
        {"redirect_uri": f"{CONSOLE}?x=y"},
    ],
)
def test_no_browser_is_sent_to_an_address_that_is_not_registered(
    browser: FlaskClient, changes: dict[str, str]
) -> None:
    answer = browser.post("/authorize", query_string=ASKED | changes, data={"tenant": "demo"})

    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_before_the_console_is_there_no_address_is_registered(issuer: Issuer) -> None:
    issuer.console = ""
    asked = ASKED | {"redirect_uri": ""}

    assert issuer.app().test_client().get("/authorize", query_string=asked).status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "openid everything"}, "invalid_scope"),
    ],
)
def test_a_request_that_is_not_sound_goes_back_with_its_error(
    browser: FlaskClient, changes: dict[str, str], error: str
) -> None:
    back = choose(browser, **changes)

    assert (back["error"], back["state"]) == (error, "of-the-page")
    assert "code" not in back


def test_an_unknown_tenant_is_not_signed_in(browser: FlaskClient) -> None:
    assert choose(browser, "root")["error"] == "access_denied"


def test_only_the_console_s_origin_may_read_its_answers(browser: FlaskClient) -> None:
    shared = {
        origin: browser.get(
            "/.well-known/openid-configuration", headers={"Origin": origin}
        ).headers.get("Access-Control-Allow-Origin")
        for origin in (ORIGIN, "http://127.0.0.1:9001", "null")
    }

    assert shared == {ORIGIN: ORIGIN, "http://127.0.0.1:9001": None, "null": None}


def test_who_signs_out_is_sent_back_to_the_console_only(browser: FlaskClient) -> None:
    told = {"client_id": CLIENT, "post_logout_redirect_uri": CONSOLE}
    back = browser.get("/end-session", query_string=told)
    away = browser.get(
        "/end-session", query_string=told | {"post_logout_redirect_uri": "https://evil.example"}
    )

    assert urlsplit(back.headers["Location"]).geturl() == CONSOLE
    assert away.status_code == 200


def test_the_local_stage_names_its_client() -> None:
    stages = json.loads((ROOT / "cdk.json").read_text())["context"]["stages"]

    assert stages["local"]["console"] == {"client_id": CLIENT}
