"""The Endgrate simulator's pushes, against Endgrate's guides on pushing data and on errors."""

from __future__ import annotations

import pytest
import requests

from tests.support.clients.endgrate import (
    COMPANY,
    CONTACT,
    NOT_COMPLETED,
    PAGE_VIEWS,
    TICKET,
    UNKNOWN_ID,
    EndgrateClient,
    Json,
    is_error,
)


def contact(name: str, **more: object) -> Json:
    return {"data": {"first_name": name, "emails": [f"{name}@example.com"]}, **more}


def found(caller: EndgrateClient, session_id: str, name: str) -> list[Json]:
    return caller.pull_records(session_id, params={"first_name": name})


def test_a_push_returns_the_ids_of_what_it_created(caller: EndgrateClient, fern: str) -> None:
    rows = caller.push_records(fern, contact("rowan", internal_id="mine-1"), contact("alder"))

    assert [row["data"]["first_name"] for row in rows] == ["rowan", "alder"]
    assert rows[0]["internal_id"] == "mine-1"
    assert "internal_id" not in rows[1]
    assert len(caller.pull_records(fern)) == 432
    assert [each["id"] for each in found(caller, fern, "rowan")] == [rows[0]["id"]]
    assert found(caller, fern, "rowan")[0]["data"] == contact("rowan")["data"]


def test_data_of_a_push_are_paged_and_told_apart_from_those_of_pulls(
    caller: EndgrateClient, fern: str
) -> None:
    caller.settings(transfer_seconds=5)
    transfer = caller.push(fern, *map(contact, ("rowan", "alder", "hazel")))
    query = {"transfer_id": transfer, "endgrate_type": CONTACT, "limit": 2}
    assert caller.get("/api/push/data", **query).json() == {"message": NOT_COMPLETED}
    caller.clock.ahead = 5

    first = caller.get("/api/push/data", **query).json()

    assert first.keys() == {"success", "meta", "transfer_data", "transfer_errors"}
    assert first["meta"]["next"]["link"].startswith(f"{caller.base_url}/api/push/data?")
    assert len(first["transfer_data"]) == 2
    assert is_error(caller.page(transfer))
    pulled = {"transfer_id": caller.pull(fern), "endgrate_type": CONTACT}
    assert is_error(caller.get("/api/push/data", **pulled))


def test_a_record_is_updated_by_the_providers_id(caller: EndgrateClient, fern: str) -> None:
    before = caller.pull_records(fern)[3]

    caller.push_records(fern, {"id": before["id"], "data": {"age": 99.5}})

    after = caller.pull_records(fern)
    assert len(after) == 430
    assert after[3]["data"] == {**before["data"], "age": 99.5}


def test_a_record_is_found_again_by_the_callers_own_id(caller: EndgrateClient, fern: str) -> None:
    first = caller.push_records(fern, contact("rowan", internal_id="mine-1"))
    second = caller.push_records(fern, {"internal_id": "mine-1", "data": {"age": 40.0}})

    assert second[0]["id"] == first[0]["id"]
    assert len(caller.pull_records(fern)) == 431
    assert found(caller, fern, "rowan")[0]["data"]["age"] == 40.0


def test_associated_records_are_pushed_along(caller: EndgrateClient, fern: str) -> None:
    company = {"internal_id": "firm-1", "data": {"name": "Osier Works"}}
    rows = caller.push_records(fern, contact("rowan", associations={COMPANY: [company, "2000001"]}))

    companies = caller.pull_records(fern, COMPANY, params={"name": "Osier Works"})
    assert rows[0]["associations"] == {COMPANY: [companies[0]["id"], "2000001"]}
    assert found(caller, fern, "rowan")[0]["associations"] == rows[0]["associations"]


def test_records_that_do_not_fit_are_reported_and_keep_no_others_back(
    caller: EndgrateClient, fern: str
) -> None:
    transfer = caller.push(
        fern,
        contact("rowan"),
        {"internal_id": "mine-2", "data": {"emails": ["no address"], "age": "old"}},
        {"data": {"first_name": "alder"}},
        {"internal_id": "mine-4", "id": "999", "data": {}},
        {"data": {"shoe": 44}},
        synchronous=True,
    )

    rows = caller.records(transfer, path="push")
    errors = caller.errors(transfer)
    assert [row["data"]["first_name"] for row in rows] == ["rowan"]
    assert [error["index"] for error in errors] == [1, 2, 3, 4]
    assert [error.get("internal_id") for error in errors] == ["mine-2", None, "mine-4", None]
    types = [error["error_type"] for error in errors]
    assert types == ["mapping", "mapping", "upstream", "mapping"]
    assert "'age' must be a valid number" in errors[0]["error_resolve_text"]
    assert "'emails' is required" in errors[1]["error_resolve_text"]
    assert "old" not in errors[0]["error_resolve_text"]
    assert errors[0]["endgrate"]["integration_info"]["method"] == "EXPORT"
    assert len(caller.pull_records(fern)) == 431


def test_newer_guides_name_misfits_after_the_transfer_data(
    caller: EndgrateClient, fern: str
) -> None:
    caller.settings(transfer_data_error="transfer_data")
    transfer = caller.push(fern, {"data": {"age": "old"}}, synchronous=True)

    assert [error["error_type"] for error in caller.errors(transfer)] == ["transfer_data"]


def test_the_provider_can_fail_for_some_of_the_records(caller: EndgrateClient, fern: str) -> None:
    tickets = [{"data": {"subject": f"Slugs {number}"}} for number in range(5)]
    transfer = caller.push(fern, *tickets, type_=TICKET, synchronous=True)

    assert [error["error_type"] for error in caller.errors(transfer)] == ["upstream"] * 3
    assert [error["index"] for error in caller.errors(transfer)] == [0, 1, 2]
    assert len(caller.records(transfer, TICKET, path="push")) == 2


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"session_id": UNKNOWN_ID}, None),
        ({"endgrate_type": PAGE_VIEWS}, "$.endgrate_type"),
        ({"transfer_data": None}, "$.transfer_data"),
        ({"transfer_data": {"data": {}}}, "$.transfer_data"),
        ({"transfer_data": [{"id": "1"}]}, "$.transfer_data[0]"),
        ({"transfer_data": [{"data": []}]}, "$.transfer_data[0].data"),
        ({"transfer_data": [{"data": {}}, {"id": 7, "data": {}}]}, "$.transfer_data[1].id"),
        ({"transfer_data": [{"data": {}, "internalId": "1"}]}, "$.transfer_data[0]"),
        (
            {"transfer_data": [contact("rowan", associations={PAGE_VIEWS: []})]},
            f"$.associations.{PAGE_VIEWS}",
        ),
        ({"synchronous": "no"}, "$.synchronous"),
    ],
    ids=str,
)
def test_a_push_that_is_not_valid_is_answered_400_and_pushes_nothing(
    caller: EndgrateClient, fern: str, changes: Json, at: str | None
) -> None:
    body = {"session_id": fern, "endgrate_type": CONTACT, "transfer_data": [contact("rowan")]}

    assert is_error(caller.post("/api/push/transfer", **{**body, **changes}), at=at)
    assert not caller.ledger("push_triggered")


def test_neither_a_pulling_session_nor_analytics_take_a_push(caller: EndgrateClient) -> None:
    schema = [{"endgrate_type": CONTACT}]
    pulling = caller.post("/api/pull/initiate", schema=schema).json()["session_id"]
    items = {"transfer_data": [contact("rowan")]}
    push = "/api/push/transfer"

    assert is_error(caller.post(push, session_id=pulling, endgrate_type=CONTACT, **items))
    reed = caller.demo["reed"]
    assert is_error(caller.post(push, session_id=reed, endgrate_type=PAGE_VIEWS, **items))


def test_every_push_is_in_the_ledger_even_if_its_answer_is_lost(
    caller: EndgrateClient, fern: str
) -> None:
    caller.fault(kind="disconnect", path="/api/push/transfer", processed=True)
    with pytest.raises(requests.ConnectionError):
        caller.push(fern, contact("rowan"), contact("alder"))
    caller.push(fern, contact("hazel"), synchronous=True)

    noted = caller.ledger("push_triggered")

    assert [row["records"] for row in noted] == [2, 1]
    assert {row["session_id"] for row in noted} == {fern}
    assert {row["endgrate_type"] for row in noted} == {CONTACT}
    assert "rowan" not in caller.control("GET", "ledger").text
    assert len(found(caller, fern, "rowan")) == 1


def test_a_push_before_the_configuration_waits_for_it(caller: EndgrateClient) -> None:
    thyme = caller.demo["thyme"]
    transfer = caller.push(thyme, contact("rowan"))
    assert caller.statistics(transfer)["completed"] is False

    caller.configure(thyme)

    assert len(found(caller, thyme, "rowan")) == 1
    assert len(caller.records(transfer, path="push")) == 1


def test_what_is_pushed_is_new_to_a_session_that_syncs(caller: EndgrateClient) -> None:
    moss = caller.demo["moss"]
    caller.pull_records(moss)

    caller.push_records(moss, contact("rowan"))

    assert [each["data"]["first_name"] for each in caller.pull_records(moss)] == ["rowan"]
