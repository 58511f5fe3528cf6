"""Data that is erased, and data that is never written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.conftest import Connect

JWT = re.compile(r"eyJ[\w-]{6}")
"""Where a token begins. Three letters alone come about by chance in what is sealed."""


@pytest.mark.usefixtures("banno")
def test_erasing_a_connection_leaves_nothing_of_it(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect("cleo")
    refresh = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])["refresh_id"]
    erased = caller.send("DELETE", f"/v1/connections/{connection}")

    assert erased.status_code == 200
    assert caller.send("GET", f"/v1/connections/{connection}").status_code == 404
    assert caller.send("GET", f"/v1/refreshes/{refresh}").status_code == 404
    kept = running.client("s3").list_object_versions(Bucket=running.outputs["BucketName"])
    assert connection not in str(kept)
    assert connection not in str(
        running.client("dynamodb").scan(TableName=running.outputs["ConnectionsTableName"])
    )


@pytest.mark.usefixtures("banno")
def test_no_secret_no_asker_and_no_record_reaches_a_log_a_state_or_a_key(
    running: System, caller: Caller, connect: Connect, logs: Callable[[], str]
) -> None:
    marked = "canary-token-7f3a"
    connection = connect("cleo", refresh_token=marked, expires_at="2020-01-01T00:00:00Z")
    failed = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])["refresh_id"]
    connection = connect("cleo")
    done = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])["refresh_id"]
    secret = running.providers["banno"]["client_secret"]
    names = [record["data"]["name"] for record in caller.records(connection, "accounts")]
    shown = caller.ask("GET", f"/v1/connections/{connection}/datasets")
    asker = caller.state(done)["requested_by"]
    amounts = [r["data"]["amount"] for r in caller.records(connection, "transactions")[:50]]
    states = running.client("stepfunctions")
    arn = running.outputs["RefreshMachineArn"].replace(":stateMachine:", ":execution:")
    seen = logs() + "".join(
        str(states.get_execution_history(executionArn=f"{arn}:{id_}")["events"])
        + str(states.describe_execution(executionArn=f"{arn}:{id_}"))
        for id_ in (failed, done)
    )
    keys = str(running.client("s3").list_object_versions(Bucket=running.outputs["BucketName"]))
    items, events = (
        str(running.client("dynamodb").scan(TableName=running.outputs[f"{name}TableName"]))
        for name in ("Connections", "Events")
    )

    assert done in seen
    assert done in events
    assert asker.startswith("asker-")
    assert {part["label"] for part in shown["parts"]} == {*names}
    for canary in (marked, secret, asker, *names, *(f'"{amount}"' for amount in amounts)):
        assert canary not in seen
        assert canary not in keys
        assert canary not in events
        assert canary not in items
    assert not [place for place in (seen, keys, events, items) if JWT.search(place)]
