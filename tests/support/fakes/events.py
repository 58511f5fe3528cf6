"""In-memory events, under the conditions of their table; other fakes write them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from functions.core.events.log import Place
from functions.core.events.model import EventType, OutboxEvent, build_event
from functions.core.model import iso
from tests.support.scripted_connector import TENANT

if TYPE_CHECKING:
    from functions.core.events.log import Line
    from tests.support.fakes.stores import Tables


class Events:
    """Fake of ``EventTable``."""

    def __init__(self, tables: Tables) -> None:
        self._stored, self._owed = tables.events, tables.owed

    def get(self, event_id: str) -> OutboxEvent | None:
        return self._stored.get(event_id)

    def of_tenant(self, tenant: str) -> Line:
        return partial(self._page, "tenant", tenant)

    def of_connection(self, connection_id: str) -> Line:
        return partial(self._page, "connection_id", connection_id)

    def ids(self, connection_id: str) -> list[str]:
        own = [one for one in self._stored.values() if one.connection_id == connection_id]
        return [one.event_id for one in sorted(own, key=_order)]

    def delete(self, event_id: str) -> None:
        self._stored.pop(event_id, None)
        self._owed.pop(event_id, None)

    def owed(self, event_id: str) -> OutboxEvent | None:
        return self._stored.get(event_id) if event_id in self._owed else None

    def note_announced(self, event_id: str) -> None:
        self._owed.pop(event_id, None)

    def _page(
        self, name: str, owner: str, *, since: float, until: float, limit: int, after: Place | None
    ) -> tuple[list[OutboxEvent], Place | None]:
        own = [one for one in self._stored.values() if getattr(one, name) == owner]
        line = [one for one in sorted(own, key=_order) if iso(since) <= iso(one.at) <= iso(until)]
        if after is not None:
            # DynamoDB: "The provided starting key does not match the range key predicate".
            assert iso(since) <= after.occurred_at <= iso(until), after
            line = [one for one in line if _order(one) > (after.occurred_at, after.event_id)]
        page = line[:limit]
        return page, Place(*_order(page[-1])) if len(line) > limit else None


def _order(event: OutboxEvent) -> tuple[str, str]:
    return iso(event.at), event.event_id


def an_event(
    subject: str = "ref_1",
    type_: EventType = EventType.REFRESH_PUBLISHED,
    *,
    at: float,
    tenant: str = TENANT,
    **about: str,
) -> OutboxEvent:
    """An event about a subject, as if it had just been written."""
    return build_event(
        type_, tenant=tenant, subject=subject, version=1, at=at, data={"of": subject}, **about
    )
