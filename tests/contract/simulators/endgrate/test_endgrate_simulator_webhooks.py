"""The Endgrate simulator's webhooks, against Endgrate's guide and references on webhooks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.clients.endgrate import (
    COMPANY,
    CONTACT,
    DEAL,
    TICKET,
    EndgrateClient,
    Receiver,
    receiving,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_the_configuration_is_told_with_the_callers_metadata(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    hook = receiver.hook("configuration", metadata={"user": 7})
    session_id = caller.open_session(configuration_webhook=hook)

    told = receiver.payloads("configuration")[0]

    assert told.pop("metadata") == {"user": 7}
    answer = caller.get("/api/session/configuration", session_id=session_id)
    assert told == answer.json()


def test_a_completed_transfer_is_told_after_its_data(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    session_id = caller.open_session(CONTACT, **receiver.hooks(metadata="a secret of the caller's"))
    transfer = caller.pull(session_id)

    assert receiver.wait(5) == ["configuration", "data", "data", "data", "completed"]
    data, completed = receiver.payloads("data"), receiver.payloads("completed")[0]
    assert completed == {
        "success": True,
        "transfer_id": transfer,
        "session_id": session_id,
        "metadata": "a secret of the caller's",
        "endgrate": {"endgrate_type": CONTACT},
        "completed": True,
    }
    assert [each["completed"] for each in data] == [False, False, True]
    added = {"transfer_data", "transfer_errors"}
    assert all(each.keys() == completed.keys() | added for each in data)
    records = [record for each in data for record in each["transfer_data"]]
    assert records == caller.records(transfer)


def test_without_metadata_none_is_told(caller: EndgrateClient, receiver: Receiver) -> None:
    caller.pull(caller.demo["fern"], DEAL, completed_webhook=receiver.hook("completed"))

    assert "metadata" not in receiver.payloads("completed")[0]


def test_a_transfer_without_records_has_one_empty_batch(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    caller.pull(caller.demo["fern"], DEAL, data_webhook=receiver.hook("data"))

    batch = receiver.payloads("data")[0]
    assert (batch["transfer_data"], batch["completed"]) == ([], True)


def test_a_transfers_own_webhooks_go_before_those_of_its_session(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    session_id = caller.open_session(completed_webhook=receiver.hook("session"))

    caller.pull(session_id, completed_webhook={"url": receiver.hook("transfer")["endpoint"]})
    caller.pull(session_id, synchronous=True)

    assert receiver.wait(2) == ["transfer", "session"]


def test_errors_are_told_one_by_one_as_the_log_has_them(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    hook = receiver.hook("error", metadata={"a": 1})
    transfer = caller.pull(caller.demo["fern"], TICKET, error_webhook=hook, synchronous=True)

    receiver.wait(3)
    added = {"success": True, "metadata": {"a": 1}, "transfer_errors": True}
    assert receiver.payloads("error") == [{**each, **added} for each in caller.errors(transfer)]


def test_a_push_tells_what_was_returned_and_what_went_wrong(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    hooks = receiver.hooks()
    del hooks["configuration_webhook"]
    company = {"data": {"name": "Osier Works"}, "internal_id": "firm-1"}
    misfit = {"data": {}, "internal_id": "firm-2"}
    transfer = caller.push(caller.demo["fern"], company, misfit, type_=COMPANY, **hooks)

    assert receiver.wait(3) == ["error", "data", "completed"]
    data = receiver.payloads("data")[0]
    assert data["transfer_data"] == caller.records(transfer, COMPANY, path="push")
    assert data["transfer_errors"] is True
    error = receiver.payloads("error")[0]
    assert (error["index"], error["internal_id"]) == (1, "firm-2")


def test_nothing_is_told_while_a_transfer_waits_for_its_configuration(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    session_id = caller.initiate(DEAL, completed_webhook=receiver.hook("completed"))
    caller.pull(session_id, DEAL)
    time.sleep(0.15)
    assert not receiver.received

    caller.configure(session_id)

    assert receiver.wait(1) == ["completed"]


def test_each_webhook_waits_for_the_answer_to_the_last(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    receiver.seconds = 0.03
    session_id = caller.open_session(**receiver.hooks())
    caller.pull(session_id)
    caller.pull(session_id)

    receiver.wait(9)

    assert receiver.busiest == 1


def test_webhooks_are_concurrent_where_the_caller_asks_for_it(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    receiver.seconds = 0.2
    session_id = caller.open_session(data_webhook=receiver.hook("data"), webhook_concurrency=True)
    caller.pull(session_id)

    receiver.wait(3)

    assert receiver.busiest > 1


def test_a_webhook_is_tried_again_until_it_is_acknowledged_with_200(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    receiver.answers = [500, 204]
    transfer = caller.pull(caller.demo["fern"], DEAL, completed_webhook=receiver.hook("completed"))

    receiver.wait(3)
    time.sleep(0.05)
    tries = caller.ledger("webhook")
    assert [row["status"] for row in tries] == [500, 204, 200]
    assert [row["attempt"] for row in tries] == [1, 2, 3]
    assert [row["acknowledged"] for row in tries] == [False, False, True]
    assert {(row["event"], row["transfer_id"]) for row in tries} == {("completed", transfer)}


def test_a_webhook_that_is_never_acknowledged_is_given_up(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    caller.settings(webhook_tries=2)
    receiver.answers = [503, 302]
    fern = caller.demo["fern"]
    hooks = {"completed_webhook": receiver.hook("completed", metadata="canary")}
    caller.pull(fern, DEAL, synchronous=True, **hooks)
    receiver.wait(2)
    caller.pull(fern, DEAL, completed_webhook=receiver.hook("next"))

    assert receiver.wait(3) == ["completed", "completed", "next"]
    assert "canary" not in caller.control("GET", "ledger").text


def test_an_endpoint_that_does_not_listen_is_noted(caller: EndgrateClient) -> None:
    caller.settings(webhook_tries=1)
    hook = {"endpoint": "http://127.0.0.1:9/nobody"}
    caller.pull(caller.demo["fern"], DEAL, synchronous=True, completed_webhook=hook)

    deadline = time.monotonic() + 5
    while not (noted := caller.ledger("webhook")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [row["status"] for row in noted] == [None]


def test_a_continuous_data_webhook_has_its_session_pulled_again_and_again(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    caller.settings(continuous_seconds=0.05)
    hook = receiver.hook("data", continuous=True)
    session_id = caller.open_session(DEAL, data_webhook=hook)

    receiver.wait(3)

    triggered = caller.ledger("pull_triggered")
    assert len(triggered) >= 3
    assert {row["session_id"] for row in triggered} == {session_id}
    caller.post("/api/session/delete", session_id=session_id)
    before = len(caller.ledger("pull_triggered"))
    time.sleep(0.15)
    assert len(caller.ledger("pull_triggered")) == before


def test_deleting_a_session_drops_what_has_not_been_told(
    caller: EndgrateClient, receiver: Receiver
) -> None:
    receiver.seconds = 0.2
    session_id = caller.open_session(data_webhook=receiver.hook("data"))
    caller.pull(session_id, synchronous=True)

    caller.post("/api/session/delete", session_id=session_id)
    time.sleep(0.5)

    assert len(receiver.received) < 3
