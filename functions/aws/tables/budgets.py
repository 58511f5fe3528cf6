"""Buckets of tokens: one item for each provider's budget, and for each tenant's calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from functions.core.budget import Level
from functions.core.polling import bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.client import DynamoDBClient

    Item = Mapping[str, Any]


class BudgetItem:
    """Implements ``core.budget.Bucket`` in the connections' table, under a key of its own.

    A request costs one write under load, and no two of those are in each other's way; where the
    bucket was full, it costs two.
    """

    def __init__(self, dynamodb: DynamoDBClient, *, table: str, name: str) -> None:
        """Take the connections' table and the bucket's name."""
        self._dynamodb, self._table = dynamodb, table
        self._key = {"connection_id": {"S": f"budget#{name}"}}

    def draw(self, *, gap: int, since: int, until: int) -> Level:
        """Move on within bounds; see ``core.budget.Bucket``."""
        drawn, item = self._updated(
            "SET full_at = full_at + :gap",
            condition="full_at BETWEEN :since AND :until",
            gap=gap,
            since=since,
            until=until,
        )
        return Level(full_at=_number(item, "full_at"), drawn=drawn)

    def renew(self, *, full_at: int, before: int) -> bool:
        """Begin anew what has long been full; see ``core.budget.Bucket``."""
        done, _ = self._updated(
            "SET full_at = :full_at",
            condition="attribute_not_exists(full_at) OR full_at < :before",
            full_at=full_at,
            before=before,
        )
        return done

    def close(self, *, until: int, full_at: int) -> None:
        """Stop everybody; see ``core.budget.Bucket``."""
        done, _ = self._updated(
            "SET full_at = :full_at, closed_until = :until",
            condition="attribute_not_exists(full_at) OR full_at < :full_at",
            full_at=full_at,
            until=until,
        )
        if not done:
            self._updated(
                "SET closed_until = :until",
                condition="attribute_not_exists(closed_until) OR closed_until < :until",
                until=until,
            )

    def closed_until(self) -> int:
        """Until when nobody may ask; see ``core.budget.Bucket``."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=self._key)
        return _number(answer.get("Item", {}), "closed_until")

    def _updated(self, update: str, *, condition: str, **values: int) -> tuple[bool, Item]:
        """Whether the condition was met, and the item as it is then."""
        write = {
            "TableName": self._table,
            "Key": self._key,
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {f":{k}": {"N": str(v)} for k, v in values.items()},
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            return True, self._dynamodb.update_item(**cast("Any", write))["Attributes"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False, cast("Any", error.response).get("Item", {})


def _number(item: Item, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0


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
