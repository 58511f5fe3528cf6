"""Writes that meet another: when they come again, and when they give up."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import repeat
from random import Random
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from functions.aws.tables.dynamodb import FIRST_GAP_SECONDS, TRIES, jittered, settled, transacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

CROWD = 50
TRANSACTION_SECONDS = 0.01
"""How long a transaction stands in the way of others, about."""

SEEDS = pytest.mark.parametrize("seed", range(20))


def at_once() -> Iterable[float]:
    return repeat(0, TRIES - 1)


def lost(gaps: Callable[[], Iterator[float]]) -> int:
    """How many of a crowd that comes at one moment give up, where each takes its turn alone."""
    free, given_up = 0.0, 0
    waiting = [(0.0, who, gaps()) for who in range(CROWD)]
    heapify(waiting)
    while waiting:
        now, who, left = heappop(waiting)
        if now >= free:
            free = now + TRANSACTION_SECONDS
        elif (gap := next(left, None)) is None:
            given_up += 1
        else:
            heappush(waiting, (now + gap, who, left))
    return given_up


@SEEDS
def test_of_fifty_that_meet_everyone_has_its_turn(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - no secret
    assert lost(lambda: jittered(random.uniform)) == 0


def test_without_chance_those_who_met_would_meet_each_time() -> None:
    assert lost(lambda: jittered(lambda _, most: most)) == CROWD - TRIES


def test_gaps_grow_and_a_door_can_wait_for_all_of_them() -> None:
    longest = list(jittered(lambda _, most: most))
    assert longest == [FIRST_GAP_SECONDS * 2**n for n in range(TRIES - 1)]
    assert sum(longest) < 7
    assert all(0 <= gap <= most for gap, most in zip(jittered(), longest, strict=True))


# --- a single write ----------------------------------------------------------------------------


class Write:
    """Refused under this name, as often as it says; then done."""

    def __init__(self, refusals: int, code: str = "TransactionConflictException") -> None:
        self.refusals, self.calls = refusals, 0
        self._error = ClientError({"Error": {"Code": code, "Message": ""}}, "UpdateItem")

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.refusals:
            raise self._error
        return "done"


@pytest.mark.parametrize("refusals", [0, 1, TRIES - 1])
def test_a_write_that_meets_a_transaction_is_made_again(refusals: int) -> None:
    write = Write(refusals)
    assert settled(write, gaps=at_once) == "done"
    assert write.calls == refusals + 1


@pytest.mark.parametrize(
    ("write", "calls"),
    [
        pytest.param(Write(TRIES), TRIES, id="one-that-meets-another-each-time"),
        pytest.param(Write(1, "ValidationException"), 1, id="any-other-refusal"),
    ],
)
def test_a_refusal_that_stays_is_told(write: Write, calls: int) -> None:
    with pytest.raises(ClientError):
        settled(write, gaps=at_once)
    assert write.calls == calls


# --- a transaction -----------------------------------------------------------------------------

ITEMS: list[TransactWriteItemTypeDef] = [{"Delete": {"TableName": "table", "Key": {}}}]


@pytest.fixture
def client() -> DynamoDBClient:
    return boto3.client(
        "dynamodb",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def dynamodb(client: DynamoDBClient) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def cancelled(dynamodb: Stubber, *codes: str) -> None:
    dynamodb.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": [{"Code": code} for code in codes]},
    )


def test_a_transaction_that_meets_another_is_made_again(
    client: DynamoDBClient, dynamodb: Stubber
) -> None:
    cancelled(dynamodb, "None", "TransactionConflict")
    dynamodb.add_response("transact_write_items", {})
    assert transacted(client, ITEMS, gaps=at_once) is None


def test_a_condition_that_is_not_met_is_the_answer(
    client: DynamoDBClient, dynamodb: Stubber
) -> None:
    cancelled(dynamodb, "TransactionConflict", "None")
    cancelled(dynamodb, "None", "ConditionalCheckFailed")
    refused = transacted(client, ITEMS, gaps=at_once)
    assert refused == [{"Code": "None"}, {"Code": "ConditionalCheckFailed"}]


def test_a_conflict_that_stays_is_told(client: DynamoDBClient, dynamodb: Stubber) -> None:
    for _ in range(TRIES):
        cancelled(dynamodb, "TransactionConflict", "None")
    with pytest.raises(ClientError):
        transacted(client, ITEMS, gaps=at_once)


def test_a_fault_without_reasons_is_told_at_once(client: DynamoDBClient, dynamodb: Stubber) -> None:
    dynamodb.add_client_error("transact_write_items", "ValidationException")
    with pytest.raises(ClientError):
        transacted(client, ITEMS, gaps=at_once)
