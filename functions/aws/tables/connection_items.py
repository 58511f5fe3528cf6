"""Connections as items of their table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from functions.aws.tables.dynamodb import to_text
from functions.core.contract import Schedule
from functions.core.model import Connection, Interval, Running, SnapshotPointer

if TYPE_CHECKING:
    from functions.aws.tables.dynamodb import Item

T = TypeVar("T")

LISTED: Final = "listed"
"""Attribute of a connection that has its items of ``lookups``."""

SCHEDULED_AT: Final = "scheduled_at"
"""Attribute of a connection that its schedule has refreshed. The index of tenants has it not."""


def item_of(connection: Connection, *, sealed: bytes | None) -> Item:
    """The item of a new connection, with its credentials if it has any."""
    first = {"credentials_version": 1, "credentials_at": connection.created_at}
    return {
        "connection_id": connection.connection_id,
        "tenant": connection.tenant,
        "document": to_text(connection),
        LISTED: True,
        **({"credentials": sealed, **first} if sealed else {}),
    }


def connection_of(item: Item) -> Connection:
    """The connection as it was registered, with what has changed since."""
    known = msgspec.json.decode(item["document"], type=Connection)
    until = float(item.get("running_until", 0))
    return msgspec.structs.replace(
        known,
        running=Running(refresh_id=item["running"], until=until) if "running" in item else None,
        snapshot=_decode(item, "latest", shape=SnapshotPointer),
        previous=_decode(item, "previous", shape=SnapshotPointer),
        schedule=_decode(item, "schedule", shape=Schedule),
        intervals=_decode(item, "intervals", shape=tuple[Interval, ...]) or (),
        scheduled_at=float(item.get(SCHEDULED_AT, 0)),
        next_allowed_at=float(item.get("next_allowed_at", 0)),
        reauth_required="credentials_dead" in item,
        credentials_at=float(item.get("credentials_at", 0)),
    )


def _decode(item: Item, name: str, *, shape: type[T]) -> T | None:
    return msgspec.json.decode(item[name], type=shape | None) if name in item else None
