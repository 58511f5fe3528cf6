"""Bulk runs in DynamoDB: a run, its counts and its outcomes are items under one key.

Which run has its tenant's place is an item of its own, see ``bulk_places``.

The run is the entry ``bulk``; an outcome is ``of#`` and the connection's id; a count is
``count#`` and some letter. There are several counts so that writers are not in each other's way:
the state machine takes the last letter of the connection's id, the door ``bulk`` its own.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from functions.aws.tables.bulk_places import holder, leaving, taking
from functions.aws.tables.dynamodb import read_batch, transacted
from functions.aws.tables.idempotency import answering
from functions.aws.tables.open_items import opened
from functions.core.bulk.model import GOOD, Bulk, BulkOutcome, BulkStatus, Result
from functions.core.contract import Index
from functions.core.errors import Superseded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from functions.aws.tables.dynamodb import Refusal
    from functions.core.idempotency import Key

    Item = Mapping[str, Any]

RUN: Final = "bulk"
OUTCOME: Final = "of#"
COUNT: Final = "count#"
OWN_COUNT: Final = f"{COUNT}-"

MOST: Final = 99
"""How many outcomes fit into a transaction beside their count."""


class BulkTable:
    """Implements ``core.bulk.ports.Bulks``."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str, keys: str) -> None:
        """Take the names of the runs' table and of the one that the idempotency keys are in."""
        self._dynamodb, self._table, self._keys = dynamodb, table, keys

    def get(self, bulk_id: str) -> Bulk | None:
        """Read a run with a consistent read."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=_key(bulk_id, RUN), ConsistentRead=True
        )
        return _bulk(answer["Item"]) if "Item" in answer else None

    def create(self, bulk: Bulk, *, key: Key | None = None) -> str:
        """Keep a new run, take its tenant's place and note the key, all in one transaction.

        Or say who has the place.
        """
        put = self._put(bulk, condition="attribute_not_exists(bulk_id)")
        noted = [self._answering(bulk, key)] if key else []
        refused = transacted(self._dynamodb, [put, *taking(bulk, table=self._table), *noted])
        if refused is None or _written(bulk, refused[0]):
            return bulk.bulk_id
        other = None if _unmet(refused[0]) else holder(refused)
        if other is None:
            raise Superseded
        return other

    def save(self, bulk: Bulk, *, seen: BulkStatus) -> None:
        """Write the run where its stored status is still ``seen``; ended, it leaves its place."""
        put = self._put(bulk, condition="phase = :seen", values={":seen": {"S": seen}})
        refused = transacted(self._dynamodb, [put, *leaving(bulk, table=self._table)])
        if refused is not None and not _unmet(refused[0]):
            # Its time was over, and the place is another's.
            refused = transacted(self._dynamodb, [put])
        if refused is not None and not _written(bulk, refused[0]):
            raise Superseded

    def counts(self, bulk_id: str) -> Counter[BulkOutcome]:
        """How many connections have each outcome so far."""
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="bulk_id = :bulk AND begins_with(entry, :count)",
            ExpressionAttributeValues={":bulk": {"S": bulk_id}, ":count": {"S": COUNT}},
            ConsistentRead=True,
        )
        counts: Counter[BulkOutcome] = Counter()
        for item in answer["Items"]:
            counts.update({one: int(item[one]["N"]) for one in BulkOutcome if one in item})
        return counts

    def recorded(self, bulk_id: str, ids: Sequence[str]) -> set[str]:
        """Which of these connections, 100 at most, have an outcome already."""
        keys = [_key(bulk_id, OUTCOME + id_) for id_ in ids]
        found = read_batch(self._dynamodb, table=self._table, keys=keys, consistent=True)
        return {_connection_id(item) for item in found}

    def record(self, bulk: Bulk, results: Iterable[Result]) -> None:
        """Write the outcomes of connections that have none, and count them."""
        rest = iter(results)
        while some := list(islice(rest, MOST)):
            self._record(bulk, some)

    def failures(
        self, bulk_id: str, *, limit: int, after: str | None
    ) -> tuple[list[Result], str | None]:
        """Outcomes that are not good, by connection, and the connection to go on after."""
        answer = self._dynamodb.query(
            TableName=self._table,
            IndexName=Index.BY_FAILURE,
            KeyConditionExpression="failed_in = :bulk AND entry > :after",
            ExpressionAttributeValues={
                ":bulk": {"S": bulk_id},
                ":after": {"S": OUTCOME + (after or "")},
            },
            Limit=limit,
        )
        found = [_result(item) for item in answer["Items"]]
        return found, found[-1].connection_id if answer.get("LastEvaluatedKey") else None

    # --- inside ----------------------------------------------------------------------------

    def _record(self, bulk: Bulk, results: list[Result]) -> None:
        while results:
            refused = transacted(self._dynamodb, list(self._writes(bulk, results)))
            if refused is None:
                return
            results = [
                result
                for result, reason in zip(results, refused, strict=False)
                if not _unmet(reason)
            ]

    def _writes(self, bulk: Bulk, results: list[Result]) -> Iterator[TransactWriteItemTypeDef]:
        for result in results:
            yield {
                "Put": {
                    "TableName": self._table,
                    "Item": _item(bulk, result),
                    "ConditionExpression": "attribute_not_exists(bulk_id)",
                }
            }
        counts = Counter(result.outcome for result in results)
        adds = ", ".join(f"#{outcome} :{outcome}" for outcome in counts)
        yield {
            "Update": {
                "TableName": self._table,
                "Key": _key(bulk.bulk_id, OWN_COUNT),
                "UpdateExpression": f"ADD {adds} SET expires_at = :expires_at",
                "ExpressionAttributeNames": {f"#{outcome}": outcome for outcome in counts},
                "ExpressionAttributeValues": {
                    ":expires_at": {"N": str(bulk.expires_at)},
                    **{f":{outcome}": {"N": str(count)} for outcome, count in counts.items()},
                },
            }
        }

    def _put(self, bulk: Bulk, *, condition: str, values: Item | None = None) -> Any:  # noqa: ANN401 - boto3's shape
        return {
            "Put": {
                "TableName": self._table,
                "Item": {
                    **_key(bulk.bulk_id, RUN),
                    "phase": {"S": bulk.status},
                    "document": {"S": msgspec.json.encode(bulk).decode()},
                    "expires_at": {"N": str(bulk.expires_at)},
                    **opened(bulk, at=bulk.began_at or bulk.requested_at),
                },
                "ConditionExpression": condition,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                **({"ExpressionAttributeValues": values} if values else {}),
            }
        }

    def _answering(self, bulk: Bulk, key: Key) -> Any:  # noqa: ANN401 - boto3's shape
        return answering(key, bulk.bulk_id, table=self._keys, at=bulk.requested_at)


def _unmet(refusal: Refusal) -> bool:
    return bool(refusal["Code"] == "ConditionalCheckFailed")


def _written(bulk: Bulk, refusal: Refusal) -> bool:
    """Whether a refused write finds what it would write: its answer was lost before."""
    return "Item" in refusal and _bulk(refusal["Item"]) == bulk


def _key(bulk_id: str, entry: str) -> dict[str, Any]:
    return {"bulk_id": {"S": bulk_id}, "entry": {"S": entry}}


def _item(bulk: Bulk, result: Result) -> dict[str, Any]:
    """An outcome as the state machine writes it, too, see ``infra.machines.refresh_all``."""
    failed = {} if result.outcome in GOOD else {"failed_in": {"S": bulk.bulk_id}}
    return {
        **_key(bulk.bulk_id, OUTCOME + result.connection_id),
        "outcome": {"S": result.outcome},
        "refresh_id": {"S": result.refresh_id},
        "error": {"S": result.error},
        "expires_at": {"N": str(bulk.expires_at)},
        **failed,
    }


def _result(item: Item) -> Result:
    return Result(
        connection_id=_connection_id(item),
        outcome=BulkOutcome(item["outcome"]["S"]),
        refresh_id=item["refresh_id"]["S"],
        error=item["error"]["S"],
    )


def _connection_id(item: Item) -> str:
    entry: str = item["entry"]["S"]
    return entry.removeprefix(OUTCOME)


def _bulk(item: Item) -> Bulk:
    return msgspec.json.decode(item["document"]["S"], type=Bulk)
