"""Repairs: new credentials, half-done work, calls at the wrong moment."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import msgspec

from functions.aws.vault import Vault
from functions.core.model import Connection
from infra.local.providers import DEMOS
from tests.support.system.executions import describe_refresh

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl


def test_new_credentials_bring_a_connection_back(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    connection = connect("ben", refresh_token=None)
    banno.expire("ben")
    assert caller.wait_until_ended(caller.refresh(connection)["refresh_id"])["status"] == "failed"
    (listed,) = caller.ask("GET", "/v1/connections")["connections"]
    assert listed["reauth_required"]

    signed_in = DEMOS["banno"].connection(running.providers["banno"], "ben")
    answer = caller.send(
        "PUT", f"/v1/connections/{connection}/credentials", json=signed_in["credentials"]
    )

    assert answer.status_code == 204
    (listed,) = caller.ask("GET", "/v1/connections")["connections"]
    assert not listed["reauth_required"]
    assert (
        caller.wait_until_ended(caller.refresh(connection)["refresh_id"])["status"] == "published"
    )


def test_a_token_that_its_table_did_not_take_is_found_by_the_next_refresh(
    running: System, caller: Caller, connect: Connect
) -> None:
    """A rotation broke off: the table has the spent token and a lease, the bucket what is good."""
    connection = connect("ben", access_token="spent", refresh_token="spent")
    dynamodb, table = running.client("dynamodb"), running.outputs["ConnectionsTableName"]
    key = {"connection_id": {"S": connection}}
    item = dynamodb.get_item(TableName=table, Key=key)["Item"]
    given = DEMOS["banno"].connection(running.providers["banno"], "ben")["credentials"]
    good = {name: given[name] for name in ("access_token", "refresh_token")}
    vault = Vault(running.client("kms"), key=running.outputs["KeyArn"])
    stored = msgspec.json.decode(item["document"]["S"], type=Connection)
    sealed = vault.data_key(stored).seal(json.dumps(good).encode())
    place = {"Bucket": running.outputs["BucketName"], "Key": f"successors/{connection}/1.sealed"}
    running.client("s3").put_object(**place, Body=sealed)
    dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET lease_owner = :owner, lease_until = :until",
        ExpressionAttributeValues={":owner": {"S": "ref_gone"}, ":until": {"N": "9000000000"}},
    )

    ended = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    assert (ended["status"], ended.get("error")) == ("published", None)
    assert "lease_owner" not in dynamodb.get_item(TableName=table, Key=key)["Item"]
    versions = running.client("s3").list_object_versions(
        Bucket=place["Bucket"], Prefix=place["Key"]
    )
    assert not [each for each in versions.get("Versions", []) if each["IsLatest"]]


def test_a_refresh_of_other_datasets_is_not_joined(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=2)
    connection = connect("ben")
    running = caller.refresh(connection, datasets=["accounts"])
    body = {"connection_id": connection, "datasets": ["transactions"]}
    answer = caller.send("POST", "/v1/refreshes", json=body)

    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:freshet:problem:busy"
    assert caller.refresh(connection, datasets=["accounts"])["outcome"] == "joined"
    assert caller.wait_until_ended(running["refresh_id"])["status"] == "published"


def test_erasing_while_data_is_being_fetched_leaves_nothing_either(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(page_delay_seconds=0.5)
    connection = connect("ada")
    refresh_id = caller.refresh(connection)["refresh_id"]
    caller.until(
        lambda: {"asked": [e["path"] for e in banno.ledger() if "path" in e]},
        lambda it: any(path.endswith("/transactions") for path in it["asked"]),
        seconds=30,
    )
    assert caller.send("DELETE", f"/v1/connections/{connection}").status_code == 200
    caller.until(
        lambda: describe_refresh(running, refresh_id),
        lambda it: it["status"] != "RUNNING",
        seconds=60,
    )
    kept = running.client("s3").list_object_versions(Bucket=running.outputs["BucketName"])
    items = running.client("dynamodb").scan(TableName=running.outputs["RefreshesTableName"])

    assert connection not in str(kept)
    assert connection not in str(items)


def test_a_cursor_that_the_address_did_not_give_is_an_invalid_request(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=0.2)
    connection = connect("ada")
    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    datasets = f"/v1/connections/{connection}/datasets"
    path = f"{datasets}/transactions"
    cursor = caller.ask("GET", path, params={"limit": 1})["next_cursor"]
    own, place = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    beyond = json.dumps([own, [place[0], 0, 10**9]]).encode()
    far = base64.urlsafe_b64encode(beyond).decode()

    assert caller.send("GET", path, params={"cursor": cursor}).status_code == 200
    assert caller.send("GET", path, params={"cursor": far}).status_code == 400
    for other in (f"{path}/files", f"{datasets}/accounts"):
        assert caller.send("GET", other, params={"cursor": cursor}).status_code == 400


def test_a_parameter_that_comes_twice_is_an_invalid_request(caller: Caller) -> None:
    path, twice = "/v1/refreshes", [("status", "failed"), ("status", "published")]

    assert caller.send("GET", path, params=twice[:1]).status_code == 200
    answer = caller.send("GET", path, params=twice)
    assert (answer.status_code, "status" in answer.json()["detail"]) == (400, True)


def test_what_is_kept_beside_connections_is_no_connection(caller: Caller) -> None:
    body = {"connection_id": "durations#banno"}

    assert caller.send("POST", "/v1/refreshes", json=body).status_code == 404
