"""Everybody there is: connections, read in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.tables.connection_items import connection_of
from functions.core.contract import Index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.core.model import Connection


class ConnectionRoster:
    """Implements ``core.bulk.ports.Roster``: reads the index by tenant, a page at a time."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the connections' table."""
        self._dynamodb, self._table = dynamodb, table

    def of(self, tenant: str | None) -> Iterator[Connection]:
        """A tenant's connections, or all, one by one; not those that are being erased."""
        there: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": Index.BY_TENANT,
            "FilterExpression": "attribute_not_exists(erasing)",
        }
        pages = (
            self._dynamodb.get_paginator("scan").paginate(**there)
            if tenant is None
            else self._dynamodb.get_paginator("query").paginate(
                **there,
                KeyConditionExpression="tenant = :tenant",
                ExpressionAttributeValues={":tenant": {"S": tenant}},
            )
        )
        for page in pages:
            yield from map(connection_of, page["Items"])
