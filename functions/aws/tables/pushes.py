"""Pushes in DynamoDB, stored like refreshes, and their records in S3 until they are sent.

The records are kept under the push's id and read by version: of two requests under one key that
come at once, each writes its own, and only the one that was accepted is ever read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.tables.dynamodb import Table, is_passing, to_text
from functions.aws.tables.open_items import open_attributes
from functions.aws.tables.outbox import event_requests
from functions.core.contract import REFRESH_DAYS, Index, Prefix
from functions.core.errors import Superseded
from functions.core.events.model import event_of_push
from functions.core.model import iso
from functions.core.push.model import Push
from functions.core.reconcile import next_look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.objects.bucket import Bucket
    from functions.aws.tables.dynamodb import Gaps, Item

_DAY: Final = 24 * 60 * 60


class PushTable:
    """Implements ``core.push.ports.Pushes``."""

    def __init__(
        self, dynamodb: DynamoDBClient, *, table: str, events: str, gaps: Gaps = tuple
    ) -> None:
        """Take the names of the pushes' and the events' tables.

        And the pauses between tries that AWS does not let through.
        """
        self._table, self._events, self._gaps = (
            Table(dynamodb, table),
            Table(dynamodb, events),
            gaps,
        )

    def get(self, push_id: str) -> Push | None:
        """Read one with a consistent read."""
        item = self._table.get({"push_id": push_id})
        return _push(item) if item else None

    def ids(self, connection_id: str) -> Iterator[str]:
        """List the ids of a connection's pushes, oldest first."""
        found = self._table.query_all(
            "connection_id = :id", {"id": connection_id}, index=Index.BY_CONNECTION
        )
        return (item["push_id"] for item in found)

    def delete(self, push_id: str) -> None:
        """Forget one."""
        self._table.write(self._table.delete_request({"push_id": push_id}))

    def create(self, push: Push) -> bool:
        """Keep a new one; return False if its id exists."""
        return self._put(push, condition="attribute_not_exists(push_id)")

    def save(self, push: Push, *, seen: int) -> None:
        """Write the push where the stored version is still ``seen``."""
        if not self._put(push, condition="version = :seen", values={"seen": seen}):
            raise Superseded

    def _put(self, push: Push, *, condition: str, values: Item | None = None) -> bool:
        """Write the push, with its event where it has ended.

        Or find it written: a repetition after a lost answer.
        """
        request = self._table.put_request(
            {
                "push_id": push.push_id,
                "connection_id": push.connection_id,
                "requested_at": iso(push.requested_at),
                "version": push.version,
                "document": to_text(push),
                "expires_at": int(push.requested_at) + REFRESH_DAYS * _DAY,
                **open_attributes(next_look(push, at=push.changed_at)),
            },
            condition=condition,
            values=values,
        )
        told = event_requests(event_of_push(push), table=self._events)
        done, stored = self._table.write_with(request, told, again=is_passing, gaps=self._gaps)
        return done or (bool(stored) and _push(stored) == push)


class PushContents:
    """Implements ``core.push.ports.Contents``."""

    def __init__(self, bucket: Bucket) -> None:
        """Take the bucket."""
        self._bucket = bucket

    def write(self, records: bytes, *, connection_id: str, push_id: str) -> str:
        """Keep a push's records; return their version."""
        return self._bucket.put(_key(connection_id, push_id), records)

    def read(self, push: Push) -> bytes:
        """Read the records that were accepted."""
        return self._bucket.read(_key(push.connection_id, push.push_id), push.content).read()

    def delete(self, push: Push) -> None:
        """Delete the records that were accepted, for good."""
        self._bucket.delete(_key(push.connection_id, push.push_id), push.content)


def _key(connection_id: str, push_id: str) -> str:
    return f"{Prefix.PUSHES}{connection_id}/{push_id}.json"


def _push(item: Item) -> Push:
    return msgspec.json.decode(item["document"], type=Push)
