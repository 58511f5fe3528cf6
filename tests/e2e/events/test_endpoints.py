"""Endpoints of applications, and a receiver that verifies what comes by code of its own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.caller import Caller
from tests.support.clients.receiver import new_secret
from tests.support.system.problems import read_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.clients.receiver import ReceiverClient

DAY = 24 * 60 * 60


class Application:
    """A tenant's application with one endpoint at the receiver, which knows its keys."""

    def __init__(self, caller: Caller, receiver: ReceiverClient, **given: Any) -> None:
        self.caller, self.receiver, self.name = caller, receiver, f"app-{uuid.uuid4().hex[:8]}"
        self.made = caller.ask(
            "POST", "/v1/endpoints", json={"url": receiver.url(self.name), **given}
        )
        self.path = f"/v1/endpoints/{self.made['endpoint_id']}"
        receiver.trust(self.name, self.made["secret"], public_key=self.made["public_key"])

    def change(self, **changes: Any) -> dict[str, Any]:
        return self.caller.ask("PATCH", self.path, json=changes)

    def replay(self, **body: Any) -> dict[str, Any]:
        return self.caller.ask("POST", f"{self.path}/replay", json=body)

    def deliveries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.caller.ask("GET", f"{self.path}/deliveries")[
            "deliveries"
        ]
        return found

    def await_deliveries(
        self, done: Callable[[list[dict[str, Any]]], bool]
    ) -> list[dict[str, Any]]:
        found = self.caller.until(
            lambda: {"all": self.deliveries()}, lambda it: done(it["all"]), seconds=90
        )
        return list(found["all"])

    def await_types(self, *types: str) -> list[dict[str, Any]]:
        """The events that the receiver has accepted, once there is one of each of these types."""
        found = self.caller.until(
            lambda: {"all": self.receiver.events(self.name)},
            lambda it: set(types) <= {event["type"] for event in it["all"]},
            seconds=90,
        )
        return list(found["all"])


@pytest.mark.usefixtures("banno")
def test_an_application_is_told_what_has_ended_and_verifies_it(
    caller: Caller, connect: Connect, receiver: ReceiverClient
) -> None:
    narrow = Application(caller, receiver, types=["push.*"])
    told = Application(caller, receiver, asymmetric=True)
    connection = connect("cleo")
    refresh = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    type_ = f"refresh.{refresh['status']}"
    events = told.await_types("connection.connected", type_)
    by_type = {event["type"]: event for event in events}

    assert by_type["connection.connected"]["data"]["connection_id"] == connection
    assert by_type[type_]["data"]["refresh_id"] == refresh["refresh_id"]
    assert [row["refused"] for row in receiver.deliveries(told.name) if row["refused"]] == []
    done = told.await_deliveries(lambda all_: [one["status"] for one in all_] == ["delivered"] * 2)
    assert {one["event_id"] for one in done} == {event["id"] for event in events}
    assert all(one["attempts"][-1]["status"] == 200 for one in done)
    assert caller.ask("GET", told.path)["last_status"] == 200
    assert narrow.deliveries() == receiver.deliveries(narrow.name) == []


def test_a_ping_tells_what_an_endpoint_answers_and_counts_nowhere(
    caller: Caller, receiver: ReceiverClient
) -> None:
    told = Application(caller, receiver)
    sent = caller.ask("POST", f"{told.path}/ping")
    (event,) = receiver.events(told.name)
    receiver.trust(told.name, new_secret())
    refused = caller.ask("POST", f"{told.path}/ping")

    assert (sent["status"], sent["error"]) == (200, None)
    assert (event["type"], event["id"]) == ("endpoint.ping", sent["event_id"])
    assert refused["status"] == 400
    assert told.deliveries() == []
    assert caller.ask("GET", told.path)["last_status"] is None


@pytest.mark.usefixtures("banno")
def test_what_comes_while_an_endpoint_is_paused_arrives_when_it_is_enabled(
    caller: Caller, connect: Connect, receiver: ReceiverClient
) -> None:
    told = Application(caller, receiver, types=["connection.*"])
    assert told.change(enabled=False)["state"] == "paused"
    connection = connect("cleo")
    (waiting,) = told.await_deliveries(lambda all_: len(all_) == 1)
    assert (waiting["status"], waiting["attempts"]) == ("pending", [])
    assert receiver.deliveries(told.name) == []
    assert told.change(enabled=True)["state"] == "enabled"
    (event,) = told.await_types("connection.connected")
    assert event["data"]["connection_id"] == connection


@pytest.mark.usefixtures("banno")
def test_a_delivery_that_fails_is_tried_again_under_its_id(
    caller: Caller, connect: Connect, receiver: ReceiverClient
) -> None:
    told = Application(caller, receiver, types=["connection.*"])
    receiver.trust(told.name, new_secret())  # so that it refuses what we sign
    connect("cleo")
    (failed,) = told.await_deliveries(lambda all_: any(one["attempts"] for one in all_))
    assert (failed["status"], failed["attempts"][0]["status"]) == ("pending", 400)
    receiver.trust(told.name, told.made["secret"])
    (event,) = told.await_types("connection.connected")
    assert event["id"] == failed["event_id"]
    assert {row["id"] for row in receiver.deliveries(told.name)} == {failed["event_id"]}


@pytest.mark.usefixtures("banno")
def test_both_secrets_sign_while_they_overlap_and_only_the_new_one_where_the_old_is_known(
    caller: Caller, connect: Connect, receiver: ReceiverClient
) -> None:
    told = Application(caller, receiver, types=["connection.*"])
    old, path = told.made["secret"], f"{told.path}/secret"
    new = caller.ask("POST", path, json={"overlap_seconds": DAY})["secret"]
    receiver.trust(told.name, old, new)
    connect("cleo")
    told.await_types("connection.connected")
    assert [row["secrets"] for row in receiver.deliveries(told.name)] == [[0, 1]]
    again = caller.send("POST", path, json={"overlap_seconds": DAY})
    assert read_problem(again) == (409, "secret-rotating")
    newest = caller.ask("POST", path, json={"overlap_seconds": 0})["secret"]
    receiver.trust(told.name, old, new, newest)
    caller.ask("POST", f"{told.path}/ping")
    assert receiver.deliveries(told.name)[-1]["secrets"] == [2]


@pytest.mark.usefixtures("banno")
def test_what_was_before_an_endpoint_is_replayed_to_it_and_what_it_has_comes_once_more(
    caller: Caller, connect: Connect, receiver: ReceiverClient
) -> None:
    first = Application(caller, receiver, types=["connection.*"])
    connect("cleo")
    first.await_types("connection.connected")  # so that it is announced to no other any more
    assert first.replay(since="2026-01-01T00:00:00Z", only="missing")["queued"] == 0
    told = Application(caller, receiver)
    assert told.replay(since="2026-01-01T00:00:00Z", only="missing")["queued"] == 1
    (event,) = told.await_types("connection.connected")
    told.await_deliveries(lambda all_: all_[0]["status"] == "delivered")
    assert told.replay(event_ids=[event["id"]]) == {"queued": 1, "next_cursor": None}
    caller.until(
        lambda: {"all": receiver.deliveries(told.name)},
        lambda it: [row["repeated"] for row in it["all"]] == [False, True],
        seconds=90,
    )


@pytest.mark.usefixtures("banno")
def test_each_tenant_is_told_its_own_and_nothing_of_another(
    running: System, caller: Caller, connect: Connect, receiver: ReceiverClient
) -> None:
    stranger = Caller(running.api, token=running.issuer.token(f"other-{uuid.uuid4().hex[:8]}"))
    other, own = Application(stranger, receiver), Application(caller, receiver)
    connect("cleo")
    (event,) = own.await_types("connection.connected")
    answer = stranger.send("POST", f"{other.path}/replay", json={"event_ids": [event["id"]]})
    assert read_problem(answer) == (404, "not-found")
    assert other.replay(since="2026-01-01T00:00:00Z", only="all")["queued"] == 0
    assert other.deliveries() == receiver.deliveries(other.name) == []


def test_an_endpoint_that_is_deleted_or_made_once_more_under_its_key(
    caller: Caller, receiver: ReceiverClient
) -> None:
    def make(key: str) -> dict[str, Any]:
        body, headers = {"url": receiver.url("once")}, {"Idempotency-Key": key}
        return caller.ask("POST", "/v1/endpoints", json=body, headers=headers)

    made = make("k")
    assert make("k") == made
    path = f"/v1/endpoints/{made['endpoint_id']}"
    assert caller.send("DELETE", path).status_code == 204
    assert caller.send("GET", path).status_code == 404
    assert caller.ask("GET", "/v1/endpoints") == {"endpoints": []}


def test_no_secret_of_an_endpoint_reaches_a_log_or_a_table(
    running: System, caller: Caller, receiver: ReceiverClient, logs: Callable[[], str]
) -> None:
    told = Application(caller, receiver, secret=new_secret())
    caller.ask("POST", f"{told.path}/ping")
    kept = str(running.client("dynamodb").scan(TableName=running.outputs["EndpointsTableName"]))
    assert told.made["endpoint_id"] in kept
    for text in (logs(), kept):
        assert told.made["secret"].removeprefix("whsec_") not in text


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://app.example/", (400, "invalid-request")),
        ("https://10.0.0.1/", (400, "invalid-request")),
        ("https://user@app.example/", (400, "invalid-request")),
        ("https://nowhere.invalid/", (422, "endpoint-refused")),
    ],
)
def test_an_address_that_nothing_is_sent_to_is_refused(
    caller: Caller, url: str, problem: tuple[int, str]
) -> None:
    assert read_problem(caller.send("POST", "/v1/endpoints", json={"url": url})) == problem
