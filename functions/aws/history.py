"""Lists refreshes: an index names them in their order, and they are read by those names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from functions.aws.batch import read_batch
from functions.aws.refreshes import refresh_of
from functions.core.contract import Index
from functions.core.history import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.core.history import Line
    from functions.core.model import Refresh

_BY: Final = {Index.BY_TENANT: "tenant", Index.BY_CONNECTION: "connection_id"}


class RefreshHistory:
    """Refreshes, newest first. One that is a moment old may be missing still."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the refreshes' table."""
        self._dynamodb, self._table = dynamodb, table

    def of_tenant(self, tenant: str) -> Line:
        """All of a tenant's."""
        return partial(self._page, Index.BY_TENANT, tenant)

    def of_connection(self, connection_id: str) -> Line:
        """All of a connection's."""
        return partial(self._page, Index.BY_CONNECTION, connection_id)

    def _page(
        self, index: Index, owner: str, *, limit: int, after: Place | None
    ) -> tuple[list[Refresh], Place | None]:
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": index,
            "KeyConditionExpression": f"{_BY[index]} = :owner",
            "ExpressionAttributeValues": {":owner": {"S": owner}},
            "ScanIndexForward": False,
            "Limit": limit,
        }
        if after is not None:
            place = {"requested_at": after.requested_at, "refresh_id": after.refresh_id}
            place |= {_BY[index]: owner}
            query["ExclusiveStartKey"] = {name: {"S": value} for name, value in place.items()}
        answer = self._dynamodb.query(**query)
        last = answer.get("LastEvaluatedKey")
        found = self._read([item["refresh_id"]["S"] for item in answer["Items"]])
        return found, Place(last["requested_at"]["S"], last["refresh_id"]["S"]) if last else None

    def _read(self, ids: Sequence[str]) -> list[Refresh]:
        """Those that are still there, in this order."""
        keys = [{"refresh_id": {"S": id_}} for id_ in ids]
        items = read_batch(self._dynamodb, table=self._table, keys=keys)
        found = {item["refresh_id"]["S"]: refresh_of(item) for item in items}
        return [found[id_] for id_ in ids if id_ in found]
