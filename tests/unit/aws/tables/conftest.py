"""DynamoDB as a stub, and a table of connections over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from functions.aws.objects.bucket import Bucket
from functions.aws.objects.successors import Successors
from functions.aws.tables.connections import ConnectionTable
from functions.aws.vault import Vault
from tests.support.fakes.stores import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_kms.client import KMSClient

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
def make_connections(client: DynamoDBClient) -> Callable[[KMSClient, Clock], ConnectionTable]:
    """Makes the table of connections over this KMS and clock, without a bucket."""

    def make(kms: KMSClient, clock: Clock) -> ConnectionTable:
        return ConnectionTable(
            client,
            table="connections",
            keys="refreshes",
            events="events",
            vault=Vault(kms, key="none"),
            clock=clock,
            sleep=clock.sleep,
            successors=Successors(lambda: Bucket(AWS.client("s3"), "none")),
        )

    return make


@pytest.fixture
def connections(
    make_connections: Callable[[KMSClient, Clock], ConnectionTable],
) -> ConnectionTable:
    return make_connections(AWS.client("kms"), Clock())
