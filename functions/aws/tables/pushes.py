"""Pushes in DynamoDB, stored like refreshes, and their records in S3 until they are sent.

A tenant's list is an item beside each push, ``listed#`` and its id, with the tenant in the place of
the connection: the index of a connection's pushes lists it, too. An index of its own would be the
second one that an update makes, and CloudFormation makes one.

The records are kept under the push's id and read by version: of two requests under one key that
come at once, each writes its own, and only the one that was accepted is ever read.
"""

from __future__ import annotations

from functools import partial
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
    from functions.aws.tables.dynamodb import Gaps, Item, Request
    from functions.core.refresh.history import Line, Place

_DAY: Final = 24 * 60 * 60
_LISTED: Final = "listed#"


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
        """Read one with a consistent read. Other items of the table are no pushes."""
        item = self._table.get({"push_id": push_id})
        return _push(item) if item and "document" in item else None

    def ids(self, connection_id: str) -> Iterator[str]:
        """List the ids of a connection's pushes, oldest first."""
        found = self._table.query_all(
            "connection_id = :id", {"id": connection_id}, index=Index.BY_CONNECTION
        )
        return (item["push_id"] for item in found)

    def delete(self, push_id: str) -> None:
        """Forget one, also in its tenant's list."""
        keys = ({"push_id": _LISTED + push_id}, {"push_id": push_id})
        self._table.transact([self._table.delete_request(key) for key in keys])

    def of_tenant(self, tenant: str) -> Line[Push]:
        """List those of a tenant, newest first. One that is a moment old may be missing still.

        What a version without this list has kept is missing, too.
        """
        return partial(self._page, _owner(tenant), prefix=_LISTED)

    def of_connection(self, connection_id: str) -> Line[Push]:
        """List those of a connection, newest first, also what an earlier version has kept."""
        return partial(self._page, connection_id, prefix="")

    def create(self, push: Push) -> bool:
        """Keep a new one, and list it; return False if its id exists."""
        return self._put(push, self._list(push), condition="attribute_not_exists(push_id)")

    def save(self, push: Push, *, seen: int) -> None:
        """Write the push where the stored version is still ``seen``."""
        if not self._put(push, condition="version = :seen", values={"seen": seen}):
            raise Superseded

    def _page(
        self, owner: str, *, prefix: str, limit: int, after: Place | None
    ) -> tuple[list[Push], Place | None]:
        items, following = self._table.query_newest(
            Index.BY_CONNECTION,
            {"connection_id": owner},
            key="push_id",
            prefix=prefix,
            limit=limit,
            after=after,
        )
        return [_push(item) for item in items], following

    def _list(self, push: Push) -> Request:
        return self._table.put_request(
            {
                "push_id": _LISTED + push.push_id,
                "connection_id": _owner(push.tenant),
                "requested_at": iso(push.requested_at),
                "expires_at": _expires_at(push),
            }
        )

    def _put(self, push: Push, *also: Request, condition: str, values: Item | None = None) -> bool:
        """Write the push, with its event where it has ended, and with what else is given.

        Or find it written: a repetition after a lost answer.
        """
        request = self._table.put_request(
            {
                "push_id": push.push_id,
                "connection_id": push.connection_id,
                "requested_at": iso(push.requested_at),
                "version": push.version,
                "document": to_text(push),
                "expires_at": _expires_at(push),
                **open_attributes(next_look(push, at=push.changed_at)),
            },
            condition=condition,
            values=values,
        )
        told = event_requests(event_of_push(push), table=self._events)
        done, stored = self._table.write_with(
            request, [*also, *told], again=is_passing, gaps=self._gaps
        )
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


def _owner(tenant: str) -> str:
    """A tenant, where a connection's id would stand; no connection has such an id."""
    return f"tenant#{tenant}"


def _expires_at(push: Push) -> int:
    return int(push.requested_at) + REFRESH_DAYS * _DAY


def _push(item: Item) -> Push:
    return msgspec.json.decode(item["document"], type=Push)
