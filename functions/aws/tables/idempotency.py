"""Idempotency keys in DynamoDB: beside the refreshes, under names that no refresh can have."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.tables.dynamodb import Table, to_text
from functions.core.idempotency import KEY_SECONDS, Claim

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.tables.dynamodb import Item, Request
    from functions.core.idempotency import Key

PREFIX: Final = "key#"


class KeyTable:
    """Implements ``core.idempotency.Keys``. An item is forgotten by the table's time to live."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the refreshes' table."""
        self._table = Table(dynamodb, table)

    def get(self, name: str, *, at: float) -> Claim | None:
        """Read one with a consistent read; None where there is none, or its time is over."""
        item = self._table.get({"refresh_id": PREFIX + name})
        return _claim(item) if item and item["expires_at"] >= at else None

    def claim(self, name: str, claim: Claim, *, at: float) -> Claim:
        """Keep the claim where there is none, or one whose time is over; what is kept then."""
        done, item = self._table.write(claim_request(name, claim, table=self._table, at=at))
        return claim if done else _claim(item)


def claim_request(name: str, claim: Claim, *, table: Table, at: float) -> Request:
    """The write that keeps a claim where there is none, or one whose time is over."""
    return table.put_request(
        {
            "refresh_id": PREFIX + name,
            "claim": to_text(claim),
            "expires_at": ceil(at) + KEY_SECONDS,
        },
        condition="attribute_not_exists(refresh_id) OR expires_at < :now",
        values={"now": at},
    )


def answer_requests(key: Key | None, id_: str, *, table: Table, at: float) -> list[Request]:
    """The part of a transaction that notes a key, if there is one, as answered by this id."""
    if key is None:
        return []
    claim = Claim(digest=key.digest, resource_id=id_)
    return [claim_request(key.name, claim, table=table, at=at)]


def _claim(item: Item) -> Claim:
    return msgspec.json.decode(item["claim"], type=Claim)
