"""Single writes that meet a transaction."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

TRIES: Final = 6
GAP_SECONDS: Final = 0.05


def settled(write: Callable[[], T]) -> T:
    """Make a write, again where a transaction on the same item is just going through.

    DynamoDB refuses a single write then, and the SDK's own retries do not know that refusal.
    """
    for attempt in range(1, TRIES):
        try:
            return write()
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionConflictException":
                raise
            time.sleep(GAP_SECONDS * attempt)
    return write()
