"""The Banno simulator's switches: how they are read, merged, refused and put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clients.banno import Garden, is_error, open_garden

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def opened() -> Iterator[Garden]:
    with open_garden() as garden:
        yield garden


@pytest.fixture
def garden(opened: Garden) -> Garden:
    opened.reset()
    return opened


def test_changes_are_merged_and_by_user_where_a_setting_is_by_user(garden: Garden) -> None:
    garden.settings(task_seconds=1, outcome={"ada": "failure"})
    garden.settings(outcome={"ben": "timeout"}, not_authenticated={"ada": True})

    told = garden.control("GET", "settings").json()

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
    garden: Garden, changes: object
) -> None:
    before = garden.control("GET", "settings").json()

    answer = garden.control("POST", "settings", changes)

    assert answer.status_code == 400
    assert answer.json()["message"]
    assert garden.control("GET", "settings").json() == before


def test_a_reset_puts_settings_data_tokens_faults_and_ledger_back(garden: Garden) -> None:
    before, ada = garden.control("GET", "settings").json(), garden.connect()
    accounts = ada.accounts()
    garden.settings(task_seconds=0, added_per_fetch=1, scale_transactions=7)
    garden.fault(kind="status", times=None, path="*/accounts")
    ada.fetch()

    garden.reset()

    assert garden.control("GET", "settings").json() == before
    assert garden.control("GET", "ledger").json() == []
    assert is_error(ada.get("/accounts"), 401)
    assert garden.connect().accounts() == accounts


@pytest.mark.parametrize("path", ["revoke", "expire"])
@pytest.mark.parametrize("body", [{"user": "nobody"}, {"users": "ada"}, {}, "ada"])
def test_tokens_of_nobody_cannot_be_ended(garden: Garden, path: str, body: object) -> None:
    assert garden.control("POST", path, body).status_code == 400


def test_pages_can_be_made_slow(garden: Garden) -> None:
    ada = garden.connect()
    path = ada.largest()
    garden.settings(page_delay_seconds=0.2)

    ada.get(path, limit=1)

    assert garden.ledger()[-1]["seconds"] >= 0.2


def test_faults_answer_with_bannos_error_object(garden: Garden) -> None:
    ada = garden.connect()
    garden.fault(kind="status", status=500, method="GET", path="*/accounts")

    answer = ada.get("/accounts")

    assert answer.status_code == 500
    assert answer.json() == {"errorCode": 50, "messages": "Internal Server Error"}


def test_a_token_answer_can_be_lost_after_the_token_was_spent(garden: Garden) -> None:
    first = garden.connect().tokens["refresh_token"]
    garden.fault(kind="empty", path="*/oidc/token")
    assert garden.refresh(first).content == b""

    assert garden.refresh(first).json()["error"] == "invalid_grant"


def test_other_host_names_are_refused(garden: Garden) -> None:
    url = f"{garden.base_url}/.well-known/openid-configuration"

    assert garden.http.get(url, headers={"Host": "evil.example"}, timeout=5).status_code == 400
