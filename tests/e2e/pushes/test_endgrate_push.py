"""A push to Endgrate, from the HTTP call to the records at the provider, once at most."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from infra.local.caller import Caller
from tests.support.system.pushes import (
    FERN,
    TRANSFER,
    contact,
    count_posted,
    executions,
    list_kept,
    list_triggered,
    post,
    push_records,
    wait_until_ended,
    wait_until_status,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl
    from tests.support.system.webhook_relay import Relay

AT_ONCE = 8
"""As many calls of one door as this machine can run without keeping each other waiting."""

pytestmark = pytest.mark.usefixtures("endgrate")

MOSS = "65a1f0000000000000000002"


@pytest.fixture(autouse=True)
def webhooks(relay: Relay) -> Iterator[Relay]:
    relay.taken.clear()
    yield relay
    relay.holds = False


@pytest.fixture
def fern(caller: Caller) -> str:
    return caller.connect(FERN)


def test_records_are_pushed_and_read_back_by_a_pull(
    running: System, caller: Caller, fern: str, endgrate: SimulatorControl
) -> None:
    answer = post(caller, fern, contact("rowan", internal_id="mine-1"), contact("alder"))
    push = wait_until_ended(caller, answer.json()["push_id"])

    assert answer.status_code == 202
    assert answer.headers["Location"] == f"pushes/{push['push_id']}"
    assert "Idempotency-Replayed" not in answer.headers
    assert (push["status"], push["records"], push["failed"]) == ("done", 2, 0)
    assert push["requested_by"].startswith("asker-")
    assert [event["type"] for event in push["events"]] == ["accepted", "sending", "sent", "done"]
    assert (len(list_triggered(endgrate)), count_posted(endgrate)) == (1, 1)

    caller.wait_until_ended(caller.refresh(fern, datasets=["crm-contact"])["refresh_id"])
    names = [each["data"]["data"]["first_name"] for each in caller.records(fern, "crm-contact")]
    assert len(names) == 432
    assert {"rowan", "alder"} < set(names)
    ids = {
        each["data"]["data"]["first_name"]: each["id"]
        for each in caller.records(fern, "crm-contact")
    }
    assert sorted(push["results"], key=lambda each: each["index"]) == [
        {"id": ids["rowan"], "index": 0, "internal_id": "mine-1"},
        {"id": ids["alder"], "index": 1},
    ]
    assert push["push_id"] not in list_kept(running, fern)


def test_pushes_are_listed_newest_first_and_by_connection_and_status(
    running: System, caller: Caller, fern: str
) -> None:
    stranger = Caller(running.api, token=running.issuer.token("stranger-with-pushes"))
    one, other = fern, caller.connect({**FERN, "external_id": "other", "datasets": ["crm-ticket"]})
    tickets = [{"data": {"subject": f"Slugs {n}"}} for n in range(5)]
    pushes = [
        push_records(caller, one, contact("rowan")),
        push_records(caller, other, *tickets, dataset="crm-ticket", synchronous=True),
        push_records(caller, one, contact("alder")),
    ]
    theirs = push_records(
        stranger,
        stranger.connect({**FERN, "subject": MOSS, "datasets": ["crm-contact"]}),
        contact("rowan"),
    )

    def listed(who: Caller, **query: object) -> list[str]:
        """The ids of a whole list, read by pages of one."""
        found: list[str] = []
        while True:
            page = who.ask("GET", "/v1/pushes", params={"limit": 1, **query})
            found += [each["push_id"] for each in page["pushes"]]
            if page["next_cursor"] is None:
                return found
            query["cursor"] = page["next_cursor"]

    first, second, third = (push["push_id"] for push in pushes)
    assert listed(caller) == [third, second, first]
    assert listed(caller, connection_id=one) == [third, first]
    assert listed(caller, status="incomplete") == [second]
    assert listed(caller, status="done", connection_id=other) == []
    shown = caller.ask("GET", "/v1/pushes", params={"limit": 2})
    for push, each in zip(reversed(pushes), shown["pushes"], strict=False):
        assert push | each == push
        assert push.keys() - each.keys() == {"failures", "results", "events"}

    assert listed(stranger) == [theirs["push_id"]]
    assert listed(stranger, cursor=shown["next_cursor"]) == []
    assert stranger.send("GET", f"/v1/pushes?connection_id={one}").status_code == 404
    caller.ask("DELETE", f"/v1/connections/{one}")
    assert listed(caller) == [second]


def test_a_push_within_the_hold_makes_three_transitions(
    running: System, caller: Caller, fern: str
) -> None:
    push = push_records(caller, fern, contact("rowan"))
    (execution,) = executions(running, push["push_id"])
    events = running.client("stepfunctions").get_execution_history(
        executionArn=execution["executionArn"]
    )["events"]

    assert [
        each["stateEnteredEventDetails"]["name"]
        for each in events
        if each["type"].endswith("StateEntered")
    ] == ["Push", "What next?", "Done"]
    assert execution["status"] == "SUCCEEDED"


def test_records_that_the_provider_cannot_take_are_named_and_the_others_are_there(
    caller: Caller, fern: str
) -> None:
    tickets = [{"internal_id": f"t{n}", "data": {"subject": f"Slugs {n}"}} for n in range(5)]
    push = push_records(caller, fern, *tickets, dataset="crm-ticket", synchronous=True)

    assert (push["status"], push["failed"], push["error"]) == ("incomplete", 3, None)
    assert push["failures"] == [
        {"error": "upstream", "index": index, "internal_id": f"t{index}"} for index in range(3)
    ]


def test_the_same_request_under_the_same_key_is_the_same_push(
    running: System, caller: Caller, fern: str, endgrate: SimulatorControl
) -> None:
    first = post(caller, fern, contact("rowan"), key="order-4711")
    again = post(caller, fern, contact("rowan"), key="order-4711")
    other = post(caller, fern, contact("alder"), key="order-4711")
    done = wait_until_ended(caller, first.json()["push_id"])
    late = post(caller, fern, contact("rowan"), key="order-4711")

    assert (again.status_code, late.status_code) == (202, 200)
    assert {again.headers["Idempotency-Replayed"], late.headers["Idempotency-Replayed"]} == {"true"}
    assert again.json()["push_id"] == late.json()["push_id"] == done["push_id"]
    assert late.json() == done
    assert other.status_code == 422
    assert other.json()["type"] == "urn:freshet:problem:key-reused"
    assert len(list_triggered(endgrate)) == 1

    stranger = Caller(running.api, token=running.issuer.token("stranger-with-the-same-key"))
    theirs = stranger.connect({**FERN, "subject": MOSS, "datasets": ["crm-contact"]})
    push = push_records(stranger, theirs, contact("rowan"), key="order-4711")
    assert push["push_id"] != done["push_id"]
    assert len(list_triggered(endgrate)) == 2


def test_fifty_requests_side_by_side_under_one_key_are_one_push(
    running: System, caller: Caller, fern: str, endgrate: SimulatorControl
) -> None:
    def ask(number: int) -> requests.Response:
        # Half of them differ: the first to come decides what the key stands for.
        return post(caller, fern, contact("rowan" if number % 2 else "alder"), key="rush")

    with ThreadPoolExecutor(AT_ONCE) as together:
        answers = list(together.map(ask, range(50)))
    taken = [each for each in answers if each.status_code in {200, 202}]
    push = wait_until_ended(caller, taken[0].json()["push_id"])

    assert {each.status_code for each in answers} == {202, 422} | {
        each.status_code for each in taken
    }
    assert len({each.json()["push_id"] for each in taken}) == 1
    assert sum("Idempotency-Replayed" not in each.headers for each in taken) == 1
    assert len(taken) == 25
    assert push["status"] == "done"
    assert (len(list_triggered(endgrate)), count_posted(endgrate)) == (1, 1)
    assert len(executions(running, push["push_id"])) == 1
    assert push["push_id"] not in list_kept(running, fern)


def test_an_answer_that_was_lost_ends_as_unknown_and_is_not_asked_for_again(
    running: System, caller: Caller, fern: str, endgrate: SimulatorControl, relay: Relay
) -> None:
    relay.holds = True
    endgrate.fault(method="POST", path=TRANSFER, kind="disconnect", processed=True, times=None)
    push = push_records(caller, fern, contact("rowan"), key="lost")
    again = post(caller, fern, contact("rowan"), key="lost")

    assert push["status"] == "unknown_outcome"
    assert (push["error"]["name"], push["error"]["action"]) == ("OutcomeUnknown", "check_provider")
    assert (again.status_code, again.json()["push_id"]) == (200, push["push_id"])
    assert (len(list_triggered(endgrate)), count_posted(endgrate)) == (1, 1)
    assert push["push_id"] in list_kept(running, fern)


def test_a_push_of_unknown_outcome_goes_on_when_its_webhook_comes(
    running: System, caller: Caller, fern: str, endgrate: SimulatorControl, relay: Relay
) -> None:
    relay.holds = True
    endgrate.fault(method="POST", path=TRANSFER, kind="disconnect", processed=True)
    push = push_records(caller, fern, contact("rowan"))
    assert push["status"] == "unknown_outcome"
    caller.until(lambda: {"n": len(relay.taken)}, lambda it: it["n"] > 0, seconds=20)
    ((path, letter),) = relay.taken
    forged = path[:-43] + "x" * 43

    assert relay.post(forged, letter.replace(path[-43:].encode(), b"x" * 43)).status_code == 404
    assert caller.ask("GET", f"/v1/pushes/{push['push_id']}")["status"] == "unknown_outcome"
    assert relay.post(path, letter).status_code == 200
    found = wait_until_status(caller, push["push_id"], "done")
    assert relay.post(path, letter).status_code == 200

    assert found["error"] is None
    assert [event["type"] for event in found["events"]][-3:] == ["unknown_outcome", "found", "done"]
    assert (len(list_triggered(endgrate)), count_posted(endgrate)) == (1, 1)
    assert len(executions(running, push["push_id"])) == 2
    assert push["push_id"] not in list_kept(running, fern)


def test_a_push_that_outlasted_its_deadline_is_looked_at_again_by_who_reads_it(
    running: System, caller: Caller, fern: str, endgrate: SimulatorControl, relay: Relay
) -> None:
    relay.holds = True
    endgrate.settings(transfer_seconds=8)
    push = push_records(caller, fern, contact("rowan"), deadline_seconds=5)
    assert (push["status"], push["error"]["name"]) == ("unknown_outcome", "OutcomeUnknown")
    done = wait_until_status(caller, push["push_id"], "done")

    assert [event["type"] for event in done["events"]][-3:] == [
        *("unknown_outcome", "reopened", "done"),
    ]
    assert (len(list_triggered(endgrate)), count_posted(endgrate)) == (1, 1)
    assert len(executions(running, push["push_id"])) == 2
    assert push["push_id"] not in list_kept(running, fern)


def test_a_provider_that_limits_is_asked_again_until_it_takes_the_push(
    caller: Caller, fern: str, endgrate: SimulatorControl
) -> None:
    endgrate.fault(method="POST", path=TRANSFER, kind="status", status=429, retry_after="1")
    push = push_records(caller, fern, contact("rowan"))

    assert (push["status"], push["attempts"]) == ("done", 2)
    assert len(list_triggered(endgrate)) == 1


def test_a_session_that_is_not_there_fails_the_push_and_its_execution(
    running: System, caller: Caller
) -> None:
    unknown = caller.connect({**FERN, "subject": secrets.token_hex(12)})
    push = push_records(caller, unknown, contact("rowan"))

    assert (push["status"], push["error"]["name"]) == ("failed", "ProviderRefusesConnection")
    assert push["push_id"] not in list_kept(running, unknown)
    execution = caller.until(
        lambda: dict(executions(running, push["push_id"])[0]),
        lambda it: it["status"] != "RUNNING",
        seconds=20,
    )
    told = running.client("stepfunctions").describe_execution(
        executionArn=execution["executionArn"]
    )
    assert (told["status"], told["error"]) == ("FAILED", "ProviderRefusesConnection")


def test_a_stopped_execution_ends_its_push(
    running: System, caller: Caller, fern: str, endgrate: SimulatorControl
) -> None:
    endgrate.settings(transfer_seconds=600)
    push_id = post(caller, fern, contact("rowan")).json()["push_id"]
    wait_until_status(caller, push_id, "sent")
    (execution,) = executions(running, push_id)
    running.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
    push = wait_until_ended(caller, push_id)

    assert push["status"] == "unknown_outcome"
    assert push["events"][-1]["facts"]["cause"] == "Aborted"
