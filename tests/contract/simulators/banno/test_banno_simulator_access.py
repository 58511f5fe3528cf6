"""The Banno simulator's Consumer API: the calls that it lets in, and its refusals."""

from __future__ import annotations

import uuid

import pytest

from tests.support.clients.banno import (
    ACCOUNTS,
    OFFLINE,
    PROFILE,
    TRANSACTIONS,
    BannoClient,
    is_error,
)

SCOPES = {
    "PUT /fetch": "openid",
    "GET /tasks/x": "openid",
    "GET /accounts": ACCOUNTS,
    "GET /accounts/x/number": ACCOUNTS,
    "GET /accounts/x/transactions": TRANSACTIONS,
    "GET /accounts/x/transactions/y": TRANSACTIONS,
    "GET ": PROFILE,
}
every_call = pytest.mark.parametrize("call", SCOPES)


@every_call
@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(None, id="missing"),
        pytest.param("Bearer", id="empty"),
        pytest.param("Bearer nonsense", id="unknown"),
        pytest.param("Basic eDp5", id="other-scheme"),
    ],
)
def test_every_call_without_a_good_token_is_answered_401(
    banno: BannoClient, call: str, authorization: str | None
) -> None:
    method, path = call.split(" ")
    headers = {} if authorization is None else {"Authorization": authorization}
    url = f"{banno.api}/users/{uuid.uuid4()}{path}"
    answer = banno.http.request(method, url, headers=headers, timeout=5)

    assert is_error(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@every_call
def test_every_call_with_an_expired_token_is_answered_401(banno: BannoClient, call: str) -> None:
    ada = banno.connect()
    banno.clock.ahead = 600

    answer = ada.call(*call.split(" "))

    assert is_error(answer, 401)
    assert "invalid_token" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("call", [call for call, scope in SCOPES.items() if scope != "openid"])
def test_a_call_whose_scope_was_not_granted_is_answered_403(banno: BannoClient, call: str) -> None:
    others = {ACCOUNTS, TRANSACTIONS, PROFILE} - {SCOPES[call]}
    answer = banno.connect(scope=" ".join(["openid", *others])).call(*call.split(" "))

    assert is_error(answer, 403)
    assert answer.json()["errorCode"] == 40


@every_call
def test_another_users_id_is_answered_403(banno: BannoClient, call: str) -> None:
    method, path = call.split(" ")
    ada, ben = banno.connect("ada"), banno.connect("ben")
    headers = {"Authorization": f"Bearer {ada.tokens['access_token']}"}
    url = f"{banno.api}/users/{ben.user_id}{path}"

    assert is_error(banno.http.request(method, url, headers=headers, timeout=5), 403)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("POST", "/fetch", 405, id="post-fetch"),
        pytest.param("GET", "/fetch", 405, id="get-fetch"),
        pytest.param("PUT", "/accounts", 405, id="put-accounts"),
        pytest.param("DELETE", "/accounts/x/transactions", 405, id="delete-transactions"),
        pytest.param("GET", "/nonsense", 404, id="unknown-path"),
        pytest.param("GET", "/accounts/", 404, id="trailing-slash"),
    ],
)
def test_wrong_methods_and_paths_are_answered_with_the_error_object(
    banno: BannoClient, *, method: str, path: str, status: int
) -> None:
    assert is_error(banno.connect().call(method, path), status)


def test_the_profile_names_the_user(banno: BannoClient) -> None:
    ada = banno.connect(scope=f"openid {PROFILE} {OFFLINE}")

    assert ada.get("").json()["userId"] == ada.user_id
