"""How a connection stands in its item: as it was registered, and what has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from functions.core.contract import Schedule
from functions.core.model import Connection, Running, SnapshotPointer

if TYPE_CHECKING:
    from collections.abc import Mapping

    Item = Mapping[str, Any]

T = TypeVar("T")


def item_of(connection: Connection, *, sealed: bytes | None) -> Item:
    """The item of a new connection, with its credentials if it has any."""
    credentials: Item = {"credentials": {"B": sealed}, "credentials_version": {"N": "1"}}
    return {
        "connection_id": {"S": connection.connection_id},
        "tenant": {"S": connection.tenant},
        "document": {"S": msgspec.json.encode(connection).decode()},
        **(credentials if sealed else {}),
    }


def connection_of(item: Item) -> Connection:
    """The connection that an item holds."""
    known = msgspec.json.decode(item["document"]["S"], type=Connection)
    running = None
    if "running" in item:
        until = float(item.get("running_until", {"N": "0"})["N"])
        running = Running(refresh_id=item["running"]["S"], until=until)
    return msgspec.structs.replace(
        known,
        running=running,
        snapshot=_kept(item, "latest", shape=SnapshotPointer),
        previous=_kept(item, "previous", shape=SnapshotPointer),
        schedule=_kept(item, "schedule", shape=Schedule),
        next_allowed_at=float(item.get("next_allowed_at", {"N": "0"})["N"]),
        reauth_required="credentials_dead" in item,
    )


def _kept(item: Item, name: str, *, shape: type[T]) -> T | None:
    return msgspec.json.decode(item[name]["S"], type=shape | None) if name in item else None
