"""Idempotency keys in DynamoDB: beside the refreshes, under names that no refresh can have."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from botocore.exceptions import ClientError

from functions.aws.tables.dynamodb import settled
from functions.core.idempotency import KEY_SECONDS, Claim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.core.idempotency import Key

PREFIX: Final = "key#"


class KeyTable:
    """Implements ``core.idempotency.Keys``. An item is forgotten by the table's time to live."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the refreshes' table."""
        self._dynamodb, self._table = dynamodb, table

    def get(self, name: str, *, at: float) -> Claim | None:
        """Read one with a consistent read; None where there is none, or its time is over."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={"refresh_id": {"S": PREFIX + name}}, ConsistentRead=True
        )
        item = answer.get("Item")
        return None if item is None or float(item["expires_at"]["N"]) < at else _claim_of(item)

    def claim(self, name: str, claim: Claim, *, at: float) -> Claim:
        """Keep the claim where there is none, or one whose time is over; what is kept then."""
        put = claiming(name, claim, table=self._table, at=at)
        try:
            settled(lambda: self._dynamodb.put_item(**put))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return _claim_of(cast("Any", error.response)["Item"])
        return claim


def claiming(name: str, claim: Claim, *, table: str, at: float) -> Any:  # noqa: ANN401 - boto3's shape
    """The write that keeps a claim where there is none, or one whose time is over."""
    return {
        "TableName": table,
        "Item": {
            "refresh_id": {"S": PREFIX + name},
            "claim": {"S": msgspec.json.encode(claim).decode()},
            "expires_at": {"N": str(ceil(at) + KEY_SECONDS)},
        },
        "ConditionExpression": "attribute_not_exists(refresh_id) OR expires_at < :now",
        "ExpressionAttributeValues": {":now": {"N": str(at)}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def answering(key: Key, id_: str, *, table: str, at: float) -> Any:  # noqa: ANN401 - boto3's shape
    """The part of a transaction that notes a key as answered by what has this id."""
    claim = Claim(digest=key.digest, resource_id=id_)
    return {"Put": claiming(key.name, claim, table=table, at=at)}


def _claim_of(item: Mapping[str, Any]) -> Claim:
    return msgspec.json.decode(item["claim"]["S"], type=Claim)
