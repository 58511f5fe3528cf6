"""Deliveries in DynamoDB, below their endpoint's id, in the order of their events' times.

One that is due, or will be, has ``due_at``. The index by it is a local one, as that is read
consistently: a deliverer that reads an index which does not show a new delivery yet lets the
endpoint rest, and the delivery stays. All of an endpoint may take 10 GB, about ten million in the
30 days for which they are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.tables.dynamodb import Table, to_text
from functions.core.contract import Index
from functions.core.delivery.model import Delivery
from functions.core.errors import Superseded
from functions.core.events.model import KEEP_SECONDS
from functions.core.model import instant, iso

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.tables.dynamodb import Item

BEHIND_ALL: Final = ":"
"""Sorts behind the entries of all deliveries, which begin with a digit, and before others."""


class DeliveryTable:
    """Implements ``core.delivery.ports.Deliveries``."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the endpoints' table."""
        self._table = Table(dynamodb, table)

    def offer(self, delivery: Delivery) -> None:
        """Store a new one; one that is there stays as it is."""
        self._table.write(
            self._table.put_request(_item(delivery), condition="attribute_not_exists(endpoint_id)")
        )

    def get(self, endpoint_id: str, event_id: str, *, event_at: float) -> Delivery | None:
        """Read one with a consistent read."""
        item = self._table.get(_key(endpoint_id, event_id, event_at=event_at))
        return _delivery(item) if item else None

    def due(self, endpoint_id: str, *, at: float, most: int) -> list[Delivery]:
        """Read those that are due, the longest due first, with a consistent read."""
        items, _ = self._table.query(
            "endpoint_id = :id AND due_at <= :now",
            {"id": endpoint_id, "now": iso(at)},
            index=Index.BY_DUE,
            limit=most,
            ConsistentRead=True,
        )
        return [_delivery(item) for item in items]

    def next_due(self, endpoint_id: str) -> float | None:
        """When the next one is due, with a consistent read; None where none is."""
        items, _ = self._table.query(
            "endpoint_id = :id",
            {"id": endpoint_id},
            index=Index.BY_DUE,
            limit=1,
            ConsistentRead=True,
        )
        return instant(items[0]["due_at"]) if items else None

    def save(self, delivery: Delivery) -> None:
        """Write it where the version before it is stored.

        Raises:
            Superseded: another writer was faster, or it is deleted.
        """
        saved, stored = self._table.write(
            self._table.put_request(
                _item(delivery), condition="version = :seen", values={"seen": delivery.version - 1}
            )
        )
        if not saved and (not stored or _delivery(stored) != delivery):
            raise Superseded

    def page(
        self, endpoint_id: str, *, limit: int, after: str | None
    ) -> tuple[list[Delivery], str | None]:
        """Read a page, the newest events first, and the place to go on after."""
        items, last = self._table.query(
            "endpoint_id = :id AND entry < :place",
            {"id": endpoint_id, "place": min(after or BEHIND_ALL, BEHIND_ALL)},
            limit=limit,
            ScanIndexForward=False,
        )
        return [_delivery(item) for item in items], last["entry"] if last else None


def _key(endpoint_id: str, event_id: str, *, event_at: float) -> dict[str, str]:
    return {"endpoint_id": endpoint_id, "entry": f"{iso(event_at)}#{event_id}"}


def _item(delivery: Delivery) -> Item:
    due = {"due_at": iso(delivery.due_at)} if delivery.due_at else {}
    return {
        **_key(delivery.endpoint_id, delivery.event_id, event_at=delivery.event_at),
        "version": delivery.version,
        "document": to_text(delivery),
        "expires_at": int(delivery.event_at) + KEEP_SECONDS,
        **due,
    }


def _delivery(item: Item) -> Delivery:
    return msgspec.json.decode(item["document"], type=Delivery)
