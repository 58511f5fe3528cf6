"""Refreshes that a caller stops or a provider forbids, and the list of all refreshes."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.model import instant
from tests.support.system.executions import describe_refresh, run_refresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl

LIST = "/v1/refreshes"
HOUR = 3600


# --- cancelling --------------------------------------------------------------------------------


def cancel(caller: Caller, refresh_id: str) -> dict[str, Any]:
    return caller.ask("POST", f"{LIST}/{refresh_id}/cancel")


def kept(running: System, refresh_id: str) -> bool:
    """True if anything that the refresh has written is still there."""
    bucket = running.outputs["BucketName"]
    return refresh_id in str(running.client("s3").list_object_versions(Bucket=bucket))


def test_a_cancelled_refresh_stops_here_and_frees_its_connection(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=8)
    connection = connect("ben")
    refresh_id = caller.refresh(connection)["refresh_id"]
    caller.until(lambda: caller.state(refresh_id), lambda it: it["status"] == "running", seconds=20)
    cancelled = cancel(caller, refresh_id)

    assert cancelled["status"] == "cancelled"
    assert cancelled["events"][-1]["type"] == "cancelled"
    assert describe_refresh(running, refresh_id)["status"] == "ABORTED"

    banno.settings(task_seconds=0.2)
    again = caller.refresh(connection)
    assert (again["outcome"], again["refresh_id"] != refresh_id) == ("started", True)
    assert caller.wait_until_ended(again["refresh_id"])["status"] == "published"
    # By now the rule for stopped executions has called conclude.
    assert cancel(caller, refresh_id) == caller.state(refresh_id) == cancelled


def test_what_a_fetch_goes_on_to_write_after_its_refresh_was_cancelled_goes_too(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(page_delay_seconds=0.4)
    connection = connect("ada")
    refresh_id = caller.refresh(connection)["refresh_id"]
    caller.until(
        lambda: {"asked": [e["path"] for e in banno.ledger() if "path" in e]},
        lambda it: any(path.endswith("/transactions") for path in it["asked"]),
        seconds=30,
    )
    assert cancel(caller, refresh_id)["status"] == "cancelled"
    pages = -1
    while pages != (pages := len(banno.ledger())):
        time.sleep(3)
    caller.until(lambda: {"kept": kept(running, refresh_id)}, lambda it: not it["kept"], seconds=20)

    assert caller.state(refresh_id)["status"] == "cancelled"
    assert caller.ask("GET", f"/v1/connections/{connection}")["snapshot"] is None


@pytest.mark.usefixtures("banno")
def test_a_refresh_that_has_ended_stays_as_it_is(caller: Caller, connect: Connect) -> None:
    connection = connect("ben")
    ended = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])

    assert cancel(caller, ended["refresh_id"]) == ended
    assert caller.ask("GET", f"/v1/connections/{connection}/datasets")


def test_who_waits_is_told_that_the_refresh_was_cancelled(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=20)
    connection = connect("ben")
    refresh_id = caller.refresh(connection)["refresh_id"]
    cancel(caller, refresh_id)
    answer = caller.ask("GET", f"{LIST}/{refresh_id}", params={"wait": 20})

    assert answer["status"] == "cancelled"


# --- a provider that forbids -------------------------------------------------------------------


def forbid(caller: Caller, connection: str, banno: SimulatorControl) -> None:
    """Have the provider say that it wants no refresh for an hour."""
    banno.fault(
        method="PUT", path="*/fetch", times=1, kind="status", status=429, retry_after=str(HOUR)
    )
    ended = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    assert ended["error"]["name"] == "RateLimited"


def test_until_its_provider_allows_it_a_connection_is_not_refreshed(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    connection = connect("ben")
    began = time.time()
    forbid(caller, connection, banno)
    asked = len(banno.ledger())
    shown = caller.ask("GET", f"/v1/connections/{connection}")["next_allowed_at"]
    answer = caller.send("POST", LIST, json={"connection_id": connection})
    by_hand = run_refresh(running, {"connection_id": connection})

    assert began + HOUR <= instant(shown) <= time.time() + HOUR
    assert (answer.status_code, answer.json()["type"]) == (429, "urn:freshet:problem:cooling-down")
    assert answer.json()["next_allowed_at"] == shown
    assert 0 < int(answer.headers["Retry-After"]) <= HOUR
    assert (by_hand["status"], by_hand["error"]) == ("FAILED", "CoolingDown")
    assert len(banno.ledger()) == asked
    (listed,) = caller.ask("GET", "/v1/connections")["connections"]
    assert listed["next_allowed_at"] == shown


def test_a_caller_who_knows_better_lifts_the_pause(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    connection = connect("ben")
    forbid(caller, connection, banno)
    pause = f"/v1/connections/{connection}/pause"
    for _ in range(2):
        assert caller.send("DELETE", pause).status_code == 204
    assert caller.ask("GET", f"/v1/connections/{connection}")["next_allowed_at"] is None
    assert (
        caller.wait_until_ended(caller.refresh(connection)["refresh_id"])["status"] == "published"
    )


def test_a_young_snapshot_is_given_all_the_same_and_a_publication_ends_it(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    connection = connect("ben")
    first = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    forbid(caller, connection, banno)
    fresh = caller.refresh(connection, max_age_seconds=HOUR)
    assert (fresh["outcome"], fresh["refresh_id"]) == ("fresh", first["refresh_id"])

    running.client("dynamodb").update_item(
        TableName=running.outputs["ConnectionsTableName"],
        Key={"connection_id": {"S": connection}},
        UpdateExpression="SET next_allowed_at = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    assert (
        caller.wait_until_ended(caller.refresh(connection)["refresh_id"])["status"] == "published"
    )
    assert caller.ask("GET", f"/v1/connections/{connection}")["next_allowed_at"] is None


def test_a_failure_is_counted_where_the_alarms_of_its_stage_look(
    caller: Caller, connect: Connect, banno: SimulatorControl, logs: Callable[[], str]
) -> None:
    forbid(caller, connect("ben"), banno)
    told = [json.loads(line) for line in logs().splitlines() if '"Faults"' in line]
    found = [(each["action"], each["_aws"]["CloudWatchMetrics"][0]["Namespace"]) for each in told]

    assert ("retry", "Freshet/local") in found


# --- the list ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("banno")
def test_refreshes_are_listed_newest_first_by_page_and_by_filter(
    caller: Caller, connect: Connect
) -> None:
    ben, cleo = connect("ben"), connect("cleo")
    ids = [
        caller.wait_until_ended(caller.refresh(one)["refresh_id"])["refresh_id"]
        for one in (ben, cleo, ben)
    ]
    everything = caller.ask("GET", LIST)

    assert [one["refresh_id"] for one in everything["refreshes"]] == ids[::-1]
    assert everything["next_cursor"] is None
    assert all("events" not in one for one in everything["refreshes"])
    assert listed(caller, limit=1) == ids[::-1]
    assert listed(caller, connection_id=ben, limit=1) == [ids[2], ids[0]]
    assert listed(caller, status="partial") == [ids[1]]
    assert listed(caller, connection_id=ben, status="partial") == []
    assert listed(caller, provider="banno", status="published", limit=1) == [ids[2], ids[0]]
    assert listed(caller, provider="digime") == []


def listed(caller: Caller, **query: Any) -> list[str]:
    ids: list[str] = []
    page: dict[str, Any] = {"next_cursor": None}
    while True:
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
        page = caller.ask("GET", LIST, params=query | cursor)
        ids += [one["refresh_id"] for one in page["refreshes"]]
        if page["next_cursor"] is None:
            return ids


@pytest.mark.usefixtures("banno")
def test_a_cursor_leads_on_only_in_the_list_that_it_is_of(caller: Caller, connect: Connect) -> None:
    connection = connect("ben")
    for _ in range(2):
        caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    cursor = caller.ask("GET", LIST, params={"limit": 1})["next_cursor"]
    filters, place = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    bent = [
        json.dumps([filters, [at, id_]]).encode()
        for at, id_ in (("yesterday", place[1]), (place[0], ""), (place[0], "x" * 81))
    ]

    assert caller.send("GET", LIST, params={"cursor": cursor}).status_code == 200
    for query in (
        {"cursor": cursor, "status": "failed"},
        {"cursor": cursor, "connection_id": connection},
        *({"cursor": base64.urlsafe_b64encode(each).decode()} for each in bent),
    ):
        assert caller.send("GET", LIST, params=query).status_code == 400
