"""Which items of a table are open, for the reconciler: an index that lists no others.

An item that has not ended says when it is to be looked at, see ``core.reconcile``. One that an
earlier version has written says nothing and is not listed; its time runs out.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from functions.aws.tables.dynamodb import Table
from functions.core.contract import LOOK_AT, OPEN_AS, Index
from functions.core.model import iso

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.tables.dynamodb import Item

SHARDS: Final = tuple(f"open#{digit}" for digit in range(10))
"""The partitions of the index. Each takes 1,000 write units a second, and a refresh has four, as it
is admitted, begins and ends: one partition for all would bound the whole stage."""

LIST: Final = f"{OPEN_AS} = :{OPEN_AS}, {LOOK_AT} = :{LOOK_AT}"
"""Of an update: sets the ``open_attributes``, which its values have."""

UNLIST: Final = f"REMOVE {OPEN_AS}, {LOOK_AT}"
"""An update: the item is to be looked at no more."""


class Due(NamedTuple):
    """An item that is to be looked at: its key, and since when, as it stands there."""

    key: Item
    look_at: str


class OpenItems:
    """The open items of one table. Two calls that go through it at once share them."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the table's name."""
        self._table = Table(dynamodb, table)

    def due(self, *, at: float, most: int) -> list[Due]:
        """Those that are to be looked at by now, the longest overdue first."""
        found = [due for shard in SHARDS for due in self._due_in(shard, at=at, most=most)]
        return sorted(found, key=attrgetter("look_at"))[:most]

    def _due_in(self, shard: str, *, at: float, most: int) -> list[Due]:
        items, _ = self._table.query(
            f"{OPEN_AS} = :shard AND {LOOK_AT} <= :now",
            {"shard": shard, "now": iso(at)},
            index=Index.OPEN,
            limit=most,
        )
        return [_to_due(item) for item in items]

    def postpone(self, due: Due, *, until: float) -> bool:
        """Put off the next look; return False if another call has, or it was written since."""
        return self._table.write(
            self._table.update_request(
                due.key,
                f"SET {LOOK_AT} = :until",
                condition=f"{LOOK_AT} = :seen",
                values={"seen": due.look_at, "until": iso(until)},
            )
        ).done


def open_attributes(look_at: float | None) -> Item:
    """The attributes of an item that is to be looked at then; none of one that has ended."""
    if look_at is None:
        return {}
    shard = SHARDS[int(look_at * 1000) % len(SHARDS)]
    return {OPEN_AS: shard, LOOK_AT: iso(look_at)}


def _to_due(item: Item) -> Due:
    key = {name: value for name, value in item.items() if name not in {OPEN_AS, LOOK_AT}}
    return Due(key=key, look_at=item[LOOK_AT])
