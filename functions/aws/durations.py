"""How long each provider's jobs have taken so far: one item per provider, in buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.polling import bucket

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


class DurationTable:
    """Kept in the connections' table, under a key that no connection can have."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the connections' table."""
        self._dynamodb, self._table = dynamodb, table

    def seen(self, provider: str) -> dict[int, float]:
        """How many jobs ended in each bucket of ``core.polling``."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_key(provider))
        item = answer.get("Item", {})
        return {int(name[1:]): float(v["N"]) for name, v in item.items() if name[0] == "b"}

    def add(self, provider: str, seconds: float) -> None:
        """Count one more; a count that is lost or doubled now and then does no harm."""
        self._dynamodb.update_item(
            TableName=self._table,
            Key=_key(provider),
            UpdateExpression=f"ADD b{bucket(seconds)} :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )


def _key(provider: str) -> dict[str, dict[str, str]]:
    return {"connection_id": {"S": f"durations#{provider}"}}
