"""Which items of a table are open, for whatever looks after them: an index that lists no others.

Whatever writes an item that is not ended says in it when it is to be looked at, see
``core.reconcile``. An item that an earlier version has written says nothing and is not listed;
its time runs out.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from functions.aws.tables.dynamodb import settled
from functions.core.contract import Index
from functions.core.model import iso
from functions.core.reconcile import next_look

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.core.reconcile import Open

OPEN: Final = "open_as"
LOOK_AT: Final = "look_at"
SHARDS: Final = tuple(f"open#{digit}" for digit in range(10))
"""The partitions of the index. Each takes 1,000 write units a second, and a refresh has four, as it
is admitted, begins and ends: one partition for all would bound the whole stage."""


class Due(NamedTuple):
    """An item that is to be looked at: its key, and since when, as it stands there."""

    key: dict[str, Any]
    look_at: str


class OpenItems:
    """The open items of one table. Two that go through it at once share them."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the table's name."""
        self._dynamodb, self._table = dynamodb, table

    def due(self, *, at: float, most: int) -> list[Due]:
        """Those that are to be looked at by now, the longest overdue first."""
        found = [due for shard in SHARDS for due in self._due_in(shard, at=at, most=most)]
        return sorted(found, key=attrgetter("look_at"))[:most]

    def _due_in(self, shard: str, *, at: float, most: int) -> list[Due]:
        answer = self._dynamodb.query(
            TableName=self._table,
            IndexName=Index.OPEN,
            KeyConditionExpression=f"{OPEN} = :shard AND {LOOK_AT} <= :now",
            ExpressionAttributeValues={":shard": {"S": shard}, ":now": {"S": iso(at)}},
            Limit=most,
        )
        return [_to_due(item) for item in answer["Items"]]

    def claim(self, due: Due, *, until: float) -> bool:
        """Put off the next look; not where another has, or where the item was written since."""
        try:
            settled(
                lambda: self._dynamodb.update_item(
                    TableName=self._table,
                    Key=due.key,
                    UpdateExpression=f"SET {LOOK_AT} = :until",
                    ConditionExpression=f"{LOOK_AT} = :seen",
                    ExpressionAttributeValues={
                        ":seen": {"S": due.look_at},
                        ":until": {"S": iso(until)},
                    },
                )
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True


def opened(thing: Open, *, at: float) -> dict[str, Any]:
    """What an item has in it while it is open."""
    look_at = next_look(thing, at=at)
    if look_at is None:
        return {}
    shard = SHARDS[int(look_at * 1000) % len(SHARDS)]
    return {OPEN: {"S": shard}, LOOK_AT: {"S": iso(look_at)}}


def _to_due(item: Any) -> Due:  # noqa: ANN401 - boto3's shape
    key = {name: value for name, value in item.items() if name not in {OPEN, LOOK_AT}}
    return Due(key=key, look_at=item[LOOK_AT]["S"])
