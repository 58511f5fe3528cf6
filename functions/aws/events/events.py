"""The table of events: the log of what has ended, and which events are still to be announced.

``functions.aws.tables.outbox`` writes them. The time to live deletes them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.tables.dynamodb import Table
from functions.aws.tables.open_items import UNLIST
from functions.aws.tables.outbox import event_of
from functions.core.contract import OPEN_AS, Index
from functions.core.events.log import Place
from functions.core.model import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.core.events.log import Line
    from functions.core.events.model import OutboxEvent

_BY: Final = {Index.BY_TENANT: "tenant", Index.BY_CONNECTION: "connection_id"}


class EventTable:
    """Implements ``core.delivery.ports.Events``, and lists them as ``core.events.log.Line``."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the table's name."""
        self._table = Table(dynamodb, table)

    def get(self, event_id: str) -> OutboxEvent | None:
        """Read one with a consistent read; None where it is no longer kept."""
        item = self._table.get({"event_id": event_id})
        return event_of(item) if item else None

    def of_tenant(self, tenant: str) -> Line:
        """List those of a tenant. One that is a moment old may be missing still."""
        return partial(self._page, Index.BY_TENANT, tenant)

    def of_connection(self, connection_id: str) -> Line:
        """List those of a connection, in the same way."""
        return partial(self._page, Index.BY_CONNECTION, connection_id)

    def ids(self, connection_id: str) -> Iterator[str]:
        """List the ids of a connection's events, oldest first."""
        found = self._table.query_all(
            "connection_id = :id", {"id": connection_id}, index=Index.BY_CONNECTION
        )
        return (item["event_id"] for item in found)

    def delete(self, event_id: str) -> None:
        """Forget one."""
        self._table.write(self._table.delete_request({"event_id": event_id}))

    def owed(self, event_id: str) -> OutboxEvent | None:
        """Read one with a consistent read; None where it is announced, or no longer kept."""
        item = self._table.get({"event_id": event_id})
        return event_of(item) if item and OPEN_AS in item else None

    def note_announced(self, event_id: str) -> None:
        """Note that it was announced; one that is no longer kept stays away."""
        self._table.write(
            self._table.update_request(
                {"event_id": event_id},
                UNLIST,
                condition="attribute_exists(event_id)",
            )
        )

    def _page(
        self,
        index: Index,
        owner: str,
        *,
        since: float,
        until: float,
        limit: int,
        after: Place | None,
    ) -> tuple[list[OutboxEvent], Place | None]:
        items, last = self._table.query(
            f"{_BY[index]} = :owner AND occurred_at BETWEEN :since AND :until",
            {"owner": owner, "since": iso(since), "until": iso(until)},
            index=index,
            limit=limit,
            after={**msgspec.structs.asdict(after), _BY[index]: owner} if after else None,
        )
        ids = [item["event_id"] for item in items]
        kept = self._table.get_many([{"event_id": id_} for id_ in ids])
        found = {item["event_id"]: event_of(item) for item in kept}
        place = Place(last["occurred_at"], last["event_id"]) if last else None
        return [found[id_] for id_ in ids if id_ in found], place
