"""The digi.me simulator's authorization, against the guide Authorization."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest

from infra.local.simulators.digime.people import PEOPLE
from tests.support.clients.digime import REDIRECT_URI, TIMEOUT, DigimeClient, Tokens, is_error

if TYPE_CHECKING:
    import requests


def look(
    application: DigimeClient, page: str, accept: str = "*/*", **query: str
) -> requests.Response:
    """What the web client shows a person, or where it sends them."""
    return application.http.get(
        f"{application.web}{page}",
        params=query,
        headers={"Accept": accept},
        allow_redirects=False,
        timeout=TIMEOUT,
    )


def test_an_authorization_answers_a_code_in_a_jwt_and_a_session(application: DigimeClient) -> None:
    body = {"agent": {"sdk": {"name": "tests", "version": "1"}}, "actions": {"pull": {}}}
    answer = application.authorize(body)

    assert answer.status_code == 201
    assert set(answer.json()) == {"token", "session"}
    assert isinstance(application.opened(answer)["preauthorization_code"], str)
    session = answer.json()["session"]
    assert len(session["key"]) == 32
    assert session["key"].isalnum()
    assert session["expiry"] == int((application.clock() + 900) * 1000)


@pytest.mark.parametrize(
    "change",
    [
        {"code_challenge": None},
        {"code_challenge": "short"},
        {"code_challenge_method": "plain"},
        {"response_mode": "fragment"},
        {"response_type": "token"},
        {"state": 5},
    ],
    ids=str,
)
def test_an_authorization_that_says_otherwise_is_refused(
    application: DigimeClient, change: dict[str, object]
) -> None:
    assert is_error(application.authorize(**change), 406, "ValidationErrors")


def test_the_web_client_sends_the_user_back_with_success_state_and_code(
    application: DigimeClient,
) -> None:
    code = application.opened(application.authorize())["preauthorization_code"]
    back = application.visit("authorize", code=code, callback=REDIRECT_URI, service="901")

    assert set(back) == {"success", "state", "code"}
    assert (back["success"], back["state"]) == ("true", "a-state")


@pytest.mark.parametrize("error", [None, "USER_CANCEL"])
def test_an_authorization_without_a_state_sends_the_user_back_without_one(
    application: DigimeClient, error: str | None
) -> None:
    application.settings(consent_error=error)
    code = application.opened(application.authorize(state=None))["preauthorization_code"]
    back = application.visit("authorize", code=code, callback=REDIRECT_URI)

    assert set(back) == {"success", "errorCode" if error else "code"}


def test_the_session_of_an_authorization_is_pending_until_the_user_consents(
    application: DigimeClient,
) -> None:
    answer = application.authorize()
    session = answer.json()["session"]["key"]
    assert application.list(session).json() == {"status": {"state": "pending"}}

    code = application.opened(answer)["preauthorization_code"]
    application.visit("authorize", code=code, callback=REDIRECT_URI)

    assert application.list(session).json()["status"]["state"] == "running"


def test_a_preauthorisation_code_is_good_for_one_visit_of_ten_minutes(
    application: DigimeClient,
) -> None:
    spent, late = (
        application.opened(application.authorize())["preauthorization_code"] for _ in range(2)
    )
    application.visit("authorize", code=spent, callback=REDIRECT_URI)
    application.clock.now += 601

    for code in (spent, late, "unknown"):
        back = application.visit("authorize", code=code, callback=REDIRECT_URI)
        assert back == {"success": "false", "errorCode": "INVALID_CODE"}


def test_a_user_may_cancel(application: DigimeClient) -> None:
    application.settings(consent_error="USER_CANCEL")
    code = application.opened(application.authorize())["preauthorization_code"]
    back = application.visit("authorize", code=code, callback=REDIRECT_URI)

    assert back == {"success": "false", "errorCode": "USER_CANCEL"}


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({}, f"{REDIRECT_URI}?success=true"),
        ({"success_to_callback": True}, f"{REDIRECT_URI}?session=s1&success=true"),
        ({"consent_error": "SERVER_ERROR"}, f"{REDIRECT_URI}?session=s1&success=false"),
    ],
)
def test_a_success_goes_where_the_claims_say_and_a_failure_to_the_callback(
    application: DigimeClient, settings: dict[str, object], address: str
) -> None:
    application.settings(**settings)
    code = application.opened(application.authorize())["preauthorization_code"]
    query = {"code": code, "callback": f"{REDIRECT_URI}?session=s1"}
    answer = look(application, "authorize", **query)
    assert answer.headers["Location"].startswith(address)


@pytest.mark.parametrize("asked", [True, False])
def test_a_person_chooses_on_a_page_that_spends_nothing(
    application: DigimeClient, *, asked: bool
) -> None:
    application.settings(ask_user=asked)
    code = application.opened(application.authorize())["preauthorization_code"]
    accept = "*/*" if asked else "text/html,application/xhtml+xml,*/*;q=0.8"
    for _ in range(3):
        page = look(application, "authorize", accept, code=code, callback=REDIRECT_URI)
        assert page.status_code == 200
    links = [html.unescape(link) for link in re.findall('href="([^"]*)"', page.text)]
    assert len(links) == len(PEOPLE) + 1
    assert application.visit("authorize", **dict(parse_qsl(links[1][1:])))["state"] == "a-state"
    assert application.visit("authorize", **dict(parse_qsl(links[-1][1:]))) == {
        "success": "false",
        "errorCode": "INVALID_CODE",
    }


def test_a_person_can_refuse_on_the_page_and_adds_a_service_as_who_they_are(
    application: DigimeClient,
) -> None:
    application.settings(ask_user=True)
    claims = application.opened(
        application.post("oauth/token/reference", access_token=application.connect("cleo").access)
    )
    query = {"code": claims["reference_code"], "callback": REDIRECT_URI}
    page = look(application, "onboard", **query).text
    links = [html.unescape(link) for link in re.findall('href="([^"]*)"', page)]
    assert [dict(parse_qsl(link[1:]))["user"] for link in links] == ["cleo", "cleo"]
    denied = application.visit("onboard", **dict(parse_qsl(links[1][1:])))
    assert denied == {"success": "false", "errorCode": "USER_CANCEL"}


def test_an_unknown_service_can_t_be_added(application: DigimeClient) -> None:
    code = application.opened(application.authorize())["preauthorization_code"]
    back = application.visit("authorize", code=code, callback=REDIRECT_URI, service="5")

    assert back["errorCode"] == "ONBOARD_ERROR"


def test_a_callback_is_a_place_for_browsers(application: DigimeClient) -> None:
    code = application.opened(application.authorize())["preauthorization_code"]
    query = {"code": code, "callback": "javascript:alert(1)"}
    answer = application.http.get(f"{application.web}authorize", params=query, timeout=5)

    assert is_error(answer, 400, "InvalidRedirectUri")


def test_an_access_token_names_the_user_of_a_further_authorization(
    application: DigimeClient,
) -> None:
    tokens = application.connect("cleo")
    answer = application.authorize(access_token=tokens.access)
    code = application.opened(answer)["preauthorization_code"]
    back = application.visit("authorize", code=code, callback=REDIRECT_URI, user="ada")
    again = Tokens(application.opened(application.redeem(back["code"])))

    assert again.claims["identifier"] == tokens.claims["identifier"]
    assert is_error(application.authorize(access_token="unknown"), 401, "InvalidToken")


def test_a_reference_lets_a_known_user_add_a_service(application: DigimeClient) -> None:
    tokens = application.connect()
    answer = application.post("oauth/token/reference", access_token=tokens.access)
    claims, session = application.opened(answer), answer.json()["session"]["key"]
    assert set(claims) == {"reference_code", "token_type", "expires_on"}
    assert claims["expires_on"] == int(application.clock()) + 600
    assert application.list(session).json()["status"]["state"] == "pending"

    query = {"code": claims["reference_code"], "callback": REDIRECT_URI, "service": "904"}
    assert application.visit("onboard", **query) == {"success": "true"}

    assert application.list(session).json()["status"]["state"] == "running"
    assert application.visit("onboard", **query)["errorCode"] == "INVALID_CODE"


def test_services_are_discovered_without_a_jwt(application: DigimeClient) -> None:
    url = f"{application.api}discovery/services"
    for headers in ({}, {"contractId": application.contract_id}):
        found = application.http.get(url, headers=headers, timeout=5).json()["data"]
        assert set(found) == {"countries", "serviceGroups", "services"}
        groups = {group["id"] for group in found["serviceGroups"]}
        named = {group["id"] for each in found["services"] for group in each["serviceGroups"]}
        assert named <= groups

    answer = application.http.get(url, headers={"contractId": "another"}, timeout=5)
    assert is_error(answer, 400, "InvalidRequest")
