"""Items that providers and tenants have in the connections' table, under keys of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

import msgspec

from functions.aws.tables.dynamodb import Table, Written, to_text
from functions.core.budget import Level
from functions.core.model import Interval
from functions.core.polling import PROVIDER_INTERVALS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


class BudgetItem:
    """Implements ``core.budget.BudgetStore``: a provider's budget, or a tenant's.

    A request costs one write under load, and no two of those are in each other's way; where the
    bucket was full, it costs two.
    """

    def __init__(self, dynamodb: DynamoDBClient, *, table: str, name: str) -> None:
        """Take the connections' table and the bucket's name."""
        self._table = Table(dynamodb, table)
        self._key = {"connection_id": f"budget#{name}"}

    def draw(self, *, gap: int, since: int, until: int) -> Level:
        """Move on within bounds; see ``core.budget.BudgetStore``."""
        drawn, item = self._update(
            "SET full_at = full_at + :gap",
            condition="full_at BETWEEN :since AND :until",
            gap=gap,
            since=since,
            until=until,
        )
        return Level(full_at=item.get("full_at", 0), drawn=drawn)

    def renew(self, *, full_at: int, before: int) -> bool:
        """Begin anew what has long been full; see ``core.budget.BudgetStore``."""
        return self._update(
            "SET full_at = :full_at",
            condition="attribute_not_exists(full_at) OR full_at < :before",
            full_at=full_at,
            before=before,
        ).done

    def close(self, *, until: int, full_at: int) -> None:
        """Forbid requests for a while; see ``core.budget.BudgetStore``."""
        written = self._update(
            "SET full_at = :full_at, closed_until = :until",
            condition="attribute_not_exists(full_at) OR full_at < :full_at",
            full_at=full_at,
            until=until,
        )
        if not written.done:
            self._update(
                "SET closed_until = :until",
                condition="attribute_not_exists(closed_until) OR closed_until < :until",
                until=until,
            )

    def pause_end(self) -> int:
        """Read until when no request may be made; see ``core.budget.BudgetStore``."""
        item = self._table.get(self._key, consistent=False) or {}
        return int(item.get("closed_until", 0))

    def _update(self, update: str, *, condition: str, **values: int) -> Written:
        return self._table.write(
            self._table.update_request(self._key, update, condition=condition, values=values)
        )


_INTERVAL: Final = "i"


class DurationTable:
    """Durations of each provider's jobs: ``PROVIDER_INTERVALS`` attributes of one item."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the connections' table."""
        self._table = Table(dynamodb, table)

    def read(self, provider: str) -> list[Interval]:
        """Read what is kept; what earlier versions counted is left alone."""
        item = self._table.get(_durations(provider), consistent=False) or {}
        kept = (text for name, text in item.items() if name[0] == _INTERVAL)
        return [msgspec.json.decode(text, type=Interval) for text in kept]

    def add(self, provider: str, interval: Interval, *, refresh_id: str) -> None:
        """Put an interval in the place of one that its refresh's id points to.

        So there is nothing to read first, no write is in another's way, and what is kept is
        forgotten at random, the sooner the more is added.
        """
        place = crc32(refresh_id.encode()) % PROVIDER_INTERVALS
        update = f"SET {_INTERVAL}{place} = :interval"
        values = {"interval": to_text(interval)}
        self._table.write(self._table.update_request(_durations(provider), update, values=values))


def _durations(provider: str) -> dict[str, str]:
    return {"connection_id": f"durations#{provider}"}
