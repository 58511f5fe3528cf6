"""The adapters for bulk runs keep what the fakes keep: the same suites, over DynamoDB and S3."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from functions.aws.objects.bucket import Bucket
from functions.aws.objects.successors import Successors
from functions.aws.tables.bulk_runs import BulkLists, BulkTable
from functions.aws.tables.connections import ConnectionTable
from functions.aws.tables.idempotency import KeyTable
from functions.aws.vault import Vault
from functions.core.bulk.model import BulkOutcome
from functions.core.contract import Index
from infra.local.aws import emulator, session
from infra.local.programs import free_port
from tests.integration.stores.test_stores import make_bucket, make_events, make_table
from tests.support.fakes.bulk_runs import BULK, a_bulk
from tests.support.fakes.stores import Clock
from tests.support.scripted_connector import TENANT, TOKENS, a_connection
from tests.support.stores.bulks import (
    AT,
    BulkBehaviour,
    BulkStore,
    ListBehaviour,
    PlaceBehaviour,
    TenantBehaviour,
    published,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(free_port(), tmp_path_factory.mktemp("bulk-stores")) as found:
        yield found


def make_bulks(dynamodb: DynamoDBClient, name: str) -> None:
    """The table as the stack makes it."""
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "bulk_id", "KeyType": "HASH"},
            {"AttributeName": "entry", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": each, "AttributeType": "S"}
            for each in ("bulk_id", "entry", "failed_in")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": Index.BY_FAILURE,
                "KeySchema": [
                    {"AttributeName": "failed_in", "KeyType": "HASH"},
                    {"AttributeName": "entry", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


@pytest.fixture
def store(endpoint: str) -> BulkStore:
    aws, name = session(), f"bulks-{uuid.uuid4().hex[:12]}"
    dynamodb = aws.client("dynamodb", endpoint_url=endpoint)
    s3 = aws.client("s3", endpoint_url=endpoint)
    make_bulks(dynamodb, name)
    make_bucket(s3, name)
    refreshes = f"refreshes-{name}"
    make_table(
        dynamodb, refreshes, key="refresh_id", ranged="refresh_id", by={Index.BY_TENANT: "tenant"}
    )
    return BulkStore(
        bulks=BulkTable(dynamodb, table=name, keys=refreshes),
        lists=BulkLists(Bucket(s3, name)),
        keys=KeyTable(dynamodb, table=refreshes),
    )


class TestBulks(BulkBehaviour):
    """Over DynamoDB."""


class TestPlaces(PlaceBehaviour):
    """Over DynamoDB."""


class TestTenants(TenantBehaviour):
    """Over DynamoDB."""


class TestLists(ListBehaviour):
    """Over S3."""


def test_many_who_write_the_same_outcomes_at_once_count_each_once(store: BulkStore) -> None:
    results = [published(f"con_{number}") for number in range(30)]
    with ThreadPoolExecutor(8) as together:
        list(together.map(lambda _: store.bulks.record(a_bulk(at=AT), results), range(8)))

    assert store.bulks.counts(BULK) == {BulkOutcome.PUBLISHED: 30}


def test_of_many_runs_that_a_tenant_starts_at_once_one_is_kept(store: BulkStore) -> None:
    runs = [a_bulk(at=AT, bulk_id=f"blk_{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as together:
        holders = set(together.map(store.bulks.create, runs))

    kept = [run.bulk_id for run in runs if store.bulks.get(run.bulk_id)]
    assert holders == set(kept)
    assert len(kept) == 1


def test_connections_are_listed_by_tenant_or_all_but_those_that_are_being_erased(
    endpoint: str,
) -> None:
    aws, name = session(), f"connections-{uuid.uuid4().hex[:12]}"
    dynamodb = aws.client("dynamodb", endpoint_url=endpoint)
    kms = aws.client("kms", endpoint_url=endpoint)
    by = {Index.BY_TENANT: "tenant"}
    make_table(dynamodb, name, key="connection_id", ranged="connection_id", by=by)
    connections = ConnectionTable(
        dynamodb,
        table=name,
        keys="none",
        events=make_events(dynamodb),
        vault=Vault(kms, key=kms.create_key()["KeyMetadata"]["KeyId"]),
        clock=Clock(),
        sleep=Clock().sleep,
        successors=Successors(lambda: Bucket(aws.client("s3"), "none")),
    )
    for number in range(6):
        tenant = TENANT if number % 2 else "another"
        connections.create(a_connection(f"con_{number}", tenant=tenant), TOKENS)
    connections.begin_erasing("con_1")

    assert {one.connection_id for one in connections.of_tenant(TENANT)} == {"con_3", "con_5"}
    assert {one.connection_id for one in connections.of_tenant(None)} == {
        "con_0",
        "con_2",
        "con_3",
        "con_4",
        "con_5",
    }
