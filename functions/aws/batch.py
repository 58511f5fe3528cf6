"""Reads many items in one go, however much of it the table gives at a time."""

from __future__ import annotations

import time
from itertools import chain
from typing import TYPE_CHECKING, Any

from functions.aws.conflicts import jittered
from functions.aws.faults import left_undone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.conflicts import Gaps


def read_batch(
    dynamodb: DynamoDBClient,
    *,
    table: str,
    keys: Sequence[Any],
    consistent: bool = False,
    gaps: Gaps = jittered,
) -> list[Any]:
    """The items of these keys, 100 at most, that are there, in no order.

    A table that is asked for much gives a part and leaves the rest unprocessed: DynamoDB's guide
    wants that asked for again after a pause that grows.

    Raises:
        ClientError: there was a rest each time.
    """
    found: list[Any] = []
    left: Any = list(keys)
    for gap in chain((0.0,), gaps()):
        if not left:
            break
        time.sleep(gap)
        asked: Any = {table: {"Keys": left, "ConsistentRead": consistent}}
        answer: Any = dynamodb.batch_get_item(RequestItems=asked)
        found += answer["Responses"].get(table, [])
        left = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
    if left:
        raise left_undone("BatchGetItem", ["ThrottlingException"])
    return found
