"""Events as items, and the request that writes an event in another write's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.aws.tables.open_items import open_attributes
from functions.core.events.model import KEEP_SECONDS, EventType, OutboxEvent
from functions.core.model import instant, iso

if TYPE_CHECKING:
    from functions.aws.tables.dynamodb import Item, Request, Table

OWED_SECONDS: Final = 120
"""How long after an event the sweeper looks whether it was announced."""


def event_requests(event: OutboxEvent | None, *, table: Table) -> list[Request]:
    """Make the request that writes an event in a transaction; none for no event.

    It has no condition: the write beside it has one, so that the event is written once.
    """
    if event is None:
        return []
    about = {"connection_id": event.connection_id, "provider": event.provider}
    item = {
        "event_id": event.event_id,
        "tenant": event.tenant,
        "type": event.type,
        "occurred_at": iso(event.at),
        "document": event.document.decode(),
        "expires_at": int(event.at) + KEEP_SECONDS,
        **{name: value for name, value in about.items() if value},
        **open_attributes(event.at + OWED_SECONDS),
    }
    return [table.put_request(item)]


def event_of(item: Item) -> OutboxEvent:
    """Read the event of an item."""
    return OutboxEvent(
        event_id=item["event_id"],
        tenant=item["tenant"],
        type=EventType(item["type"]),
        at=instant(item["occurred_at"]),
        document=item["document"].encode(),
        connection_id=item.get("connection_id", ""),
        provider=item.get("provider", ""),
    )
