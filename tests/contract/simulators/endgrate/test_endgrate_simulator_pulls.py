"""The Endgrate simulator's pulls, against Endgrate's guides on transfers, pulling and pages."""

from __future__ import annotations

import re
import threading
import time

import pytest

from tests.support.clients.endgrate import (
    COMPANY,
    CONTACT,
    NOT_COMPLETED,
    PAGE_VIEWS,
    UNKNOWN_ID,
    EndgrateClient,
    Json,
    is_error,
)


def ids(records: list[Json]) -> list[str]:
    return [record["id"] for record in records]


def test_a_trigger_answers_a_transfer_id_at_once_by_default(
    caller: EndgrateClient, fern: str
) -> None:
    caller.settings(transfer_seconds=30)
    body = {"session_id": fern, "endgrate_type": CONTACT}

    answer = caller.post("/api/pull/transfer", **body, a_member="that is let through")

    assert answer.elapsed.total_seconds() < 1
    assert answer.json().keys() == {"success", "transfer_id", "statistics"}
    assert answer.json()["success"] is True
    assert re.fullmatch("[0-9a-f]{24}", answer.json()["transfer_id"])
    assert isinstance(answer.json()["statistics"], str)


def test_data_are_answered_400_until_the_transfer_is_completed(
    caller: EndgrateClient, fern: str
) -> None:
    caller.settings(transfer_seconds=2)
    transfer = caller.pull(fern)

    assert caller.page(transfer).status_code == 400
    assert caller.page(transfer).json() == {"message": NOT_COMPLETED}
    assert caller.statistics(transfer)["completed"] is False
    caller.clock.ahead = 2

    assert caller.page(transfer).status_code == 200
    assert caller.statistics(transfer)["completed"] is True


def test_a_synchronous_trigger_is_held_until_the_data_are_there(
    caller: EndgrateClient, fern: str
) -> None:
    caller.settings(transfer_seconds=0.3)
    began = time.monotonic()
    transfer = caller.pull(fern, synchronous=True)

    assert 0.3 <= time.monotonic() - began < 2
    assert caller.page(transfer).status_code == 200


def test_a_synchronous_trigger_is_held_no_longer_than_the_ceiling(
    caller: EndgrateClient, fern: str
) -> None:
    caller.settings(transfer_seconds=30, sync_ceiling_seconds=0.2)
    began = time.monotonic()
    transfer = caller.pull(fern, synchronous=True)

    assert 0.2 <= time.monotonic() - began < 2
    assert caller.page(transfer).json() == {"message": NOT_COMPLETED}


def test_a_transfer_before_the_configuration_waits_for_it(caller: EndgrateClient) -> None:
    thyme = caller.demo["thyme"]
    transfer = caller.pull(thyme)
    caller.clock.ahead = 3600
    assert caller.page(transfer).json() == {"message": NOT_COMPLETED}
    assert caller.statistics(transfer)["records"] == 0

    caller.configure(thyme)
    caller.clock.ahead += 1

    assert len(caller.records(transfer)) == 430


def test_a_synchronous_trigger_waits_for_the_configuration_too(caller: EndgrateClient) -> None:
    thyme = caller.demo["thyme"]
    configuring = threading.Timer(0.2, caller.configure, [thyme])
    configuring.start()

    transfer = caller.pull(thyme, synchronous=True)
    configuring.join()

    assert caller.page(transfer).status_code == 200


def test_repeating_a_trigger_makes_a_second_transfer(caller: EndgrateClient, fern: str) -> None:
    assert caller.pull(fern) != caller.pull(fern)
    assert len(caller.ledger("pull_triggered")) == 2


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"session_id": UNKNOWN_ID}, None),
        ({"session_id": 5}, "$.session_id"),
        ({"endgrate_type": PAGE_VIEWS}, "$.endgrate_type"),
        ({"endgrate_type": None}, "$.endgrate_type"),
        ({"synchronous": "true"}, "$.synchronous"),
        ({"bypass_rate_limit": 1}, "$.bypass_rate_limit"),
        ({"params": []}, "$.params"),
        ({"associations": {COMPANY: "yes"}}, "$.associations[...]"),
        ({"associations": {PAGE_VIEWS: True}}, f"$.associations.{PAGE_VIEWS}"),
        ({"params": {"nothing": 1}}, "params.nothing"),
        ({"params": {"age": "forty"}}, "params.age"),
        ({"params": {"age": True}}, "params.age"),
        ({"params": {"first_name": [1]}}, "params.first_name"),
        ({"params": {"first_name": [["Ada"]]}}, "params.first_name"),
        ({"params": {"first_name": {"is": "Ada"}}}, "params.first_name"),
        ({"params": {"age__range": [1]}}, "params.age__range"),
        ({"params": {"age__range": [1, "2"]}}, "params.age__range"),
        ({"params": {"age__range": []}}, "params.age__range"),
        ({"params": {"birthday__range": ["2024-01-01", "soon"]}}, "params.birthday__range"),
        ({"params": {"first_name__range": ["A", "B"]}}, "params.first_name__range"),
    ],
    ids=str,
)
def test_a_trigger_that_is_not_valid_is_answered_400(
    caller: EndgrateClient, fern: str, changes: Json, at: str | None
) -> None:
    body = {"session_id": fern, "endgrate_type": CONTACT, **changes}

    assert is_error(caller.post("/api/pull/transfer", **body), at=at)
    assert not caller.ledger("pull_triggered")


def test_a_session_for_pushing_does_not_pull(caller: EndgrateClient) -> None:
    schema = [{"endgrate_type": CONTACT}]
    session_id = caller.post("/api/push/initiate", schema=schema).json()["session_id"]

    body = {"session_id": session_id, "endgrate_type": CONTACT}
    assert is_error(caller.post("/api/pull/transfer", **body))


def test_associated_ids_come_with_records_when_asked_for(caller: EndgrateClient, fern: str) -> None:
    companies = set(ids(caller.pull_records(fern, COMPANY)))
    contacts = caller.pull_records(fern, associations={COMPANY: True})

    assert caller.pull_records(fern)[0]["associations"] == {}
    assert {each["associations"][COMPANY][0] for each in contacts} == companies


def test_a_customers_own_schema_goes_by_its_title(caller: EndgrateClient) -> None:
    properties = {"age": {"type": "number"}, "shoe_size": {"type": "integer"}}
    schema = [
        {"endgrate_type": CONTACT, "title": "Walker", "type": "object", "properties": properties},
        {"title": "Shoe", "properties": {"worn_on": {"type": "string", "format": "date"}}},
    ]
    session_id = caller.post("/api/session/initiate", schema=schema).json()["session_id"]
    caller.configure(session_id)

    walkers = caller.pull_records(session_id, "Walker")
    assert walkers[0]["data"].keys() == properties.keys()
    assert len(walkers) == len(caller.pull_records(session_id, CONTACT)) == 430
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d", caller.pull_records(session_id, "Shoe")[0]["data"]["worn_on"]
    )


def test_a_session_that_syncs_pulls_what_is_new_updated_or_deleted(caller: EndgrateClient) -> None:
    moss = caller.demo["moss"]
    before = caller.pull_records(moss)
    assert len(before) == 430
    assert caller.pull_records(moss) == []

    caller.settings(added_per_pull=2, updated_per_pull=3, removed_per_pull=1)
    news = caller.pull_records(moss)

    deleted = [each for each in news if each.get("deleted")]
    known = {each["id"]: each for each in before}
    updated = [each for each in news if each["id"] in known and each not in deleted]
    assert ids(deleted) == [before[-1]["id"]]
    assert [each["data"] != known[each["id"]]["data"] for each in updated] == [True] * 3
    assert len(news) == 6
    caller.settings(added_per_pull=0, updated_per_pull=0, removed_per_pull=0)
    assert caller.pull_records(moss) == []
    assert len(caller.pull_records(moss, COMPANY)) == 120


def test_records_that_failed_come_with_the_next_sync(caller: EndgrateClient) -> None:
    moss = caller.demo["moss"]
    caller.settings(failing={CONTACT: 5})
    assert len(caller.pull_records(moss)) == 425

    caller.settings(failing={CONTACT: 0})

    assert len(caller.pull_records(moss)) == 5


def test_a_transfers_pages_do_not_change_when_the_users_records_do(
    caller: EndgrateClient, fern: str
) -> None:
    transfer = caller.pull(fern, synchronous=True)
    before = caller.records(transfer)
    caller.settings(updated_per_pull=400, removed_per_pull=30)

    assert len(caller.pull_records(fern)) == 400
    assert caller.records(transfer) == before
