"""Reads many items in one go, however much of it the table gives at a time."""

from __future__ import annotations

import time
from itertools import chain, islice
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

from functions.aws.faults import UNREACHED, code_of, fault_of, left_undone
from functions.core.errors import PlatformFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    Refusal = dict[str, Any]
    Gaps = Callable[[], Iterable[float]]

T = TypeVar("T")

TRIES: Final = 8
"""All the gaps together take six seconds at the most, and half of that where all are needed."""

FIRST_GAP_SECONDS: Final = 0.05
LONGEST_GAP_SECONDS: Final = 2
INSISTS: Final = 15

_UNIFORM: Final = SystemRandom().uniform


def jittered(draw: Callable[[float, float], float] = _UNIFORM) -> Iterator[float]:
    """Seconds to stay away after each refusal but the last, which stands.

    Each is anything up to a bound that doubles: many that meet do not meet again.
    """
    return (draw(0, FIRST_GAP_SECONDS * 2**tried) for tried in range(TRIES - 1))


def lasting(draw: Callable[[float, float], float] = _UNIFORM) -> Iterator[float]:
    """Seconds between tries without end, drawn as in ``jittered``, of two at the most."""
    bound = FIRST_GAP_SECONDS
    while True:
        yield draw(0, bound)
        bound = min(2 * bound, LONGEST_GAP_SECONDS)


def insisting() -> Iterator[float]:
    """Seconds between the tries of a write that alone tells what was done, for half a minute."""
    return islice(lasting(), INSISTS)


def insisted(write: Callable[[], T], *, gaps: Gaps) -> T:
    """Make a write, again where AWS does not let it through."""
    return _tried(write, met=lambda error: isinstance(fault_of(error), PlatformFault), gaps=gaps)


def settled(
    write: Callable[[], T],
    *,
    refusal: str = "TransactionConflictException",
    gaps: Gaps = jittered,
) -> T:
    """Make a write, again where another of the same thing is just going through.

    DynamoDB refuses a single write that meets a transaction, Scheduler one that meets another;
    the SDK's own retries do not know these refusals.
    """
    return _tried(write, met=lambda error: code_of(error) == refusal, gaps=gaps)


def transacted(
    dynamodb: DynamoDBClient, items: Sequence[TransactWriteItemTypeDef], *, gaps: Gaps = jittered
) -> list[Refusal] | None:
    """Write all or nothing: None when done, else the reasons in the order of the items.

    Two transactions that meet are a conflict, not a refusal: tried again. The client gives
    each call a token of its own, so that its retries after a lost answer write once.
    """
    try:
        _tried(lambda: dynamodb.transact_write_items(TransactItems=items), met=_met, gaps=gaps)
    except ClientError as error:
        reasons = _reasons(error)
        if not _refused(reasons):
            raise
        return reasons
    return None


def _tried(write: Callable[[], T], *, met: Callable[[Exception], bool], gaps: Gaps) -> T:
    for gap in gaps():
        try:
            return write()
        except (ClientError, *UNREACHED) as error:
            if not met(error):
                raise
        time.sleep(gap)
    return write()


def _met(error: Exception) -> bool:
    reasons = _reasons(error)
    return bool(reasons) and not _refused(reasons)


def _refused(reasons: list[Refusal]) -> bool:
    return any(reason["Code"] == "ConditionalCheckFailed" for reason in reasons)


def _reasons(error: Exception) -> list[Refusal]:
    if not isinstance(error, ClientError) or code_of(error) != "TransactionCanceledException":
        return []
    return [dict(reason) for reason in error.response.get("CancellationReasons", [])]


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
