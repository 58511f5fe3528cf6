"""Counts what requests to DynamoDB cost, in the units that AWS bills, by the sizes of the items.

A write costs a unit for each KB of the item, before it or after it, whichever is larger; twice that
in a transaction, and also where its condition is not met. An index whose entry comes or goes costs
a unit, and two where its key changes. A read costs a unit for each 4 KB, half of that if it is not
consistent. From AWS's guide, "DynamoDB read and write capacity"; no index here has more than keys.
"""

from __future__ import annotations

from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient

WRITE_BYTES: Final = 1024
READ_BYTES: Final = 4096

_WRITES: Final = {"put_item": "Put", "update_item": "Update", "delete_item": "Delete"}


class Meter:
    """A client of DynamoDB that counts: ``written`` and ``read`` are units so far."""

    def __init__(self, dynamodb: DynamoDBClient) -> None:
        """Take the client that does it."""
        self._dynamodb: Any = dynamodb
        self._tables: dict[str, Any] = {}
        self.written = self.read = 0.0

    def __getattr__(self, name: str) -> Any:
        """A call of the client, counted; one that is not known here is an error."""
        return getattr(self, f"_{name}") if name in _READS else self._writer(name)

    def _writer(self, name: str) -> Any:
        if name == "transact_write_items":
            return self._transact
        verb = _WRITES[name]

        def write(**request: Any) -> Any:
            with self._counting([(verb, request)], times=1):
                return getattr(self._dynamodb, name)(**request)

        return write

    def _transact(self, **request: Any) -> Any:
        writes = [next(iter(each.items())) for each in request["TransactItems"]]
        with self._counting(writes, times=2):
            return self._dynamodb.transact_write_items(**request)

    @contextmanager
    def _counting(self, writes: Sequence[tuple[str, Any]], *, times: int) -> Iterator[None]:
        places = [(one["TableName"], self._key(verb, one)) for verb, one in writes]
        before = [self._item(*place) for place in places]
        try:
            yield
        except ClientError:
            self.written += sum(times * _units(size_of(item), WRITE_BYTES) for item in before)
            raise
        for (table, key), was in zip(places, before, strict=True):
            now = self._item(table, key)
            self.written += times * _units(max(size_of(was), size_of(now)), WRITE_BYTES)
            self.written += sum(
                _entry_units(keys, was, now) for keys in self._describe(table)["indexes"]
            )

    def _get_item(self, **request: Any) -> Any:
        answer = self._dynamodb.get_item(**request)
        self._count_read(size_of(answer.get("Item", {})), request)
        return answer

    def _query(self, **request: Any) -> Any:
        answer = self._dynamodb.query(**request)
        self._count_read(sum(map(size_of, answer["Items"])), request)
        return answer

    def _batch_get_item(self, **request: Any) -> Any:
        answer = self._dynamodb.batch_get_item(**request)
        for table, items in answer["Responses"].items():
            for item in items:
                self._count_read(size_of(item), request["RequestItems"][table])
        return answer

    def _count_read(self, size: int, request: Mapping[str, Any]) -> None:
        self.read += _units(size, READ_BYTES) * (1 if request.get("ConsistentRead") else 0.5)

    def _item(self, table: str, key: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
        found: dict[str, Any] = answer.get("Item", {})
        return found

    def _key(self, verb: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if verb != "Put":
            return dict(request["Key"])
        return {name: request["Item"][name] for name in self._describe(request["TableName"])["key"]}

    def _describe(self, table: str) -> dict[str, Any]:
        """The attributes of its key, and of those of its indexes."""
        if table not in self._tables:
            told = self._dynamodb.describe_table(TableName=table)["Table"]
            kinds = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
            self._tables[table] = {
                "key": _names(told),
                "indexes": [_names(index) for kind in kinds for index in told.get(kind, ())],
            }
        found: dict[str, Any] = self._tables[table]
        return found


_READS: Final = {"get_item", "query", "batch_get_item"}


def size_of(item: Mapping[str, Any]) -> int:
    """The bytes of an item as they are billed: names and values, numbers by two digits a byte."""
    return sum(len(name) + _bytes_of(*next(iter(value.items()))) for name, value in item.items())


def _bytes_of(kind: str, value: Any) -> int:
    if kind == "N":
        return len(value) // 2 + 2
    return len(value.encode()) if kind == "S" else len(value)


def _names(described: Mapping[str, Any]) -> list[str]:
    return [each["AttributeName"] for each in described["KeySchema"]]


def _entry_units(keys: Sequence[str], was: Mapping[str, Any], now: Mapping[str, Any]) -> int:
    """What an index costs where an item changes: an entry is there if it has all of the keys."""
    before, after = ([item.get(name) for name in keys] for item in (was, now))
    if before == after:
        return 0
    return int(None not in before) + int(None not in after)


def _units(size: int, each: int) -> int:
    return max(1, ceil(size / each))
