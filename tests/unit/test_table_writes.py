"""Writes to the tables: what they meet, and what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from functions.aws.bulks import BulkTable
from functions.aws.claims import Claims
from functions.aws.connections import ConnectionTable
from functions.aws.pushes import PushTable
from functions.aws.refreshes import RefreshTable
from functions.aws.vault import Vault
from functions.core.bulk import BulkOutcome, Result
from tests.fake_bulks import a_bulk
from tests.fake_pushes import a_push
from tests.fakes import Clock
from tests.scripted import CONNECTION, REFRESH, a_connection, a_refresh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient

AWS = boto3.Session("test", "test", region_name="us-east-1")


@pytest.fixture
def client() -> DynamoDBClient:
    return AWS.client("dynamodb")


@pytest.fixture
def dynamodb(client: DynamoDBClient) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def connections(client: DynamoDBClient) -> ConnectionTable:
    vault = Vault(AWS.client("kms"), key="none")
    return ConnectionTable(
        client, table="connections", keys="refreshes", vault=vault, clock=Clock()
    )


def meets_a_transaction(dynamodb: Stubber) -> None:
    """A deletion is refused once, for a publication that is just going through."""
    dynamodb.add_client_error("delete_item", "TransactionConflictException")
    dynamodb.add_response("delete_item", {})


def test_a_refresh_is_erased_while_it_is_published(
    client: DynamoDBClient, dynamodb: Stubber
) -> None:
    meets_a_transaction(dynamodb)
    RefreshTable(client, table="refreshes", connections="connections").delete(REFRESH)


def test_a_connection_is_erased_while_its_refresh_is_published(
    connections: ConnectionTable, dynamodb: Stubber
) -> None:
    meets_a_transaction(dynamodb)
    connections.delete(CONNECTION)


def test_a_subject_is_left_while_another_connection_claims_it(
    client: DynamoDBClient, dynamodb: Stubber
) -> None:
    left = {"Attributes": {"tenant_of": {"S": "acme"}}}
    dynamodb.add_response("update_item", left)
    meets_a_transaction(dynamodb)
    Claims(client, table="connections").disclaim(a_connection())


def test_a_connection_and_its_claim_are_one_write(
    connections: ConnectionTable, dynamodb: Stubber
) -> None:
    dynamodb.add_response("transact_write_items", {})
    assert connections.create(a_connection(), None)


def test_a_connection_whose_claim_is_refused_is_not_written_either(
    connections: ConnectionTable, dynamodb: Stubber
) -> None:
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed"}]
    dynamodb.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": reasons},
    )
    assert not connections.create(a_connection(), None)


# --- for how long -------------------------------------------------------------------------------

AT = 1_800_000_000


@pytest.fixture
def written(client: DynamoDBClient) -> list[Any]:
    """The items that are put, one by one or in transactions."""
    items: list[Any] = []

    def note(params: Any, **_: object) -> None:
        writes = params.get("TransactItems", [{"Put": params}])
        items.extend(write["Put"]["Item"] for write in writes if "Put" in write)

    client.meta.events.register("provide-client-params.dynamodb", note)
    return items


def ends(item: Any) -> int:
    """How many days after ``AT`` it is forgotten."""
    return (int(item["expires_at"]["N"]) - AT) // (24 * 60 * 60)


def test_a_refresh_is_known_for_60_days(
    client: DynamoDBClient, dynamodb: Stubber, written: list[Any]
) -> None:
    refreshes = RefreshTable(client, table="refreshes", connections="connections")
    refresh = a_refresh(at=AT)
    dynamodb.add_response("transact_write_items", {})
    refreshes.admit(refresh, until=AT + 1)
    dynamodb.add_response("put_item", {})
    refreshes.save(refresh, seen=0)
    assert [ends(item) for item in written] == [60, 60]


def test_a_push_is_known_for_60_days(
    client: DynamoDBClient, dynamodb: Stubber, written: list[Any]
) -> None:
    dynamodb.add_response("put_item", {})
    PushTable(client, table="pushes").create(a_push(at=AT))
    assert [ends(item) for item in written] == [60]


def test_a_bulk_run_and_its_outcomes_are_known_for_30_days(
    client: DynamoDBClient, dynamodb: Stubber, written: list[Any]
) -> None:
    bulks, bulk = BulkTable(client, table="bulks", keys="refreshes"), a_bulk(at=AT, tenant=None)
    dynamodb.add_response("transact_write_items", {})
    bulks.create(bulk)
    dynamodb.add_response("transact_write_items", {})
    outcome = Result(connection_id=CONNECTION, outcome=BulkOutcome.PUBLISHED)
    bulks.record(bulk, [outcome])
    assert [ends(item) for item in written] == [30, 30]
