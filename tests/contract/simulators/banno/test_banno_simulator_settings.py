"""The Banno simulator's switches: how they are read, merged, refused and put back."""

from __future__ import annotations

import pytest

from tests.support.clients.banno import BannoClient, is_error


def test_changes_are_merged_and_by_user_where_a_setting_is_by_user(banno: BannoClient) -> None:
    banno.settings(task_seconds=1, outcome={"ada": "failure"})
    banno.settings(outcome={"ben": "timeout"}, not_authenticated={"ada": True})

    told = banno.control("GET", "settings").json()

    assert told["task_seconds"] == 1
    assert told["outcome"] == {"ada": "failure", "ben": "timeout"}
    assert told["not_authenticated"] == {"dora": True, "ada": True}
    assert told["hold_seconds"] == 7


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"task_second": 1}, id="misspelt"),
        pytest.param({"task_seconds": -1}, id="negative"),
        pytest.param({"task_seconds": "2"}, id="a-string"),
        pytest.param({"outcome": {"ada": "explosion"}}, id="unknown-outcome"),
        pytest.param({"outcome": {"eve": "failure"}}, id="unknown-user"),
        pytest.param({"limit_above_500": "ignore"}, id="unknown-way"),
        pytest.param([], id="no-object"),
    ],
)
def test_changes_that_make_no_sense_are_refused_and_change_nothing(
    banno: BannoClient, changes: object
) -> None:
    before = banno.control("GET", "settings").json()

    answer = banno.control("POST", "settings", changes)

    assert answer.status_code == 400
    assert answer.json()["message"]
    assert banno.control("GET", "settings").json() == before


def test_a_reset_puts_settings_data_tokens_faults_and_ledger_back(banno: BannoClient) -> None:
    before, ada = banno.control("GET", "settings").json(), banno.connect()
    accounts = ada.accounts()
    banno.settings(task_seconds=0, added_per_fetch=1, scale_transactions=7)
    banno.fault(kind="status", times=None, path="*/accounts")
    ada.fetch()

    banno.reset()

    assert banno.control("GET", "settings").json() == before
    assert banno.control("GET", "ledger").json() == []
    assert is_error(ada.get("/accounts"), 401)
    assert banno.connect().accounts() == accounts


@pytest.mark.parametrize("path", ["revoke", "expire"])
@pytest.mark.parametrize("body", [{"user": "nobody"}, {"users": "ada"}, {}, "ada"])
def test_tokens_of_an_unknown_user_cannot_be_ended(
    banno: BannoClient, path: str, body: object
) -> None:
    assert banno.control("POST", path, body).status_code == 400


def test_pages_can_be_made_slow(banno: BannoClient) -> None:
    ada = banno.connect()
    path = ada.largest()
    banno.settings(page_delay_seconds=0.2)

    ada.get(path, limit=1)

    assert banno.ledger()[-1]["seconds"] >= 0.2


def test_faults_answer_with_bannos_error_object(banno: BannoClient) -> None:
    ada = banno.connect()
    banno.fault(kind="status", status=500, method="GET", path="*/accounts")

    answer = ada.get("/accounts")

    assert answer.status_code == 500
    assert answer.json() == {"errorCode": 50, "messages": "Internal Server Error"}


def test_a_token_answer_can_be_lost_after_the_token_was_spent(banno: BannoClient) -> None:
    first = banno.connect().tokens["refresh_token"]
    banno.fault(kind="empty", path="*/oidc/token")
    assert banno.refresh(first).content == b""

    assert banno.refresh(first).json()["error"] == "invalid_grant"


def test_other_host_names_are_refused(banno: BannoClient) -> None:
    url = f"{banno.base_url}/.well-known/openid-configuration"

    assert banno.http.get(url, headers={"Host": "evil.example"}, timeout=5).status_code == 400
