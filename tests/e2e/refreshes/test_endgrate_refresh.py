"""An Endgrate refresh, from the HTTP call to the records, and the webhooks on the way."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

from functions.core.model import instant
from infra.local.caller import Caller
from infra.local.simulators.endgrate.provider import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl
    from tests.support.system.webhook_relay import Relay

FERN = {"provider": "endgrate", "subject": "65a1f0000000000000000001"}
OPENED = {"provider": "endgrate", "datasets": ["crm-contact", "crm-company"]}
LONG = 60.0
LONG_ENOUGH = 16
"""Seconds that nothing on this machine takes."""


@pytest.fixture(autouse=True)
def webhooks(relay: Relay) -> Iterator[Relay]:
    relay.taken.clear()
    yield relay
    relay.holds = False


def put_off_looks(endgrate: SimulatorControl, *, times: int) -> None:
    """Have Endgrate ask who looks at a transfer, so many times, to come back much later."""
    fault = {"kind": "status", "status": 503, "retry_after": f"{LONG:.0f}", "times": times}
    endgrate.fault(path="*/statistics", **fault)


def waits_for_a_hint(running: System, refresh_id: str, state: str = "WaitForHint") -> bool:
    """True if the execution is in this state, which a webhook ends."""
    arn = running.outputs["RefreshMachineArn"].replace(":stateMachine:", ":execution:")
    events = running.client("stepfunctions").get_execution_history(
        executionArn=f"{arn}:{refresh_id}", reverseOrder=True, maxResults=5
    )["events"]
    entered = [each for each in events if each["type"] == "TaskStateEntered"]
    return bool(entered) and entered[0]["stateEnteredEventDetails"]["name"] == state


def visited(running: System, refresh_id: str) -> list[str]:
    """The execution's states."""
    arn = running.outputs["RefreshMachineArn"].replace(":stateMachine:", ":execution:")
    events = running.client("stepfunctions").get_execution_history(
        executionArn=f"{arn}:{refresh_id}", maxResults=200
    )["events"]
    return [
        each["stateEnteredEventDetails"]["name"]
        for each in events
        if each["type"].endswith("StateEntered")
    ]


def transfers(endgrate: SimulatorControl) -> int:
    """The number of transfers triggered."""
    return len(endgrate.ledger("pull_triggered"))


def looked(endgrate: SimulatorControl) -> dict[str, int]:
    """The number of looks at transfers."""
    return {"looks": sum("/statistics" in each.get("path", "") for each in endgrate.ledger())}


def told(refresh: dict[str, Any], event: str) -> float:
    return instant(next(each["at"] for each in refresh["events"] if each["type"] == event))


@pytest.mark.usefixtures("endgrate")
def test_publishes_every_dataset_and_says_of_which_some_records_are_missing(
    caller: Caller,
) -> None:
    connection = caller.connect({**FERN, "datasets": ["crm-contact", "crm-deal", "crm-ticket"]})
    refresh = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    parts = caller.ask("GET", f"/v1/connections/{connection}/datasets")["parts"]

    assert (refresh["status"], refresh["attempts"]) == ("partial", 1)
    assert refresh["records_read"] == {"crm-contact": 430, "crm-deal": 0, "crm-ticket": 57}
    assert {part["part"]: (part["state"], part["failures"]) for part in parts} == {
        "crm-contact": ("fresh", 0),
        "crm-deal": ("fresh", 0),
        "crm-ticket": ("incomplete", 3),
    }
    assert len(caller.records(connection, "crm-contact", limit=100)) == 430


def test_a_dataset_may_have_any_title(caller: Caller, endgrate: SimulatorControl) -> None:
    title = "Our Leads, 2026!"
    schema = [{"title": title, "endgrate_type": "crm-company"}, {"endgrate_type": "crm-deal"}]
    answer = requests.post(
        f"{endgrate.base_url}/api/session/initiate",
        headers={"Authorization": f"Bearer {API_KEY}"},
        json={"schema": schema, "bypass_ui": True, "save_session": True},
        timeout=10,
    )
    session, datasets = answer.json()["session_id"], ["crm-deal", title]
    connection = caller.connect({**FERN, "subject": session, "datasets": datasets})
    refresh = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    path = f"/v1/connections/{connection}"
    name = caller.ask("GET", path)["datasets"][1]
    told = caller.ask("GET", f"{path}/datasets")["datasets"]

    assert refresh["records_read"] == {"crm-deal": 0, name: 120}
    assert caller.ask("GET", path)["titles"] == {name: title}
    assert {each["name"]: each["title"] for each in told} == {"crm-deal": "crm-deal", name: title}
    assert len(caller.records(connection, name, limit=100)) == 120


@pytest.mark.usefixtures("endgrate")
def test_what_a_dataset_lacks_stays_known_while_another_is_refreshed(caller: Caller) -> None:
    connection = caller.connect({**FERN, "datasets": ["crm-company", "crm-ticket"]})
    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    again = caller.wait_until_ended(
        caller.refresh(connection, datasets=["crm-company"])["refresh_id"]
    )
    published = caller.ask("GET", f"/v1/connections/{connection}/datasets")
    lacking = next(part for part in published["parts"] if part["part"] == "crm-ticket")

    assert (again["status"], again["coverage"]["fresh"]) == ("published", 1)
    assert again["coverage"]["incomplete"] == 0
    assert (published["coverage"]["fresh"], published["coverage"]["incomplete"]) == (1, 1)
    assert (lacking["state"], lacking["failures"]) == ("incomplete", 3)
    assert lacking["datasets"] == ["crm-ticket"]


@pytest.mark.usefixtures("endgrate")
def test_params_narrow_a_dataset_down(caller: Caller) -> None:
    connection = caller.connect({**FERN, "datasets": ["crm-contact"]})
    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    every = caller.records(connection, "crm-contact")
    field, value = next(
        (name, value)
        for name, value in every[7]["data"]["data"].items()
        if isinstance(value, str) and sum(value in str(each["data"]) for each in every) < 5
    )
    narrow = caller.connect(
        {**FERN, "datasets": ["crm-contact"], "params": {"crm-contact": {field: value}}}
    )
    caller.wait_until_ended(caller.refresh(narrow)["refresh_id"])

    found = caller.records(narrow, "crm-contact")
    assert 0 < len(found) < 5
    assert all(each["data"]["data"][field] == value for each in found)


@pytest.mark.usefixtures("endgrate")
def test_a_provider_that_is_asked_to_answer_when_done_needs_no_second_look(
    caller: Caller,
) -> None:
    connection = caller.connect({**FERN, "datasets": ["crm-company"]})
    refresh = caller.wait_until_ended(caller.refresh(connection, synchronous=True)["refresh_id"])
    (ready,) = [each for each in refresh["events"] if each["type"] == "ready"]

    assert (refresh["status"], ready["facts"]["looks"]) == ("published", 1)


def test_a_connection_begun_here_waits_for_its_user_and_goes_on_when_told(
    running: System, caller: Caller, endgrate: SimulatorControl, webhooks: Relay
) -> None:
    connection = caller.ask("POST", "/v1/connections", json=OPENED)
    id_, session = connection["connection_id"], connection["subject"]
    path = f"/v1/connections/{id_}/configuration"
    before = caller.ask("GET", path)
    refresh_id = caller.refresh(id_, deadline_seconds=3600)["refresh_id"]
    waiting = caller.until(
        lambda: caller.state(refresh_id),
        lambda it: it["events"][-1]["facts"].get("wait_seconds", 0) >= LONG_ENOUGH,
        seconds=60,
    )
    caller.until(
        lambda: {"waits": waits_for_a_hint(running, refresh_id, "WaitForUser")},
        lambda it: it["waits"],
        seconds=60,
    )
    in_vain = transfers(endgrate)
    endgrate.order("configure", session_id=session)
    refresh = caller.wait_until_ended(refresh_id)
    after = caller.ask("GET", path)
    why, again = (refresh["events"][waiting["version"] + place] for place in (-1, 0))

    assert connection["sign_in_url"] == before["sign_in_url"]
    assert session in connection["sign_in_url"]
    assert (before["configured"], after["configured"]) == (False, True)
    assert set(after["configuration"]["schemas"]) == set(OPENED["datasets"])
    assert (why["type"], why["facts"]["error"], why["facts"]["action"]) == (
        *("postponed", "InteractionRequired", "ask_user"),
    )
    assert instant(again["at"]) - instant(why["at"]) < why["facts"]["wait_seconds"]
    assert (in_vain, transfers(endgrate), refresh["status"]) == (0, 2, "published")
    assert [json.loads(body)["session_id"] for _, body in webhooks.taken] == [session] * 3


def test_a_user_who_never_configures_is_what_a_refresh_waited_for(
    caller: Caller, endgrate: SimulatorControl
) -> None:
    id_ = caller.ask("POST", "/v1/connections", json=OPENED)["connection_id"]
    refresh = caller.wait_until_ended(caller.refresh(id_, deadline_seconds=5)["refresh_id"])

    assert (refresh["status"], refresh["error"]["name"]) == ("failed", "InteractionRequired")
    assert refresh["error"]["action"] == "ask_user"
    assert caller.ask("GET", f"/v1/connections/{id_}")["next_allowed_at"] is None
    assert transfers(endgrate) == 0


def test_a_webhook_ends_the_wait_long_before_its_time(
    running: System, caller: Caller, endgrate: SimulatorControl
) -> None:
    endgrate.settings(transfer_seconds=LONG_ENOUGH)
    put_off_looks(endgrate, times=1)
    connection = caller.connect({**FERN, "datasets": ["crm-company"]})
    refresh = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    completed = next(each["at"] for each in endgrate.ledger("pull_completed"))

    assert refresh["status"] == "published"
    assert "WaitForHint" in visited(running, refresh["refresh_id"])
    assert 0 <= told(refresh, "ready") - completed < LONG / 6


def test_forged_repeated_and_swapped_webhooks_change_nothing(
    running: System, caller: Caller, endgrate: SimulatorControl, webhooks: Relay
) -> None:
    webhooks.holds = True
    endgrate.settings(transfer_seconds=1)
    put_off_looks(endgrate, times=2)
    mine, other = (
        caller.connect({**FERN, "datasets": [name]}) for name in ("crm-company", "crm-contact")
    )
    first, second = (caller.refresh(each)["refresh_id"] for each in (mine, other))
    caller.until(lambda: {"got": len(webhooks.taken)}, lambda it: it["got"] == 2, seconds=60)
    of = {path.split("/")[2].partition(".")[0]: (path, body) for path, body in webhooks.taken}
    (path, body), (path_2, body_2) = of[first], of[second]
    looks = caller.until(lambda: looked(endgrate), lambda it: it["looks"] >= 2, seconds=60)
    transfer = json.loads(body_2)["transfer_id"]
    swapped = json.dumps(json.loads(body) | {"transfer_id": transfer}).encode()
    absent = webhooks.post("/endgrate/" + "x" * 60, body)
    refused = [
        webhooks.post(re.sub(r".{5}$", "AAAAA", path), body),
        webhooks.post(path, swapped),
        webhooks.post(path, body_2),
        webhooks.post(path_2, body),
        webhooks.post(path.replace("/endgrate/", "/banno/"), body),
        webhooks.post(path.replace("/endgrate/", "/nobody/"), body),
        webhooks.post(path, b"no JSON"),
        webhooks.post(path, b""),
    ]

    assert {(each.status_code, each.text) for each in refused} == {(404, absent.text)}
    assert looked(endgrate) == looks
    assert waits_for_a_hint(running, first)
    assert webhooks.post(path, body).status_code == 200
    ended = caller.wait_until_ended(first)
    assert webhooks.post(path, body).status_code == 200
    assert caller.state(first) == ended
    assert waits_for_a_hint(running, second)
    assert webhooks.post(path_2, body_2).status_code == 200
    assert caller.wait_until_ended(second)["status"] == "published"


@pytest.mark.usefixtures("endgrate")
def test_no_key_token_or_record_is_written_down(
    running: System,
    caller: Caller,
    connect: Connect,
    webhooks: Relay,
    logs: Callable[[], str],
) -> None:
    connection = connect("fern", provider="endgrate")
    refresh_id = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])["refresh_id"]
    arn = running.outputs["RefreshMachineArn"].replace(":stateMachine:", ":execution:")
    history = running.client("stepfunctions").get_execution_history(
        executionArn=f"{arn}:{refresh_id}"
    )
    seen = (
        logs()
        + str(history["events"])
        + str(running.client("s3").list_object_versions(Bucket=running.outputs["BucketName"]))
    )
    tokens = [path.split("/")[2].partition(".")[2] for path, _ in webhooks.taken]
    values = [
        value
        for each in caller.records(connection, "crm-contact")[:20]
        for value in each["data"]["data"].values()
        if isinstance(value, str) and len(value) > 7
    ]

    assert tokens
    assert values
    for canary in (running.providers["endgrate"]["api_key"], *tokens, *values):
        assert canary not in seen


@pytest.mark.usefixtures("endgrate")
def test_a_session_is_one_tenant_s_until_that_tenant_has_erased_its_connections(
    running: System, caller: Caller
) -> None:
    reed = {"provider": "endgrate", "subject": "65a1f0000000000000000003"}
    body = {**reed, "datasets": ["analytics-page_views"]}
    stranger = Caller(running.api, token=running.issuer.token("stranger"))
    first, second = caller.connect(body), caller.connect(body)
    refused = stranger.send("POST", "/v1/connections", json=body)
    caller.send("DELETE", f"/v1/connections/{first}")
    refused_again = stranger.send("POST", "/v1/connections", json=body)
    caller.send("DELETE", f"/v1/connections/{second}")

    assert (refused.status_code, refused_again.status_code) == (422, 422)
    assert stranger.send("POST", "/v1/connections", json=body).status_code == 201
