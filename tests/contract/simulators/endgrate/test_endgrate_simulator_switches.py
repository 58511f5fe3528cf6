"""The Endgrate simulator's switches, faults and facts."""

from __future__ import annotations

import time
from typing import Any

import pytest

from infra.local.simulators.endgrate.provider import facts
from infra.local.simulators.registry import SIMULATORS
from tests.support.clients.endgrate import (
    COMPANY,
    CONTACT,
    DEAL,
    NOT_COMPLETED,
    PAGE_VIEWS,
    TICKET,
    UNKNOWN_ID,
    EndgrateClient,
    is_error,
)


@pytest.mark.parametrize("order", ["descending", "scattered"])
def test_the_order_of_records_can_be_another(caller: EndgrateClient, fern: str, order: str) -> None:
    ascending = [each["id"] for each in caller.pull_records(fern)]
    caller.settings(sort=order)

    other = [each["id"] for each in caller.pull_records(fern)]

    assert other != ascending
    assert sorted(other) == ascending


def test_pages_can_repeat_records_and_have_none(caller: EndgrateClient, fern: str) -> None:
    caller.settings(overlap=10, gap=400)
    transfer = caller.pull(fern, synchronous=True)

    sizes = [
        len(caller.page(transfer, offset=offset, limit=100).json()["transfer_data"])
        for offset in range(0, 900, 100)
    ]

    assert sizes == [100, 110, 25, 0, 0, 0, 85, 110, 40]
    assert "next" in caller.page(transfer, offset=400, limit=100).json()["meta"]
    assert len({each["id"] for each in caller.records(transfer)}) == 430


def test_pages_can_be_shorter_than_asked_and_have_records_without_an_id(
    caller: EndgrateClient, fern: str
) -> None:
    caller.settings(most=100, odd=2)
    answer = caller.page(caller.pull(fern, synchronous=True), limit=250).json()

    assert [each["id"] for each in answer["transfer_data"]].count(None) == 2
    assert len(answer["transfer_data"]) == answer["meta"]["next"]["offset"] == 100


@pytest.mark.parametrize("call", ["trigger", "statistics", "data", "errors"])
def test_the_calls_about_a_type_can_be_broken(caller: EndgrateClient, fern: str, call: str) -> None:
    caller.settings(broken={COMPANY: {call: 418}})

    assert [_calls(caller, fern, type_) for type_ in (CONTACT, COMPANY)] == [[], [call]]


def _calls(caller: EndgrateClient, session_id: str, type_: str) -> list[str]:
    """Which calls about a type are answered 418."""
    asked = {"session_id": session_id, "endgrate_type": type_, "synchronous": True}
    answer = caller.post("/api/pull/transfer", **asked)
    if answer.status_code == 418:
        return ["trigger"]
    transfer = {"transfer_id": answer.json()["transfer_id"]}
    answers = {
        "statistics": caller.get("/api/statistics", **transfer),
        "data": caller.get("/api/pull/data", endgrate_type=type_, **transfer),
        "errors": caller.get("/api/errors", **transfer),
    }
    return [call for call, answer in answers.items() if answer.status_code == 418]


def test_records_and_pages_can_carry_unannounced_members(caller: EndgrateClient, fern: str) -> None:
    caller.settings(drift=True)
    answer = caller.page(caller.pull(fern, synchronous=True)).json()

    assert "unannounced" in answer
    assert "unannounced" in answer["transfer_data"][0]["data"]


def test_pages_can_be_slow(caller: EndgrateClient, fern: str) -> None:
    transfer = caller.pull(fern, synchronous=True)
    caller.settings(page_delay_seconds=0.2)

    assert caller.page(transfer).elapsed.total_seconds() >= 0.2


def test_faults_strike_with_endgrates_error_object(caller: EndgrateClient, fern: str) -> None:
    transfer = caller.pull(fern, synchronous=True)
    caller.fault(kind="status", path="/api/pull/data", status=429, retry_after="7")

    answer = caller.page(transfer)

    assert answer.json() == {"message": "Too Many Requests"}
    assert answer.headers["Retry-After"] == "7"
    assert caller.page(transfer).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [{"transfer_seconds": -1}, {"sort": "up"}, {"nothing": 1}, {"records": {"crm-deal": "two"}}],
    ids=str,
)
def test_settings_that_are_not_valid_change_nothing(
    caller: EndgrateClient, changes: dict[str, Any]
) -> None:
    before = caller.control("GET", "settings").json()

    assert caller.control("POST", "settings", changes).status_code == 400
    assert caller.control("GET", "settings").json() == before


def test_control_endpoints_refuse_sessions_that_there_are_not(caller: EndgrateClient) -> None:
    thyme = caller.demo["thyme"]

    assert is_error(caller.control("POST", "configure", {"session_id": UNKNOWN_ID}))
    assert is_error(caller.control("POST", "revoke", {"session_id": UNKNOWN_ID}))
    asked = {"session_id": thyme, "provider": "nobody"}
    assert caller.control("POST", "configure", asked).status_code == 400


def test_a_reset_brings_the_demo_back(caller: EndgrateClient) -> None:
    fern, thyme = caller.demo["fern"], caller.demo["thyme"]
    caller.configure(thyme)
    caller.push_records(fern, {"data": {"name": "Osier"}}, type_=COMPANY)
    caller.settings(transfer_seconds=30)
    caller.pull(fern)
    caller.post("/api/session/delete", session_id=caller.demo["moss"])

    caller.control("POST", "reset")

    assert caller.control("GET", "ledger").json() == []
    caller.settings(transfer_seconds=0)
    assert is_error(caller.get("/api/session/configuration", session_id=thyme))
    assert len(caller.pull_records(fern, COMPANY)) == 120
    assert len(caller.pull_records(caller.demo["moss"])) == 430


def test_a_reset_ends_what_is_held(caller: EndgrateClient, fern: str) -> None:
    caller.settings(transfer_seconds=30)
    transfer = caller.pull(fern)
    assert caller.page(transfer).json() == {"message": NOT_COMPLETED}
    began = time.monotonic()

    caller.reset()

    assert time.monotonic() - began < 2
    assert is_error(caller.page(transfer))


def test_the_simulator_is_known_by_its_name_and_tells_what_a_client_needs() -> None:
    told = facts("http://127.0.0.1:1")

    assert SIMULATORS["endgrate"].facts("http://127.0.0.1:1") == told
    assert told["base_url"] == "http://127.0.0.1:1"
    assert told["api_key"]
    types = told["types"]
    assert isinstance(types, list)
    assert {each["name"]: each["records"] for each in types} == {
        CONTACT: 430,
        COMPANY: 120,
        DEAL: 0,
        TICKET: 60,
        PAGE_VIEWS: 100_000,
    }
