"""The Banno simulator's accounts, against Banno's reference pages."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.support.clients.banno import BannoClient, is_error, open_banno

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MONEY = re.compile(r"-?\d+\.\d\d")


SETTINGS = {"task_seconds": 0}


def test_accounts_carry_the_documented_fields_in_their_documented_types(banno: BannoClient) -> None:
    for account in banno.connect().accounts():
        assert str(uuid.UUID(account["id"])) == account["id"]
        assert INSTANT.fullmatch(account["fetchedDate"])
        assert MONEY.fullmatch(account["balance"])
        assert isinstance(account["routingNumber"], str)
        assert account["accountType"] in {
            "Deposit",
            "Line of Credit",
            "Debt",
            "Investment",
            "Other",
        }
        assert account["accountStatus"] == "Active"
        assert account["institution"]["id"]


def test_account_ids_and_transactions_are_the_same_in_every_simulator(banno: BannoClient) -> None:
    with open_banno() as other:
        here, there = banno.connect("cleo"), other.connect("cleo")
        path = here.largest()

        assert here.accounts() == there.accounts()
        assert here.get(path).json() == there.get(path).json()


def test_accounts_that_are_no_more_move_to_the_inactivated_ids(banno: BannoClient) -> None:
    ada = banno.connect()
    before = ada.get("/accounts").json()
    gone = before["accounts"][4]["id"]
    banno.settings(inactivated_accounts=[gone])

    after = ada.get("/accounts").json()

    assert len(before["inactivatedAccountIds"]) == 1
    assert after["inactivatedAccountIds"] == [*before["inactivatedAccountIds"], gone]
    assert gone not in [account["id"] for account in after["accounts"]]
    assert is_error(ada.get(f"/accounts/{gone}/transactions"), 404)


@pytest.mark.parametrize(("active", "status"), [("true", 200), ("false", 200), ("maybe", 400)])
def test_the_deprecated_query_active_is_a_boolean(
    banno: BannoClient, active: str, status: int
) -> None:
    assert banno.connect().get("/accounts", active=active).status_code == status


def test_the_full_account_number_ends_as_the_masked_one_does(banno: BannoClient) -> None:
    ada = banno.connect()
    account = ada.accounts()[0]

    number = ada.get(f"/accounts/{account['id']}/number").json()

    assert list(number) == ["number"]
    assert account["numbers"] == f"x{number['number'][-4:]}"


def test_an_institution_may_opt_out_of_account_numbers(banno: BannoClient) -> None:
    banno.settings(number_opt_out=True)
    ada = banno.connect()

    assert is_error(ada.get(f"/accounts/{ada.accounts()[0]['id']}/number"), 403)


@pytest.mark.parametrize("rest", ["/number", "/transactions", "/transactions/x"])
def test_unknown_accounts_and_those_of_others_are_answered_404(
    banno: BannoClient, rest: str
) -> None:
    ada, bens = banno.connect(), banno.connect("ben").accounts()[0]["id"]

    assert is_error(ada.get(f"/accounts/{uuid.uuid4()}{rest}"), 404)
    assert is_error(ada.get(f"/accounts/{bens}{rest}"), 404)
