"""A Banno refresh, from the HTTP call to the published data."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from functions.core.model import instant
from infra.local.providers import DEMOS
from infra.local.simulators.banno.institution import PEOPLE

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl

ADA, BEN, CLEO = "ada", "ben", "cleo"


def at_the_provider(running: System, user: str) -> dict[str, str]:
    """Each transaction's amount by id, read from the provider by other means than ours."""
    facts = running.providers["banno"]
    body = DEMOS["banno"].connection(facts, user)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {body['credentials']['access_token']}"
    base = f"{facts['api_base']}/users/{body['subject']}/accounts"
    amounts: dict[str, str] = {}
    for account in session.get(base, timeout=10).json()["accounts"]:
        answer = session.get(f"{base}/{account['id']}/transactions", timeout=10).json()
        for transaction in answer.get("transactions") or []:
            amounts[transaction["id"]] = transaction["amount"]
    return amounts


def visited(running: System, refresh_id: str) -> list[str]:
    """The states that an execution entered, in order."""
    arn = running.outputs["RefreshMachineArn"].replace(":stateMachine:", ":execution:")
    history = running.client("stepfunctions").get_execution_history(
        executionArn=f"{arn}:{refresh_id}", maxResults=1000
    )
    return [
        event["stateEnteredEventDetails"]["name"]
        for event in history["events"]
        if event["type"].endswith("StateEntered")
    ]


@pytest.mark.usefixtures("banno")
def test_publishes_every_transaction_of_twelve_accounts_as_the_provider_gave_it(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect(ADA)
    refresh = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])

    assert refresh["status"] == "published"
    assert refresh["records_read"] == {"accounts": 12, "transactions": 5000}

    lines = caller.records(connection, "transactions")
    records = [line for line in lines if not line.get("deleted")]

    assert len(records) == 5000
    assert {record["id"]: record["data"]["amount"] for record in records} == at_the_provider(
        running, ADA
    )


def test_makes_four_transitions_and_notices_the_end_long_before_the_next_planned_look(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=3)
    refresh = caller.wait_until_ended(caller.refresh(connect(BEN))["refresh_id"])

    assert visited(running, refresh["refresh_id"]) == [
        "Trigger",
        "CheckStatus",
        "What next?",
        "FetchData",
    ]
    (ended,) = (entry["at"] for entry in banno.ledger("task_ended"))
    (ready,) = (instant(e["at"]) for e in refresh["events"] if e["type"] == "ready")
    # Looked at by the plan alone, it would be noticed 4 s late; a busy machine gets half of it.
    assert 0 <= ready - ended < 2


@pytest.mark.usefixtures("banno")
def test_reports_accounts_that_failed_to_refresh_as_stale(caller: Caller, connect: Connect) -> None:
    connection = connect(CLEO)
    refresh = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    published = caller.ask("GET", f"/v1/connections/{connection}/datasets")
    again = caller.refresh(connection, max_age_seconds=3600)
    caller.wait_until_ended(again["refresh_id"])

    assert again["refresh_id"] != refresh["refresh_id"]
    assert refresh["status"] == "partial"
    assert refresh["coverage"] == {"fresh": 3, "stale": 2, "incomplete": 0, "gone": 0, "failed": 0}
    assert sorted(part["state"] for part in published["parts"]) == ["fresh"] * 3 + ["stale"] * 2
    assert published["as_of"] < refresh["requested_at"]


@pytest.mark.parametrize(
    "outcome", [pytest.param("failure", id="failed"), pytest.param("timeout", id="timed-out")]
)
def test_a_task_that_ended_without_success_publishes_nothing_as_fresh(
    caller: Caller, connect: Connect, banno: SimulatorControl, outcome: str
) -> None:
    banno.settings(outcome={BEN: outcome})
    refresh = caller.wait_until_ended(caller.refresh(connect(BEN))["refresh_id"])

    assert refresh["status"] == "partial"
    assert refresh["coverage"] == {"fresh": 0, "stale": 3, "incomplete": 0, "gone": 0, "failed": 0}


@pytest.mark.usefixtures("banno")
def test_a_user_without_transactions_has_an_empty_dataset(caller: Caller, connect: Connect) -> None:
    connection = connect(BEN)
    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])

    assert caller.records(connection, "transactions") == []
    assert len(caller.records(connection, "accounts")) == 3


def test_misses_and_doubles_nothing_while_the_provider_adds_transactions(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(moving=True)
    connection = connect(ADA)
    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    ids = [record["id"] for record in caller.records(connection, "transactions")]

    assert len(ids) == len(set(ids))
    assert len(ids) >= 5000


@pytest.mark.usefixtures("banno")
def test_files_are_reachable_by_presigned_addresses_and_hold_the_same_records(
    caller: Caller, connect: Connect
) -> None:
    connection = connect(CLEO)
    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    path = f"/v1/connections/{connection}/datasets/transactions/files"
    lines: list[Any] = []
    for file in caller.ask("GET", path)["files"]:
        packed = requests.get(file["url"], timeout=10).content
        assert hashlib.sha256(packed).hexdigest() == file["sha256"]
        lines += [json.loads(line) for line in gzip.decompress(packed).splitlines()]

    assert lines == caller.records(connection, "transactions")


@pytest.mark.usefixtures("banno")
def test_a_refresh_of_one_dataset_leaves_the_other_as_it_was(
    caller: Caller, connect: Connect
) -> None:
    connection = connect(CLEO)
    first = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    second = caller.wait_until_ended(
        caller.refresh(connection, datasets=["accounts"])["refresh_id"]
    )

    assert second["datasets"] == ["accounts"]
    assert second["records_read"] == {"accounts": 5}
    assert len(caller.records(connection, "transactions")) == first["records_read"]["transactions"]


@pytest.mark.usefixtures("banno")
def test_a_reader_who_is_paging_stays_in_the_snapshot_in_which_he_began(
    caller: Caller, connect: Connect
) -> None:
    connection = connect(CLEO)
    path = f"/v1/connections/{connection}/datasets/transactions"
    first = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    page = caller.ask("GET", path, params={"limit": 400})
    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    rest = caller.ask("GET", path, params={"limit": 400, "cursor": page["next_cursor"]})

    assert rest["refresh_id"] == first["refresh_id"]
    assert len(page["records"]) + len(rest["records"]) == first["records_read"]["transactions"]
    assert rest["next_cursor"] is None

    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    late = caller.send("GET", path, params={"limit": 400, "cursor": page["next_cursor"]})
    assert late.status_code == 410


@pytest.mark.usefixtures("banno")
def test_of_refreshes_that_read_everything_only_the_last_two_keep_what_they_read(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect(BEN)
    refreshes = [
        caller.wait_until_ended(caller.refresh(connection, full=True)["refresh_id"])["refresh_id"]
        for _ in range(3)
    ]
    found = running.client("s3").list_object_versions(
        Bucket=running.outputs["BucketName"], Prefix=f"snapshots/{connection}/"
    )
    kept = {version["Key"].split("/")[2] for version in found["Versions"]}

    changes = {folder for folder in kept if folder.endswith(".changes")}
    assert kept - changes == set(refreshes[1:])
    assert changes <= {f"{refresh_id}.changes" for refresh_id in refreshes[1:]}
    assert "DeleteMarkers" not in found


def test_the_demo_users_are_the_ones_that_this_room_counts_on() -> None:
    assert {ADA, BEN, CLEO} <= {person.name for person in PEOPLE}
