"""Batches that are read in parts, and transactions that are tried again after a conflict."""

from __future__ import annotations

import time
from heapq import heapify, heappop, heappush
from itertools import repeat
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from functions.aws.faults import fault_of
from functions.aws.tables.bulk_runs import BulkTable
from functions.aws.tables.dynamodb import (
    FIRST_GAP_SECONDS,
    TRIES,
    CancellationReason,
    Table,
    meets_transaction,
    retry,
    short_gaps,
)
from functions.aws.tables.refreshes import RefreshTable
from functions.core.errors import PlatformFault
from tests.support.scripted_connector import TENANT, a_refresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from botocore.stub import Stubber
    from mypy_boto3_dynamodb.client import DynamoDBClient

TABLE = "table"
IDS = [{"id": each} for each in "abc"]
KEYS = [{"id": {"S": each}} for each in "abc"]


def at_once() -> Iterable[float]:
    return repeat(0, TRIES - 1)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, in place of making them."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


def answers(
    dynamodb: Stubber, asked: list[Any], *, items: list[Any], consistent: bool = False
) -> None:
    """Give these items of what is asked for, and leave the rest."""
    keys = [{name: item[name] for name in asked[0]} for item in items]
    left = [key for key in asked if key not in keys]
    dynamodb.add_response(
        "batch_get_item",
        {
            "Responses": {TABLE: items},
            "UnprocessedKeys": {TABLE: {"Keys": left}} if left else {},
        },
        {"RequestItems": {TABLE: {"Keys": asked, "ConsistentRead": consistent}}},
    )


def test_what_is_left_is_asked_for_again_until_all_is_there(
    client: DynamoDBClient, dynamodb: Stubber
) -> None:
    answers(dynamodb, KEYS, items=KEYS[1:2])
    answers(dynamodb, [KEYS[0], KEYS[2]], items=[])
    answers(dynamodb, [KEYS[0], KEYS[2]], items=[KEYS[0], KEYS[2]])
    found = Table(client, TABLE).get_many(IDS, gaps=at_once)
    assert sorted(each["id"] for each in found) == ["a", "b", "c"]


@pytest.mark.usefixtures("dynamodb")
def test_of_nothing_nothing_is_read(client: DynamoDBClient) -> None:
    assert Table(client, TABLE).get_many([]) == []


def test_a_table_that_gives_nothing_each_time_is_told(
    client: DynamoDBClient, dynamodb: Stubber
) -> None:
    for _ in range(TRIES):
        answers(dynamodb, KEYS, items=[])
    with pytest.raises(ClientError, match="in part") as raised:
        Table(client, TABLE).get_many(IDS, gaps=at_once)
    assert isinstance(fault_of(raised.value), PlatformFault)


def test_pauses_are_those_of_writes_that_meet(
    client: DynamoDBClient, dynamodb: Stubber, slept: list[float]
) -> None:
    for _ in range(TRIES):
        answers(dynamodb, KEYS, items=[])
    with pytest.raises(ClientError):
        Table(client, TABLE).get_many(IDS)
    longest = short_gaps(lambda _, most: most)
    assert all(0 <= gap <= most for gap, most in zip(slept, [0, *longest], strict=True))


def test_refreshes_are_listed_however_the_table_gives_them(
    client: DynamoDBClient, dynamodb: Stubber, slept: list[float]
) -> None:
    shelf = [a_refresh(f"ref_{n}", at=n) for n in range(3)]
    keys = [{"refresh_id": {"S": each.refresh_id}} for each in shelf]
    items = [
        key | {"document": {"S": msgspec.json.encode(each).decode()}}
        for key, each in zip(keys, shelf, strict=True)
    ]
    dynamodb.add_response("query", {"Items": keys})
    answers(dynamodb, keys, items=items[2:])
    answers(dynamodb, keys[:2], items=items[:2])
    listed = RefreshTable(
        client, table=TABLE, connections="connections", events="events"
    ).of_tenant(TENANT)
    assert listed(limit=3, after=None) == (shelf, None)
    assert len(slept) == 2


def test_who_has_an_outcome_is_found_however_the_table_gives_it(
    client: DynamoDBClient, dynamodb: Stubber, slept: list[float]
) -> None:
    keys = [{"bulk_id": {"S": "blk_1"}, "entry": {"S": f"of#con_{n}"}} for n in range(3)]
    answers(dynamodb, keys, items=keys[:1], consistent=True)
    answers(dynamodb, keys[1:], items=keys[1:], consistent=True)
    bulks = BulkTable(client, table=TABLE, keys="keys")
    assert bulks.find_recorded("blk_1", ["con_0", "con_1", "con_2"]) == {"con_0", "con_1", "con_2"}
    assert len(slept) == 2


CROWD = 50
TRANSACTION_SECONDS = 0.01
"""How long a transaction stands in the way of others, about."""

SEEDS = pytest.mark.parametrize("seed", range(20))


def lost(gaps: Callable[[], Iterator[float]]) -> int:
    """The number of a crowd's writers that give up, where only one can write at a time."""
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
    assert lost(lambda: short_gaps(random.uniform)) == 0


def test_without_chance_those_who_met_would_meet_each_time() -> None:
    assert lost(lambda: short_gaps(lambda _, most: most)) == CROWD - TRIES


def test_gaps_grow_and_a_door_can_wait_for_all_of_them() -> None:
    longest = list(short_gaps(lambda _, most: most))
    assert longest == [FIRST_GAP_SECONDS * 2**n for n in range(TRIES - 1)]
    assert sum(longest) < 7
    assert all(0 <= gap <= most for gap, most in zip(short_gaps(), longest, strict=True))


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
    assert retry(write, when=meets_transaction, gaps=at_once) == "done"
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
        retry(write, when=meets_transaction, gaps=at_once)
    assert write.calls == calls


# --- a transaction -----------------------------------------------------------------------------


def transact(client: DynamoDBClient) -> list[CancellationReason] | None:
    table = Table(client, "table")
    return table.transact([table.delete_request({})], gaps=at_once)


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
    assert transact(client) is None


def test_a_condition_that_is_not_met_is_the_answer(
    client: DynamoDBClient, dynamodb: Stubber
) -> None:
    cancelled(dynamodb, "TransactionConflict", "None")
    cancelled(dynamodb, "None", "ConditionalCheckFailed")
    refused = transact(client)
    assert refused == [
        CancellationReason(unmet=False, item={}),
        CancellationReason(unmet=True, item={}),
    ]


def test_a_conflict_that_stays_is_told(client: DynamoDBClient, dynamodb: Stubber) -> None:
    for _ in range(TRIES):
        cancelled(dynamodb, "TransactionConflict", "None")
    with pytest.raises(ClientError):
        transact(client)


def test_a_fault_without_reasons_is_told_at_once(client: DynamoDBClient, dynamodb: Stubber) -> None:
    dynamodb.add_client_error("transact_write_items", "ValidationException")
    with pytest.raises(ClientError):
        transact(client)
