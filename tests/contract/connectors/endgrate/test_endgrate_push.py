"""Pushes at Endgrate's simulator: what it takes, and what it could not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from functions.core.contract import PushTicketOutcome
from functions.core.push.model import Failure, PushStatus, Result
from tests.support.clients.endgrate import TICKET
from tests.support.fakes.pushes import PUSH
from tests.support.http_listener import WHOLE, listening
from tests.support.providers.endgrate_harness import sessions_of
from tests.support.providers.endgrate_push_harness import (
    ROWAN,
    TRANSFER,
    EndgratePushHarness,
    contact,
)
from tests.support.scripted_connector import CONNECTION

if TYPE_CHECKING:
    import socket

    from tests.contract.provider_cases.endgrate import EndgrateSessions
    from tests.support.http_listener import Listener
    from tests.support.providers.endgrate_harness import Simulator


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


def found(sessions: EndgrateSessions, name: str) -> list[Any]:
    fern = sessions.session("fern")
    return sessions.caller.pull_records(fern, params={"first_name": name})


def test_records_are_pushed_as_they_are_and_found_there(sessions: EndgrateSessions) -> None:
    harness = EndgratePushHarness(sessions, ROWAN, contact("alder", associations={}))
    push = harness.run()
    assert (push.status, push.failed, push.failures) == (PushStatus.DONE, 0, ())
    assert [each["data"] for each in found(sessions, "rowan")] == [ROWAN["data"]]
    assert len(found(sessions, "alder")) == 1
    assert push.job == harness.list_events("push_triggered")[0]["transfer_id"]
    assert (harness.triggered_count, harness.count_requests(TRANSFER)) == (1, 1)


def test_records_reach_the_provider_byte_for_byte(sessions: EndgrateSessions) -> None:
    kept = b'[{"data":{"age":40.10,"big":12345678901234567890.5,"name":"Zo\\u00eb"}}]'

    def hears_all(listener: Listener, line: socket.socket) -> None:
        while kept not in b"".join(listener.heard):
            listener.hear(line)
        line.sendall(WHOLE)

    with listening(hears_all) as listener:
        harness = EndgratePushHarness(
            sessions, secret={"base_url": f"http://127.0.0.1:{listener.port}"}
        )
        harness.contents.kept[CONNECTION, PUSH] = [kept]
        harness.run()
    assert kept in b"".join(listener.heard)
    assert b"Content-Type: application/json" in listener.heard[0]


def test_records_that_fail_are_named_and_the_others_are_taken(sessions: EndgrateSessions) -> None:
    tickets = [{"internal_id": f"t{n}", "data": {"subject": f"Slugs {n}"}} for n in range(5)]
    harness = EndgratePushHarness(sessions, *tickets, dataset=TICKET)
    push = harness.run()
    assert (push.status, push.failed, push.error) == (PushStatus.INCOMPLETE, 3, None)
    assert push.failures == tuple(
        Failure(error="upstream", index=index, internal_id=f"t{index}") for index in range(3)
    )
    assert harness.triggered_count == 1


DATA = "/api/push/data"


def test_what_endgrate_has_made_of_the_records_is_told_by_their_names(
    sessions: EndgrateSessions,
) -> None:
    (known,) = sessions.caller.pull_records(sessions.session("fern"))[:1]
    harness = EndgratePushHarness(
        sessions, ROWAN, {"id": known["id"], "data": {"age": 40}}, contact("alder")
    )
    push = harness.run()
    ids = {
        each["data"]["first_name"]: each["id"]
        for name in ("rowan", "alder")
        for each in found(sessions, name)
    }
    assert set(push.results) == {
        Result(id=ids["rowan"], index=0, internal_id="mine-1"),
        Result(id=known["id"], index=1),
        Result(id=ids["alder"], index=2),
    }


def test_of_records_that_fail_there_are_no_results(sessions: EndgrateSessions) -> None:
    tickets = [{"internal_id": f"t{n}", "data": {"subject": f"Slugs {n}"}} for n in range(5)]
    push = EndgratePushHarness(sessions, *tickets, dataset=TICKET).run()
    assert [(each.index, each.internal_id) for each in push.results] == [(3, "t3"), (4, "t4")]


def test_every_page_of_the_results_is_read(sessions: EndgrateSessions) -> None:
    records = [contact(f"c{n}", internal_id=f"i{n}") for n in range(600)]
    harness = EndgratePushHarness(sessions, *records)
    assert {each.index for each in harness.run().results} == set(range(600))
    assert harness.count_requests(DATA) == 3


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        pytest.param({"status": 503}, 1, id="503-once"),
        pytest.param({"status": 503, "times": None}, 0, id="503"),
        pytest.param({"status": 400, "times": None}, 0, id="400"),
        pytest.param({"status": 403, "times": None}, 0, id="403"),
        pytest.param({"status": 200, "body": [], "times": None}, 0, id="another-shape"),
        pytest.param(
            {"status": 200, "body": {"transfer_data": [7, {"id": None}], "meta": {}}},
            0,
            id="odd-rows",
        ),
    ],
)
def test_results_that_cannot_be_had_change_nothing_of_how_it_went(
    sessions: EndgrateSessions, fault: dict[str, Any], told: int
) -> None:
    sessions.fault(method="GET", path=DATA, kind="status", **fault)
    push = EndgratePushHarness(sessions).run()
    assert (push.status, push.failed, len(push.results)) == (PushStatus.DONE, 0, told)


def test_a_misfit_is_told_by_its_kind_and_not_in_prose(sessions: EndgrateSessions) -> None:
    push = EndgratePushHarness(sessions, ROWAN, {"id": "7", "data": {"age": "canary-4711"}}).run()
    assert push.failures == (Failure(error="mapping", index=1, id="7"),)
    assert b"canary" not in msgspec.json.encode(push)


def test_every_page_of_the_error_log_is_read(sessions: EndgrateSessions) -> None:
    sessions.settings(failing={TICKET: 700})
    harness = EndgratePushHarness(sessions, *[{"data": {"subject": "s"}}] * 800, dataset=TICKET)
    push = harness.run()
    assert (push.failed, len(push.failures)) == (700, 700)
    assert harness.count_requests("/api/errors") == 3


@pytest.mark.parametrize(
    ("more", "failed"),
    [
        pytest.param({}, 1, id="standing"),
        pytest.param({"resolved": True}, 0, id="resolved"),
        pytest.param({"warn": True}, 0, id="a-warning"),
        pytest.param({"warn": []}, 1, id="no-warning"),
        pytest.param({"resolved": "true"}, 1, id="a-word-that-resolves-nothing"),
        pytest.param({"resolved": None}, 1, id="null-resolves-nothing"),
    ],
)
def test_only_what_stands_and_is_no_warning_is_a_failure(
    sessions: EndgrateSessions, more: dict[str, Any], failed: int
) -> None:
    entry = {"error_type": "Prose, not a name.", "index": 0, **more}
    body = {"success": True, "meta": {"count": 1}, "errors": [entry]}
    sessions.fault(method="GET", path="/api/errors", kind="status", status=200, body=body)
    push = EndgratePushHarness(sessions).run()
    assert push.failed == failed
    assert {failure.error for failure in push.failures} <= {"unnamed"}


@pytest.mark.parametrize(
    ("names", "failure"),
    [
        pytest.param(
            {"index": None, "internal_id": "b"},
            Failure(error="mapping", index=1, internal_id="b"),
            id="by-its-internal-id-alone",
        ),
        pytest.param(
            {"index": 0, "internal_id": "b"},
            Failure(error="mapping", index=1, internal_id="b"),
            id="by-its-internal-id-first",
        ),
        pytest.param(
            {"index": "0", "internal_id": "b"},
            Failure(error="mapping", index=1, internal_id="b"),
            id="a-word-for-an-index",
        ),
        pytest.param(
            {"index": 0, "internal_id": 7},
            Failure(error="mapping", index=0, internal_id="a"),
            id="a-number-for-an-internal-id",
        ),
        pytest.param({"index": 9}, Failure(error="mapping"), id="beyond-the-last"),
    ],
)
def test_a_failed_record_is_found_by_its_names(
    sessions: EndgrateSessions, names: dict[str, Any], failure: Failure
) -> None:
    entry = {"error_type": "mapping", **names}
    body = {"success": True, "meta": {"count": 1}, "errors": [entry]}
    sessions.fault(method="GET", path="/api/errors", kind="status", status=200, body=body)
    push = EndgratePushHarness(sessions, *(contact(name, internal_id=name) for name in "ab")).run()
    assert (push.failed, push.failures) == (1, (failure,))


@pytest.mark.parametrize("index", [-1, True, 1.5, "1", None])
def test_an_entry_that_names_no_record_condemns_them_all(
    sessions: EndgrateSessions, index: object
) -> None:
    entry = {"error_type": "mapping", "index": index}
    body = {"success": True, "meta": {"count": 1}, "errors": [entry]}
    sessions.fault(method="GET", path="/api/errors", kind="status", status=200, body=body)
    push = EndgratePushHarness(sessions, ROWAN, contact("alder")).run()
    assert (push.failed, push.failures) == (2, (Failure(error="mapping"),))


def test_a_session_whose_user_must_sign_in_again_takes_none_of_them(
    sessions: EndgrateSessions,
) -> None:
    sessions.revoke("fern")
    push = EndgratePushHarness(sessions, ROWAN, contact("alder")).run()
    assert (push.status, push.failed) == (PushStatus.INCOMPLETE, 2)
    assert push.failures == (Failure(error="authentication"),)


def test_a_push_before_the_session_is_configured_waits_for_its_user(
    sessions: EndgrateSessions,
) -> None:
    harness = EndgratePushHarness(sessions, user="thyme")
    for _ in range(3):
        harness.simulated.later(20)
        assert harness.call() is PushTicketOutcome.RUNNING
    assert harness.push.status is PushStatus.SENT
    sessions.caller.configure(sessions.session("thyme"))
    assert harness.run().status is PushStatus.DONE
    assert harness.triggered_count == 1


def test_a_synchronous_push_is_done_when_it_is_answered(sessions: EndgrateSessions) -> None:
    sessions.job_takes(0.5)
    harness = EndgratePushHarness(sessions, synchronous=True)
    assert harness.call() is PushTicketOutcome.DONE
    assert harness.count_requests("/api/statistics") == 1
