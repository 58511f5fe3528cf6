"""Goes through all connections, slowly, and in one process at a time.

Where it stands is an item of their table. Connections that were registered before there were
lookup items become listed in them on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from functions.aws.tables.connection_items import LISTED, connection_of
from functions.aws.tables.dynamodb import Table, to_text
from functions.core.connect.keep_alive import Round

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.tables.dynamodb import Item
    from functions.aws.tables.lookups import Lookups
    from functions.core.model import Connection

KEY: Final = {"connection_id": "walk"}

PAGE: Final = 250
"""How many items are read at a time. A connection has about three beside it."""


class Seen(NamedTuple):
    """A connection, and when its tokens could not be kept alive; 0: never."""

    connection: Connection
    tried_at: float
    item: Item


class ConnectionWalk:
    """Reads the connections, and where the walk through them stands."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str, lookups: Lookups) -> None:
        """Take the connections' table, and the lookup items in it."""
        self._table, self._lookups = Table(dynamodb, table), lookups

    def begin(self, *, at: float, until: float) -> Round | None:
        """Go on with a round, or begin one; None while another call does, or before its time.

        Args:
            until: when this call is at its end.
        """
        done, item = self._table.write(
            self._table.update_request(
                KEY,
                "SET next_at = :until",
                condition="attribute_not_exists(next_at) OR next_at <= :now",
                values={"now": at, "until": until},
            )
        )
        if not done:
            return None
        told = item.get("stand")
        return msgspec.json.decode(told, type=Round) if told else Round(began_at=at)

    def save(self, stand: Round | None, *, next_at: float) -> None:
        """Note how far the round is, None: at its end, and when to go on."""
        told = {} if stand is None else {"stand": to_text(stand)}
        self._table.write(self._table.put_request({**KEY, "next_at": next_at, **told}))

    def page(self, after: str | None) -> tuple[list[Seen], str | None]:
        """Read connections that are not being erased, and the key to go on after, if any."""
        items, last = self._table.query(
            None,
            {},
            where="attribute_exists(document) AND attribute_not_exists(erasing)",
            limit=PAGE,
            after={"connection_id": after} if after else None,
        )
        seen = [
            Seen(connection_of(item), tried_at=float(item.get("tried_at", 0)), item=item)
            for item in items
        ]
        return seen, last["connection_id"] if last else None

    def list_missing(self, seen: Seen) -> None:
        """Let a connection be found that is not listed yet, unless it has changed meanwhile.

        Of two connections that are the same one, the second is found by its login only.
        """
        if LISTED in seen.item:
            return
        connection = seen.connection
        mark = self._table.update_request(
            {"connection_id": connection.connection_id},
            f"SET {LISTED} = :yes",
            condition="document = :seen AND attribute_not_exists(erasing)",
            values={"yes": True, "seen": seen.item["document"]},
        )
        found = self._lookups.requests(connection, owned="credentials" not in seen.item)
        if self._table.transact([mark, *found]) is not None:
            self._table.transact([mark, found[0]])

    def put_off(self, connection_id: str, *, at: float) -> None:
        """Note that a connection's tokens could not be kept alive, for a reason of its own."""
        self._table.write(
            self._table.update_request(
                {"connection_id": connection_id},
                "SET tried_at = :now",
                condition="attribute_exists(document)",
                values={"now": at},
            )
        )
