"""The adapters for endpoints and deliveries keep what the fakes keep: over DynamoDB."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from functions.aws.events.deliveries import DeliveryTable
from functions.aws.events.endpoints import EndpointTable
from functions.aws.events.events import EventTable
from functions.aws.tables.dynamodb import Table
from functions.aws.tables.idempotency import KeyTable
from functions.aws.tables.open_items import OpenItems
from functions.core.contract import LOOK_AT, OPEN_AS, Index
from functions.core.errors import Superseded
from infra.local.aws import emulator, session
from infra.local.programs import free_port
from tests.integration.stores.test_stores import make_table
from tests.support.fakes.delivery.endpoints import ENDPOINT, a_delivery
from tests.support.stores.delivery.endpoints import (
    AT,
    DeliveryBehaviour,
    EndpointBehaviour,
    EndpointStore,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient

CROWD = 12


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(free_port(), tmp_path_factory.mktemp("endpoint-stores")) as found:
        yield found


def make_endpoints(dynamodb: DynamoDBClient, name: str) -> None:
    """The table as the stack makes it."""
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "endpoint_id", "KeyType": "HASH"},
            {"AttributeName": "entry", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": each, "AttributeType": "S"}
            for each in ("endpoint_id", "entry", "due_at", OPEN_AS, LOOK_AT)
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": Index.BY_DUE,
                "KeySchema": [
                    {"AttributeName": "endpoint_id", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["document"]},
            }
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": key, "KeyType": "HASH"},
                    {"AttributeName": ranged, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index, key, ranged in ((Index.OPEN, OPEN_AS, LOOK_AT),)
        ],
    )


@pytest.fixture
def dynamodb(endpoint: str) -> DynamoDBClient:
    return session().client("dynamodb", endpoint_url=endpoint)


@pytest.fixture
def name(dynamodb: DynamoDBClient) -> str:
    """A fresh table of endpoints."""
    made = f"endpoints-{uuid.uuid4().hex[:12]}"
    make_endpoints(dynamodb, made)
    return made


@pytest.fixture
def store(dynamodb: DynamoDBClient, name: str) -> EndpointStore:
    keys, events = f"refreshes-{name}", f"events-{name}"
    by_tenant = {Index.BY_TENANT: "tenant"}
    make_table(dynamodb, keys, key="refresh_id", ranged="refresh_id", by=by_tenant)
    make_table(dynamodb, events, key="event_id", ranged="event_id", by=by_tenant)

    def looked_at(id_: str) -> str | None:
        item = Table(dynamodb, name).get({"endpoint_id": id_, "entry": "endpoint"})
        return item.get(LOOK_AT) if item else None

    return EndpointStore(
        endpoints=EndpointTable(dynamodb, table=name, keys=keys, events=events),
        deliveries=DeliveryTable(dynamodb, table=name),
        keys=KeyTable(dynamodb, table=keys),
        event=EventTable(dynamodb, table=events).get,
        looked_at=looked_at,
    )


class TestEndpoints(EndpointBehaviour):
    """Over DynamoDB."""


class TestDeliveries(DeliveryBehaviour):
    """Over DynamoDB."""


def test_an_endpoint_is_open_from_its_waking_to_its_rest(
    store: EndpointStore, dynamodb: DynamoDBClient, name: str
) -> None:
    items = OpenItems(dynamodb, table=name)
    store.created()
    store.deliveries.offer(a_delivery(at=AT))
    assert items.due(at=AT + 1, most=10) == []
    store.endpoints.wake(ENDPOINT, at=AT)
    (due,) = items.due(at=AT + 1, most=10)
    assert due.key == {"endpoint_id": ENDPOINT, "entry": "endpoint"}
    store.endpoints.rest(store.read(), look_at=None)
    assert items.due(at=AT + 1, most=10) == []


def test_of_many_who_claim_a_delivery_at_once_one_has_it(store: EndpointStore) -> None:
    store.deliveries.offer(a_delivery(at=AT))

    def claim(number: int) -> bool:
        claimed = a_delivery(at=AT, attempts=1, due_at=AT + 120 + number, version=2)
        try:
            store.deliveries.save(claimed)
        except Superseded:
            return False
        return True

    with ThreadPoolExecutor(CROWD) as together:
        assert sum(together.map(claim, range(CROWD))) == 1
