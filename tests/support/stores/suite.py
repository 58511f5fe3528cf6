"""Suites for all stores, the fakes and the adapters alike.

A room that runs these subclasses each class under a name that begins with ``Test`` and has a
fixture ``stores`` that gives a fresh ``Stores``. The fixture says how lines are read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from functions.core.errors import Superseded
from functions.core.events.model import EventType, event_of_connection
from functions.core.model import Running, SnapshotPointer
from functions.core.ports import CredentialStore
from functions.core.refresh import steps as step
from functions.core.refresh.ports import Connections, Refreshes, Snapshots, Staging
from functions.core.schedules import Scheduled, Schedules
from tests.support.scripted_connector import (
    CONNECTION,
    REFRESH,
    TENANT,
    TOKENS,
    a_connection,
    a_refresh,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from functions.core.budget import BudgetStore
    from functions.core.connect.flow_ports import Sessions
    from functions.core.events.log import Line as EventLine
    from functions.core.events.model import OutboxEvent
    from functions.core.idempotency import Key, Keys
    from functions.core.model import Connection, Credentials, Dataset, File, Refresh
    from functions.core.refresh.history import Line
    from tests.support.fakes.files import Kept
    from tests.support.fakes.stores import Clock


class ConnectionStore(Connections, CredentialStore, Scheduled, Protocol):
    """Everything that the adapter for connections can do."""

    def create(
        self, connection: Connection, credentials: Credentials | None, *, key: Key | None = None
    ) -> None: ...
    def change(self, connection_id: str, **changes: object) -> Connection: ...
    def get_many(self, ids: Sequence[str]) -> list[Connection]: ...
    def page(
        self, tenant: str, *, limit: int, after: str | None
    ) -> tuple[list[Connection], str | None]: ...
    def begin_erasing(self, connection_id: str) -> str | None: ...
    def erasing(self, connection_id: str) -> Connection | None: ...
    def load_erasing(self, connection_id: str) -> Credentials: ...
    def delete(self, connection_id: str, *, event: OutboxEvent) -> None: ...
    def allow(self, connection_id: str) -> None: ...
    def replace(self, connection: Connection, credentials: Credentials) -> Connection: ...


class Lookups(Protocol):
    """Everything that the adapter for lookups can do."""

    def ids_of_external(self, tenant: str, external_id: str) -> list[str]: ...
    def ids_of_subject(self, provider: str, subject: str) -> list[str]: ...
    def release(self, connection: Connection) -> None: ...


class RefreshStore(Refreshes, Protocol):
    """Everything that the adapter for refreshes can do."""

    def ids(self, connection_id: str) -> Iterable[str]: ...
    def delete(self, refresh_id: str) -> None: ...
    def note_webhook(self, refresh_id: str, *, by: str) -> str | None: ...


class History(Protocol):
    """Everything that the adapter for lists of refreshes can do."""

    def of_tenant(self, tenant: str) -> Line[Refresh]: ...
    def of_connection(self, connection_id: str) -> Line[Refresh]: ...


class EventStore(Protocol):
    """Everything that the adapter for events can do."""

    def get(self, event_id: str) -> OutboxEvent | None: ...
    def of_tenant(self, tenant: str) -> EventLine: ...
    def of_connection(self, connection_id: str) -> EventLine: ...
    def ids(self, connection_id: str) -> Iterable[str]: ...
    def delete(self, event_id: str) -> None: ...
    def note_announced(self, event_id: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Stores:
    """One set of stores, empty. Leases go by ``clock``."""

    clock: Clock
    connections: ConnectionStore
    sibling: ConnectionStore
    """The same connections, in the hands of another worker."""
    throttled: ConnectionStore
    """The same once more, for a worker that the table takes no successor from."""
    lookups: Lookups
    connect_sessions: Sessions
    refreshes: RefreshStore
    keys: Keys
    history: History
    schedules: Schedules
    events: EventStore
    owed: Callable[[float], set[str]]
    """The ids of the events that are still to be announced, and overdue at a time."""
    tell: Callable[[OutboxEvent], None]
    """Write an event alone."""
    bucket: BudgetStore
    snapshots: Snapshots
    staging: Callable[[str, str], Staging]
    """For a connection's and a refresh's id."""
    lines: Callable[[Dataset], list[Kept]]
    """The lines of a dataset, in order."""
    content: Callable[[File], bytes]
    """The content of a blob's file, unpacked."""
    quarantined: Callable[[str, str], list[bytes]]
    """The quarantined content of a connection's refresh, in order."""

    def admitted(self, refresh_id: str = REFRESH) -> Refresh:
        """A connection, and a refresh of it that has the slot."""
        self.connections.create(a_connection(), TOKENS)
        refresh = self.refresh(refresh_id)
        assert self.refreshes.admit(refresh, until=refresh.deadline) == refresh_id
        return refresh

    def refresh(self, refresh_id: str = REFRESH) -> Refresh:
        """A refresh that is asked for now."""
        at = self.clock()
        return step.begin_trigger(a_refresh(refresh_id, at=at), at=at)

    def running(self) -> Running | None:
        """The refresh that has the connection's slot."""
        connection = self.connections.get(CONNECTION)
        assert connection is not None
        return connection.running

    def next_allowed_at(self) -> float:
        """Until when the connection's provider wants no refresh."""
        connection = self.connections.get(CONNECTION)
        assert connection is not None
        return connection.next_allowed_at


def pointer(name: str) -> SnapshotPointer:
    """A pointer to a snapshot."""
    return SnapshotPointer(refresh_id=name, key=name, version_id="v", published_at=1, as_of=1)


class ConnectionBehaviour:
    """Connections: what is created is read, and what is being erased is absent."""

    def test_a_connection_is_read_as_it_was_created(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        assert stores.connections.get(CONNECTION) == a_connection()

    def test_an_unknown_connection_is_absent(self, stores: Stores) -> None:
        assert stores.connections.get("con_unknown") is None
        assert stores.connections.erasing("con_unknown") is None
        with pytest.raises(Superseded):
            stores.connections.load("con_unknown")

    def test_a_tenant_pages_through_its_own_connections_only(self, stores: Stores) -> None:
        mine = [f"con_{number}" for number in range(5)]
        for id_ in mine:
            stores.connections.create(a_connection(id_), TOKENS)
        stores.connections.create(a_connection("con_x", tenant="other"), TOKENS)
        found: list[str] = []
        after: str | None = None
        while True:
            page, after = stores.connections.page(TENANT, limit=2, after=after)
            assert len(page) <= 2
            found += [connection.connection_id for connection in page]
            if after is None:
                break
        assert found == mine

    def test_what_was_never_there_is_not_there_for_having_been_erased(self, stores: Stores) -> None:
        stores.connections.begin_erasing("con_unknown")
        assert stores.connections.erasing("con_unknown") is None

    def test_a_connection_being_erased_is_absent_for_everyone(self, stores: Stores) -> None:
        stores.admitted()
        stores.connections.begin_erasing(CONNECTION)
        assert stores.connections.get(CONNECTION) is None
        assert stores.connections.page(TENANT, limit=10, after=None)[0] == []
        with pytest.raises(Superseded):
            stores.connections.load(CONNECTION)

    def test_an_erasure_tells_the_holder_of_the_slot_once(self, stores: Stores) -> None:
        stores.admitted("ref_running")
        assert stores.connections.begin_erasing(CONNECTION) == "ref_running"
        assert stores.connections.begin_erasing(CONNECTION) is None

    def test_an_erasure_that_broke_off_is_known_until_it_ends(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        assert stores.connections.erasing(CONNECTION) is None
        stores.connections.begin_erasing(CONNECTION)
        erasing = stores.connections.erasing(CONNECTION)
        assert erasing is not None
        assert erasing.tenant == TENANT
        last = event_of_connection(a_connection(), EventType.CONNECTION_ERASED, version=0, at=0)
        stores.connections.delete(CONNECTION, event=last)
        assert stores.connections.erasing(CONNECTION) is None
