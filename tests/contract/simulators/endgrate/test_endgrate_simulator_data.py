"""The Endgrate simulator's data, against Endgrate's guides on pulling data and on pagination."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.clients.endgrate import (
    COMPANY,
    CONTACT,
    DEAL,
    NOT_COMPLETED,
    PAGE_VIEWS,
    TICKET,
    UNKNOWN_ID,
    EndgrateClient,
    Json,
    is_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def ids(records: list[Json]) -> list[str]:
    return [record["id"] for record in records]


def test_the_demo_has_the_records_that_it_tells_of(caller: EndgrateClient, fern: str) -> None:
    assert len(set(ids(caller.pull_records(fern, CONTACT)))) == 430
    assert len(caller.pull_records(fern, COMPANY)) == 120
    assert caller.pull_records(fern, DEAL) == []
    assert len(caller.pull_records(fern, TICKET)) == 57


def test_pages_name_the_pages_beside_them(caller: EndgrateClient, fern: str) -> None:
    transfer = caller.pull(fern, synchronous=True)
    first, last = caller.page(transfer).json(), caller.page(transfer, offset=250).json()

    assert first.keys() == {"success", "meta", "transfer_data", "transfer_errors"}
    assert first["meta"].keys() == {"count", "next"}
    assert first["meta"]["count"] == 430
    assert first["meta"]["next"]["offset"] == len(first["transfer_data"]) == 250
    assert last["meta"].keys() == {"count", "previous"}
    assert last["meta"]["previous"]["offset"] == 0
    assert len(last["transfer_data"]) == 180
    assert first["transfer_errors"] is False
    middle = caller.page(transfer, offset=100, limit=100).json()["meta"]
    assert (middle["previous"]["offset"], middle["next"]["offset"]) == (0, 200)


def test_a_page_is_followed_by_calling_its_link(caller: EndgrateClient, fern: str) -> None:
    transfer = caller.pull(fern, synchronous=True)
    link = caller.page(transfer, limit=200).json()["meta"]["next"]["link"]

    assert link.startswith(f"{caller.base_url}/api/pull/data?")
    assert parse_qs(urlsplit(link).query)["offset"] == ["200"]
    following = caller.call("GET", link.removeprefix(caller.base_url)).json()
    assert following == caller.page(transfer, limit=200, offset=200).json()

    caller.settings(next_link="relative")
    assert caller.page(transfer).json()["meta"]["next"]["link"].startswith("/api/pull/data?")
    caller.settings(next_link="none")
    assert caller.page(transfer).json()["meta"]["next"].keys() == {"offset"}


def test_a_page_past_the_end_is_empty(caller: EndgrateClient, fern: str) -> None:
    transfer = caller.pull(fern, synchronous=True)
    past = caller.page(transfer, offset=5000).json()

    assert past["transfer_data"] == []
    assert "next" not in past["meta"]
    assert caller.page(caller.pull(fern, DEAL, synchronous=True), DEAL).json()["meta"] == {
        "count": 0
    }


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": limit} for limit in ("0", "251", "-1", "2.5", "many", "٣")),
        *({"offset": offset} for offset in ("-1", "first", "9" * 30)),
        *({"transfer_id": id_} for id_ in ("", UNKNOWN_ID, "nonsense")),
        *({"endgrate_type": type_} for type_ in ("", COMPANY, PAGE_VIEWS)),
        {"limit": ["5", "6"]},
    ],
    ids=str,
)
def test_a_page_out_of_bounds_or_of_no_transfer_is_answered_400(
    caller: EndgrateClient, fern: str, query: Json
) -> None:
    answer = caller.page(caller.pull(fern, synchronous=True), **query)

    assert is_error(answer)
    assert answer.json()["message"] != NOT_COMPLETED


def test_data_hold_strings_floats_lists_and_dates(caller: EndgrateClient, fern: str) -> None:
    record = caller.pull_records(fern)[0]
    data = record["data"]

    assert record.keys() == {"id", "data", "associations"}
    assert isinstance(record["id"], str)
    assert isinstance(data["age"], float)
    assert isinstance(data["is_employed"], bool)
    assert all("@" in email for email in data["emails"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", data["updated_at"])
    assert caller.pull_records(fern)[0] == record


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"first_name": "Ada"}, lambda data: data["first_name"] == "Ada"),
        (
            {"first_name": ["Ada", "Max"], "is_employed": False},
            lambda data: data["first_name"] in {"Ada", "Max"} and not data["is_employed"],
        ),
        ({"emails": "contact.7@example.com"}, lambda data: "contact.7@" in data["emails"][0]),
        ({"age__range": [30, 40.5]}, lambda data: 30 <= data["age"] <= 40.5),
        (
            {"age__range": [[18, 20], [80, 90]]},
            lambda data: 18 <= data["age"] <= 20 or 80 <= data["age"] <= 90,
        ),
        (
            {"birthday__range": ["2024-02-01", "2024-02-29"]},
            lambda data: data["birthday"].startswith("2024-02"),
        ),
        (
            {"call_time__range": ["09:00:00", "10:30:00"]},
            lambda data: data["call_time"][:2] in {"09", "10"},
        ),
        (
            {"updated_at__range": ["2024-01-01T00:00:00Z", "2024-06-30 23:59:59"]},
            lambda data: data["updated_at"] < "2024-07",
        ),
    ],
    ids=lambda value: None if callable(value) else str(value),
)
def test_params_choose_records(
    caller: EndgrateClient, fern: str, params: Json, wanted: Callable[[Json], bool]
) -> None:
    everything = caller.pull_records(fern)
    chosen = caller.pull_records(fern, params=params)

    assert chosen == [each for each in everything if wanted(each["data"])]
    assert 0 < len(chosen) < len(everything)


def test_params_reach_into_nested_objects(caller: EndgrateClient, fern: str) -> None:
    params = {"addresses": {"address_type": "BILLING"}}
    chosen = caller.pull_records(fern, COMPANY, params=params)

    assert len(chosen) == 80
    assert all(len(each["data"]["addresses"]) > 1 for each in chosen)


def test_a_hundred_thousand_records_cost_nothing_until_they_are_read(
    caller: EndgrateClient,
) -> None:
    reed = caller.demo["reed"]
    began = time.monotonic()
    transfer = caller.pull(reed, PAGE_VIEWS, synchronous=True)
    last = caller.page(transfer, PAGE_VIEWS, offset=99_990).json()

    assert time.monotonic() - began < 1
    assert last["meta"]["count"] == 100_000
    assert len(last["transfer_data"]) == 10
    caller.settings(records={PAGE_VIEWS: 7})
    assert len(caller.pull_records(reed, PAGE_VIEWS)) == 7
