"""Writes that meet another that is just going through."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    Refusal = dict[str, Any]

T = TypeVar("T")

TRIES: Final = 6
GAP_SECONDS: Final = 0.05


def settled(write: Callable[[], T], *, refusal: str = "TransactionConflictException") -> T:
    """Make a write, again where another of the same thing is just going through.

    DynamoDB refuses a single write that meets a transaction, Scheduler one that meets another;
    the SDK's own retries do not know these refusals.
    """
    for attempt in range(1, TRIES):
        try:
            return write()
        except ClientError as error:
            if error.response["Error"]["Code"] != refusal:
                raise
            time.sleep(GAP_SECONDS * attempt)
    return write()


def transacted(
    dynamodb: DynamoDBClient, items: Sequence[TransactWriteItemTypeDef]
) -> list[Refusal] | None:
    """Write all or nothing: None when done, else the reasons in the order of the items.

    Two transactions that meet are a conflict, not a refusal: tried again. The client gives
    each call a token of its own, so that its retries after a lost answer write once.
    """
    for attempt in range(1, TRIES + 1):
        try:
            dynamodb.transact_write_items(TransactItems=items)
        except ClientError as error:
            reasons = _reasons(error)
            if any(reason["Code"] == "ConditionalCheckFailed" for reason in reasons):
                return reasons
            if not reasons or attempt == TRIES:
                raise
            time.sleep(GAP_SECONDS * attempt)
        else:
            return None
    raise AssertionError("unreachable: the last attempt returns or raises")


def _reasons(error: ClientError) -> list[Refusal]:
    if error.response["Error"]["Code"] != "TransactionCanceledException":
        return []
    return [dict(reason) for reason in error.response.get("CancellationReasons", [])]
