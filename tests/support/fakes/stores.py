"""In-memory ports under the conditions of the adapters in ``functions.aws``.

``contract/stores.py`` is one suite for both, so that what holds here holds there. What is kept
as files has its fakes in ``support.fakes.files``; the connector's is in ``support.scripted_connector``.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from functions.aws.tables.outbox import OWED_SECONDS
from functions.core.contract import Reason
from functions.core.errors import Superseded
from functions.core.events.model import EventType, event_of_connection, event_of_refresh
from functions.core.idempotency import KEY_SECONDS, Claim
from functions.core.model import (
    Connection,
    Credentials,
    Interval,
    Refresh,
    Running,
    SnapshotPointer,
    StoredCredentials,
)
from tests.support.fakes.lookups import Lookups

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from functions.core.contract import Schedule, Ticket
    from functions.core.events.model import OutboxEvent
    from functions.core.idempotency import Key

LEASE_SECONDS = 420


class Clock:
    """Time that moves when someone sleeps, and not otherwise."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0, "no sleep goes backwards"
        self.slept.append(seconds)
        self.now += seconds


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A connection as it is kept. It is never changed, so that a copy of the tables is shallow."""

    connection: Connection
    credentials: Credentials | None
    version: int = 1
    stored_at: float = 0
    dead: bool = False
    lease: tuple[str, float] | None = None
    aside: tuple[int, Credentials] | None = None
    """What comes after which version, where the table itself did not take it."""
    erasing: bool = False
    revoking: Credentials | None = None


class Tables:
    """The tables of connections, refreshes and keys; a transaction touches them all."""

    def __init__(self) -> None:
        self.connections: dict[str, Item] = {}
        self.refreshes: dict[str, Refresh] = {}
        self.hinted: dict[str, bool] = {}
        self.claims: dict[str, tuple[Claim, float]] = {}
        self.events: dict[str, OutboxEvent] = {}
        self.owed: dict[str, float] = {}
        """When to look whether an event was announced, by its id."""
        self.lookups = Lookups()
        self.lock = Lock()

    def claim(self, name: str, *, at: float) -> Claim | None:
        kept, until = self.claims.get(name, (None, 0.0))
        return kept if until >= at else None

    def tell(self, event: OutboxEvent | None) -> None:
        if event is not None:
            self.events[event.event_id] = event
            self.owed[event.event_id] = event.at + OWED_SECONDS

    def keep(self, name: str, claim: Claim, *, at: float) -> None:
        self.claims[name] = (claim, at + KEY_SECONDS)


class Connections:
    """Fake of ``ConnectionTable``: connections and their credentials.

    Where it is ``throttled``, the table takes no successor.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        clock: Clock,
        lease_seconds: float = LEASE_SECONDS,
        throttled: bool = False,
    ) -> None:
        self._throttled = throttled
        self._items, self._lock, self._clock = tables.connections, tables.lock, clock
        self._tables = tables
        self._lease_seconds = lease_seconds

    def get(self, connection_id: str, *, fresh: bool = True) -> Connection | None:
        del fresh
        item = self._items.get(connection_id)
        return None if item is None or item.erasing else _shown(item)

    def create(
        self, connection: Connection, credentials: Credentials | None, *, key: Key | None = None
    ) -> None:
        at = connection.created_at
        new = Item(
            connection=connection,
            credentials=credentials,
            version=1 if credentials else 0,
            stored_at=at if credentials else 0,
        )
        with self._lock:
            if key and self._tables.claim(key.name, at=at):
                raise Superseded
            self._tables.lookups.add(connection, owned=credentials is None)
            if key:
                claim = Claim(digest=key.digest, resource_id=connection.connection_id)
                self._tables.keep(key.name, claim, at=at)
            self._items[connection.connection_id] = new
            self._tell(new, EventType.CONNECTION_CONNECTED, version=new.version)

    def change(self, connection_id: str, **changes: object) -> Connection:
        with self._lock:
            item = self._items.get(connection_id)
            if item is None or item.erasing:
                raise Superseded
            after = replace(item.connection, **changes)
            self._tables.lookups.rename(item.connection, after)
            self._items[connection_id] = replace(item, connection=after)
        return _shown(self._items[connection_id])

    def get_many(self, ids: Sequence[str]) -> list[Connection]:
        found = (self.get(id_) for id_ in sorted(ids))
        return [one for one in found if one is not None]

    def page(
        self, tenant: str, *, limit: int, after: str | None
    ) -> tuple[list[Connection], str | None]:
        items = [item for _, item in sorted(self._items.items()) if not item.erasing]
        mine = [_shown(item) for item in items if item.connection.tenant == tenant]
        left = [one for one in mine if after is None or one.connection_id > after]
        return left[:limit], left[limit - 1].connection_id if len(left) > limit else None

    def of_tenant(self, tenant: str | None) -> Iterator[Connection]:
        for _, item in sorted(self._items.items()):
            if not item.erasing and tenant in {None, item.connection.tenant}:
                yield _shown(item)

    def begin_erasing(self, connection_id: str) -> str | None:
        item = self._items.get(connection_id)
        if item is None or item.erasing:
            return None
        absent = replace(item.connection, running=None)
        self._items[connection_id] = replace(
            item,
            connection=absent,
            credentials=None,
            revoking=item.credentials,
            erasing=True,
        )
        return item.connection.running.refresh_id if item.connection.running else None

    def erasing(self, connection_id: str) -> Connection | None:
        item = self._items.get(connection_id)
        return item.connection if item and item.erasing else None

    def delete(self, connection_id: str, *, event: OutboxEvent) -> None:
        with self._lock:
            if self._items.pop(connection_id, None):
                self._tables.tell(event)

    def schedule(
        self,
        connection_id: str,
        schedule: Schedule | None,
        *,
        seen: Schedule | UnsetType | None = UNSET,
    ) -> bool:
        item = self._items.get(connection_id)
        if item is None or item.erasing or seen not in {UNSET, item.connection.schedule}:
            return False
        changed = replace(item.connection, schedule=schedule, scheduled_at=0)
        self._items[connection_id] = replace(item, connection=changed)
        return True

    def allow(self, connection_id: str) -> None:
        if item := self._items.get(connection_id):
            changed = replace(item.connection, next_allowed_at=0)
            self._items[connection_id] = replace(item, connection=changed)

    def load(self, connection_id: str, *, fresh: bool = True) -> StoredCredentials:
        del fresh
        item = self._items.get(connection_id)
        if item is None or item.credentials is None:
            raise Superseded
        if item.lease and item.aside and item.aside[0] == item.version:
            item = self._items[connection_id] = _succeeded(item, item.aside[1], at=self._clock())
        assert item.credentials is not None
        return StoredCredentials(credentials=item.credentials, version=item.version, dead=item.dead)

    def load_erasing(self, connection_id: str) -> Credentials:
        item = self._items.get(connection_id)
        if item is None or item.revoking is None:
            raise Superseded
        return item.revoking

    def lease(self, connection_id: str, *, version: int, owner: str) -> bool:
        now = self._clock()
        with self._lock:
            item = self._items.get(connection_id)
            if item is None or item.version != version:
                return False
            if item.lease is not None and item.lease[0] != owner and item.lease[1] >= now:
                return False
            self._items[connection_id] = replace(item, lease=(owner, now + self._lease_seconds))
            return True

    def release_lease(self, connection_id: str, *, owner: str) -> None:
        with self._lock:
            item = self._items.get(connection_id)
            if item is not None and item.lease is not None and item.lease[0] == owner:
                self._items[connection_id] = replace(item, lease=None)

    def rotate(self, connection_id: str, *, version: int, to: Credentials) -> None:
        with self._lock:
            item = self._items.get(connection_id)
            if item is None or item.version != version:
                raise Superseded
            if item.erasing:
                self._items[connection_id] = replace(item, revoking=to, lease=None)
                raise Superseded
            aside = replace(item, aside=(version, to))
            self._items[connection_id] = (
                aside if self._throttled else _succeeded(item, to, at=self._clock())
            )

    def replace(self, connection: Connection, credentials: Credentials) -> Connection:
        with self._lock:
            item = self._items.get(connection.connection_id)
            if item is None or item.erasing:
                raise Superseded
            new = replace(
                item,
                credentials=credentials,
                version=item.version + 1,
                stored_at=self._clock(),
                lease=None,
                dead=False,
            )
            self._items[connection.connection_id] = new
            self._tell(new, EventType.CONNECTION_RECONNECTED, version=new.version)
            return _shown(new)

    def mark_dead(self, connection_id: str, *, version: int) -> None:
        with self._lock:
            item = self._items.get(connection_id)
            if item and item.version == version and not (item.dead or item.erasing):
                self._items[connection_id] = replace(item, dead=True)
                self._tell(item, EventType.CONNECTION_REAUTH_REQUIRED, version=version)

    def _tell(self, item: Item, type_: EventType, *, version: int) -> None:
        at = self._clock()
        event = event_of_connection(item.connection, type_, version=version, at=at)
        self._tables.tell(event)


def _succeeded(item: Item, to: Credentials, *, at: float) -> Item:
    return replace(
        item,
        credentials=to,
        version=item.version + 1,
        stored_at=at,
        lease=None,
        aside=None,
        dead=False,
    )


def _shown(item: Item) -> Connection:
    return replace(item.connection, reauth_required=item.dead, credentials_at=item.stored_at)


class Refreshes:
    """Fake of ``RefreshTable``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._stored, self._connections = tables.refreshes, tables.connections
        self._hinted, self._lock = tables.hinted, tables.lock
        self._told: set[str] = set()

    def get(self, refresh_id: str) -> Refresh | None:
        return self._stored.get(refresh_id)

    def get_many(self, ids: Collection[str]) -> list[Refresh]:
        return [self._stored[id_] for id_ in ids if id_ in self._stored]

    def ids(self, connection_id: str) -> list[str]:
        own = [one for one in self._stored.values() if one.connection_id == connection_id]
        return [one.refresh_id for one in sorted(own, key=lambda one: one.requested_at)]

    def delete(self, refresh_id: str) -> None:
        self._stored.pop(refresh_id, None)

    def admit(self, refresh: Refresh, *, until: float, key: Key | None = None) -> str:
        with self._lock:
            item = self._connections.get(refresh.connection_id)
            if item is None or item.erasing:
                raise Superseded
            running = item.connection.running
            if running is not None and running.until >= refresh.requested_at:
                return running.refresh_id
            at, new = refresh.requested_at, refresh.refresh_id
            if new in self._stored or (key and self._tables.claim(key.name, at=at)):
                raise Superseded
            if key:
                claim = Claim(digest=key.digest, resource_id=new)
                self._tables.keep(key.name, claim, at=at)
            self._stored[refresh.refresh_id] = refresh
            running = Running(refresh_id=refresh.refresh_id, until=until)
            if refresh.reason is Reason.SCHEDULE:
                self._put(item, running=running, scheduled_at=at)
            else:
                self._put(item, running=running)
            return refresh.refresh_id

    def save(self, refresh: Refresh, *, seen: int) -> None:
        with self._lock:
            stored = self._stored.get(refresh.refresh_id)
            if stored is None or (stored.version != seen and stored != refresh):
                raise Superseded
            if stored != refresh:
                self._stored[refresh.refresh_id] = refresh
                self._tables.tell(event_of_refresh(refresh))

    def publish(
        self,
        refresh: Refresh,
        *,
        seen: int,
        snapshot: SnapshotPointer,
        intervals: Sequence[Interval],
    ) -> None:
        with self._lock:
            item = self._holding(refresh)
            stored = self._stored.get(refresh.refresh_id)
            if item is None or stored is None or stored.version != seen:
                raise Superseded
            self._stored[refresh.refresh_id] = refresh
            before = item.connection.snapshot
            self._put(
                item,
                running=None,
                snapshot=snapshot,
                previous=before,
                next_allowed_at=0,
                intervals=tuple(intervals),
            )
            self._tables.tell(event_of_refresh(refresh))

    def release(self, refresh: Refresh) -> None:
        self._on_slot(refresh, running=None)

    def hold(self, refresh: Refresh, *, until: float) -> None:
        self._on_slot(refresh, running=Running(refresh_id=refresh.refresh_id, until=until))

    def forbid(self, failed: Refresh | Ticket, *, until: float) -> None:
        self._on_slot(failed, next_allowed_at=until)

    def forget_webhooks(self, refresh_id: str) -> None:
        self._hinted.pop(refresh_id, None)

    def is_webhook_noted(self, refresh_id: str) -> bool:
        return refresh_id in self._hinted

    def note_webhook(self, refresh_id: str, *, by: str) -> str | None:
        if refresh_id in self._stored and by not in self._told:
            self._told.add(by)
            self._hinted[refresh_id] = True
        return None

    def _on_slot(self, refresh: Refresh | Ticket, **changes: Running | float | None) -> None:
        with self._lock:
            if item := self._holding(refresh):
                self._put(item, **changes)

    def _holding(self, refresh: Refresh | Ticket) -> Item | None:
        item = self._connections.get(refresh.connection_id)
        if item is None or item.erasing or item.connection.running is None:
            return None
        return item if item.connection.running.refresh_id == refresh.refresh_id else None

    def _put(self, item: Item, **changes: object) -> None:
        connection = replace(item.connection, **changes)
        self._connections[connection.connection_id] = replace(item, connection=connection)
