"""The Banno simulator's transactions and their pages, against Banno's reference page."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tests.support.clients.banno import BannoClient, Connected, Json, is_error

MONEY = re.compile(r"-?\d+\.\d\d")


SETTINGS = {"task_seconds": 0}


def rows(user: Connected, path: str, **query: object) -> list[Json]:
    page: list[Json] = user.get(path, **query).json()["transactions"]
    return page


def ids(transactions: list[Json]) -> list[str]:
    return [transaction["id"] for transaction in transactions]


def order(transaction: Json) -> tuple[str, int]:
    return transaction["datePosted"], transaction["sequence"]


def test_ada_has_twelve_accounts_and_five_thousand_different_transactions(
    banno: BannoClient,
) -> None:
    ada = banno.connect()
    all_ids = [
        transaction["id"]
        for account in ada.accounts()
        for transaction in ada.get(f"/accounts/{account['id']}/transactions")
        .json()
        .get("transactions")
        or []
    ]

    assert len(ada.accounts()) == 12
    assert len(all_ids) == len(set(all_ids)) == 5000


def test_transactions_have_string_amounts_and_texts_that_are_hard_to_carry(
    banno: BannoClient,
) -> None:
    ada = banno.connect()
    transactions = rows(ada, ada.largest())
    amounts = {transaction["amount"] for transaction in transactions}
    memos = "".join(transaction["memo"] for transaction in transactions)

    assert all(MONEY.fullmatch(amount) for amount in amounts)
    assert {"-0.01", "12.50", "0.00", "1250000.00", "-1048576.33"} <= amounts
    assert {"東", "☕", "\u2028", "\u0301", '"', "\\", "<"} <= set(memos)
    assert {row["pendingStatus"] for row in transactions} == {"Pending", "Reconciled"}


def test_ben_without_transactions_shows_it_in_each_of_three_ways(banno: BannoClient) -> None:
    ben = banno.connect("ben")
    pages = [
        ben.get(f"/accounts/{account['id']}/transactions").json() for account in ben.accounts()
    ]

    assert [page.get("transactions", "absent") for page in pages] == ["absent", None, []]
    assert all(page["inactivatedTransactionIds"] == [] for page in pages)


def test_transactions_come_by_posted_date_then_sequence(banno: BannoClient) -> None:
    ada = banno.connect()
    transactions = rows(ada, ada.largest(), limit=500)

    assert [order(row) for row in transactions] == sorted(order(row) for row in transactions)
    assert any(row["sequence"] > 1 for row in transactions)


def test_pages_put_together_are_the_whole(banno: BannoClient) -> None:
    ada = banno.connect()
    path = ada.largest()
    offsets = range(0, 3000, 500)

    pages = [rows(ada, path, offset=offset, limit=500) for offset in offsets]

    assert [len(page) for page in pages] == [500, 500, 500, 500, 500, 100]
    assert [row for page in pages for row in page] == rows(ada, path)


def test_a_page_repeats_offset_limit_and_the_accounts_types(banno: BannoClient) -> None:
    ada = banno.connect()
    path = ada.largest()
    page, whole = ada.get(path, offset=10, limit=5).json(), ada.get(path).json()

    assert (page["offset"], page["limit"]) == (10, 5)
    assert page["account"] == {"accountType": "Deposit", "accountSubType": "Checking"}
    assert len(page["inactivatedTransactionIds"]) == 1
    assert {"offset", "limit"}.isdisjoint(whole)


@pytest.mark.parametrize(
    ("query", "length"),
    [
        pytest.param({"offset": 2595}, 5, id="offset-alone-pages-by-500"),
        pytest.param({"limit": 3}, 3, id="limit-alone-starts-at-zero"),
        pytest.param({"offset": 2600, "limit": 500}, 0, id="at-the-end"),
        pytest.param({"offset": 999_999, "limit": 500}, 0, id="beyond-the-end"),
        pytest.param({"limit": 500}, 500, id="as-many-as-allowed"),
        pytest.param({}, 2600, id="no-paging"),
    ],
)
def test_paging_is_active_when_offset_or_limit_is_given(
    banno: BannoClient, query: dict[str, int], length: int
) -> None:
    ada = banno.connect()

    assert len(rows(ada, ada.largest(), **query)) == length


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("offset=-1", id="negative-offset"),
        pytest.param("offset=1.5", id="broken-offset"),
        pytest.param("offset=", id="empty-offset"),
        pytest.param("offset=1&offset=2", id="two-offsets"),
        pytest.param("offset=99999999999999999999", id="huge-offset"),
        pytest.param("limit=0", id="limit-zero"),
        pytest.param("limit=501", id="limit-above-500"),
        pytest.param("limit=ten", id="limit-in-words"),
        pytest.param("since=2025-01-01", id="a-date-is-no-instant"),
        pytest.param("since=2025-01-01T00:00:00", id="no-offset-from-utc"),
        pytest.param("since=yesterday", id="since-in-words"),
        pytest.param("until=2025-13-01T00:00:00Z", id="no-such-month"),
        pytest.param("updatedSince=0", id="updated-since-a-number"),
        pytest.param(
            "updatedSince=2025-01-01T00:00:00Z&since=2025-01-01T00:00:00Z", id="and-since"
        ),
        pytest.param(
            "updatedSince=2025-01-01T00:00:00Z&until=2025-01-01T00:00:00Z", id="and-until"
        ),
    ],
)
def test_queries_that_make_no_sense_are_answered_400(banno: BannoClient, query: str) -> None:
    ada = banno.connect()

    assert is_error(ada.get(f"{ada.largest()}?{query}"), 400)


def test_a_limit_above_500_can_be_clamped_instead(banno: BannoClient) -> None:
    banno.settings(limit_above_500="clamp")
    ada = banno.connect()

    page = ada.get(ada.largest(), limit=1000).json()

    assert page["limit"] == len(page["transactions"]) == 500


def test_since_and_until_include_their_instants_on_the_posted_date(banno: BannoClient) -> None:
    ada = banno.connect()
    path = ada.largest()
    whole = rows(ada, path)
    since, until = whole[100]["datePosted"], whole[200]["datePosted"]

    window = rows(ada, path, since=since, until=until)

    assert window == [row for row in whole if since <= row["datePosted"] <= until]
    assert window[0]["datePosted"] == since
    assert window[-1]["datePosted"] == until
    assert rows(ada, path, since=since, until=until, offset=1, limit=2) == window[1:3]


def test_updated_since_includes_its_instant(banno: BannoClient) -> None:
    ada = banno.connect()
    path = ada.largest()
    whole = rows(ada, path)
    updated = whole[2000]["lastUpdated"]

    changed = rows(ada, path, updatedSince=updated)

    assert whole[2000] in changed
    assert changed == [row for row in whole if row["lastUpdated"] >= updated]


def test_changes_made_by_a_fetch_are_found_with_updated_since(banno: BannoClient) -> None:
    banno.settings(added_per_fetch=2, updated_per_fetch=3, removed_per_fetch=1)
    ada = banno.connect()
    path = ada.largest()
    before = rows(ada, path)
    started = ada.fetch_to_the_end()[0]["date"]

    page = ada.get(path, updatedSince=started).json()

    changed = page["transactions"]
    assert ids(changed)[:3] == ids(before)[-3:]
    assert [row["pendingStatus"] for row in changed] == ["Reconciled"] * 3 + ["Pending"] * 2
    assert page["inactivatedTransactionIds"] == [before[0]["id"]]
    assert ids(rows(ada, path)) == [*ids(before)[1:], *ids(changed)[3:]]


def test_a_transaction_that_appears_while_paging_repeats_the_last_row(banno: BannoClient) -> None:
    banno.settings(moving=True)
    ada = banno.connect()
    path = ada.largest()

    pages = [ids(rows(ada, path, offset=offset, limit=500)) for offset in (0, 500, 1000)]

    assert all(following[0] == page[-1] for page, following in pairwise(pages))
    whole = rows(ada, path)
    assert len(whole) == 2603
    assert [order(row) for row in whole] == sorted(order(row) for row in whole)


def test_a_transaction_that_vanishes_while_paging_makes_the_next_page_skip_one(
    banno: BannoClient,
) -> None:
    ada = banno.connect()
    path = ada.largest()
    whole = ids(rows(ada, path))
    banno.settings(vanishing=True)

    first, second = (ada.get(path, offset=offset, limit=500).json() for offset in (0, 500))

    assert ids(first["transactions"]) == whole[:500]
    assert ids(second["transactions"]) == whole[501:1001]
    assert whole[0] in second["inactivatedTransactionIds"]
    assert is_error(ada.get(f"{path}/{whole[0]}"), 404)


def test_a_single_transaction_is_the_one_of_the_page(banno: BannoClient) -> None:
    ada = banno.connect()
    path = ada.largest()
    row = rows(ada, path, offset=77, limit=1)[0]

    assert ada.get(f"{path}/{row['id']}").json() == row


@pytest.mark.parametrize("transaction_id", ["x", "0c6f1f0e-3b1d-4d3c-a111-2f6f3a5b7c9d", "%20"])
def test_unknown_transactions_are_answered_404(banno: BannoClient, transaction_id: str) -> None:
    ada = banno.connect()
    others = rows(ada, f"/accounts/{ada.accounts()[1]['id']}/transactions", limit=1)[0]["id"]

    assert is_error(ada.get(f"{ada.largest()}/{transaction_id}"), 404)
    assert is_error(ada.get(f"{ada.largest()}/{others}"), 404)


def test_the_scale_user_has_as_many_transactions_as_are_set(banno: BannoClient) -> None:
    banno.settings(scale_accounts=3, scale_transactions=1_000_000)
    scale = banno.connect("max")
    page = rows(scale, scale.largest(), offset=999_990, limit=500)

    assert len(scale.accounts()) == 3
    assert len(page) == len(set(ids(page))) == 10
    assert [order(row) for row in page] == sorted(order(row) for row in page)
