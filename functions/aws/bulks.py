"""Bulk runs in DynamoDB: a run, its counts and its outcomes are items under one key.

The run is the entry ``bulk``; an outcome is ``of#`` and the connection's id; a count is
``count#`` and some letter. There are several counts so that writers are not in each other's way:
the state machine takes the last letter of the connection's id, the door ``bulk`` its own.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from botocore.exceptions import ClientError

from functions.aws.conflicts import transacted
from functions.core.bulk import GOOD, Bulk, BulkOutcome, BulkStatus, Result
from functions.core.contract import Index
from functions.core.errors import Defect, Superseded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    Item = Mapping[str, Any]

RUN: Final = "bulk"
OUTCOME: Final = "of#"
COUNT: Final = "count#"
OWN_COUNT: Final = f"{COUNT}-"

MOST: Final = 99
"""How many outcomes fit into a transaction beside their count."""


class BulkTable:
    """Implements ``core.bulk_ports.Bulks``."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the table's name."""
        self._dynamodb, self._table = dynamodb, table

    def get(self, bulk_id: str) -> Bulk | None:
        """Read a run with a consistent read."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=_key(bulk_id, RUN), ConsistentRead=True
        )
        return _bulk(answer["Item"]) if "Item" in answer else None

    def create(self, bulk: Bulk) -> bool:
        """Keep a new run; whether its id was free."""
        return self._put(bulk, condition="attribute_not_exists(bulk_id)", values={})

    def save(self, bulk: Bulk, *, seen: BulkStatus) -> None:
        """Write the run where its stored status is still ``seen``."""
        values = {":seen": {"S": seen}}
        if not self._put(bulk, condition="phase = :seen", values=values):
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
        """Which of these connections, 100 at most, have an outcome already.

        Raises:
            Defect: the table gave a part of the answer only.
        """
        keys: Any = [_key(bulk_id, OUTCOME + id_) for id_ in ids]
        answer = self._dynamodb.batch_get_item(
            RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
        )
        if answer.get("UnprocessedKeys"):
            raise Defect("Not everything could be read. Repeat the call.")
        return {_connection_id(item) for item in answer["Responses"].get(self._table, [])}

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
                if reason["Code"] != "ConditionalCheckFailed"
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

    def _put(self, bulk: Bulk, *, condition: str, values: Item) -> bool:
        """Whether it is written. A repetition, after a lost answer, finds what it wrote."""
        write = {
            "TableName": self._table,
            "Item": {
                **_key(bulk.bulk_id, RUN),
                "phase": {"S": bulk.status},
                "document": {"S": msgspec.json.encode(bulk).decode()},
                "expires_at": {"N": str(bulk.expires_at)},
            },
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **({"ExpressionAttributeValues": values} if values else {}),
        }
        try:
            self._dynamodb.put_item(**cast("Any", write))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            stored: Item | None = cast("Any", error.response).get("Item")
            return stored is not None and _bulk(stored) == bulk
        return True


def _key(bulk_id: str, entry: str) -> dict[str, Any]:
    return {"bulk_id": {"S": bulk_id}, "entry": {"S": entry}}


def _item(bulk: Bulk, result: Result) -> dict[str, Any]:
    """An outcome as the state machine writes it, too, see ``infra.refresh_all``."""
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
