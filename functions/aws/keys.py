"""Idempotency keys in DynamoDB: beside the refreshes, under names that no refresh can have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from botocore.exceptions import ClientError

from functions.core.keys import KEY_SECONDS, Claim

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

PREFIX: Final = "key#"


class KeyTable:
    """Implements ``core.keys.Keys``. An item is forgotten by the table's time to live."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the refreshes' table."""
        self._dynamodb, self._table = dynamodb, table

    def claim(self, name: str, claim: Claim, *, at: float) -> Claim:
        """Keep the claim where there is none, or one whose time is over; what is kept then."""
        condition = "attribute_not_exists(refresh_id) OR expires_at < :now"
        return self._put(name, claim, at=at, condition=condition, now={":now": {"N": str(at)}})

    def settle(self, name: str, claim: Claim, *, at: float) -> Claim:
        """Note the claim's answer where none is noted; what is kept then."""
        return self._put(name, claim, at=at, condition="attribute_not_exists(answered)", now={})

    def _put(
        self, name: str, claim: Claim, *, at: float, condition: str, now: dict[str, dict[str, str]]
    ) -> Claim:
        answered = {"answered": {"BOOL": True}} if claim.answer else {}
        write = {
            "TableName": self._table,
            "Item": {
                "refresh_id": {"S": PREFIX + name},
                "claim": {"S": msgspec.json.encode(claim).decode()},
                "expires_at": {"N": str(int(at) + KEY_SECONDS)},
                **answered,
            },
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **({"ExpressionAttributeValues": now} if now else {}),
        }
        try:
            self._dynamodb.put_item(**cast("Any", write))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            kept: str = cast("Any", error.response)["Item"]["claim"]["S"]
            return msgspec.json.decode(kept, type=Claim)
        return claim
