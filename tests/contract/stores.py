"""What every store must do, the fakes and the adapters alike.

A room that runs these subclasses each class under a name that begins with ``Test`` and has a
fixture ``stores`` that gives a fresh ``Stores``. Whoever writes it says how lines are read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from functions.core import refresh as step
from functions.core.errors import Superseded
from functions.core.model import Credentials, Running, SnapshotPointer
from functions.core.ports import CredentialStore
from functions.core.scheduling import Scheduled, Schedules
from functions.core.stores import Connections, Refreshes, Snapshots, Staging
from tests.fakes import LEASE_SECONDS
from tests.scripted import CONNECTION, REFRESH, TENANT, TOKENS, a_connection, a_refresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from functions.core.budget import Bucket
    from functions.core.history import Line
    from functions.core.keys import Keys
    from functions.core.model import Connection, Dataset, File, Refresh
    from tests.fake_files import Kept
    from tests.fakes import Clock

NEW = Credentials(access_token="access-2", refresh_token="refresh-2")
NEWER = Credentials(access_token="access-3", refresh_token="refresh-3")


class ConnectionStore(Connections, CredentialStore, Scheduled, Protocol):
    """Everything that the adapter for connections can do."""

    def create(self, connection: Connection, credentials: Credentials) -> None: ...
    def page(
        self, tenant: str, *, limit: int, after: str | None
    ) -> tuple[list[Connection], str | None]: ...
    def begin_erasing(self, connection_id: str) -> str | None: ...
    def erasing(self, connection_id: str) -> str | None: ...
    def delete(self, connection_id: str) -> None: ...
    def replace(self, connection: Connection, credentials: Credentials) -> None: ...


class RefreshStore(Refreshes, Protocol):
    """Everything that the adapter for refreshes can do."""

    def ids(self, connection_id: str) -> Iterable[str]: ...
    def delete(self, refresh_id: str) -> None: ...
    def hint(self, refresh_id: str, *, by: str) -> str | None: ...


class History(Protocol):
    """Everything that the adapter for lists of refreshes can do."""

    def of_tenant(self, tenant: str) -> Line: ...
    def of_connection(self, connection_id: str) -> Line: ...


@dataclass(frozen=True, kw_only=True)
class Stores:
    """One set of stores, empty. Leases go by ``clock``."""

    clock: Clock
    connections: ConnectionStore
    sibling: ConnectionStore
    """The same connections, in the hands of another worker."""
    refreshes: RefreshStore
    keys: Keys
    history: History
    schedules: Schedules
    bucket: Bucket
    snapshots: Snapshots
    staging: Callable[[str, str], Staging]
    """For a connection's and a refresh's id."""
    lines: Callable[[Dataset], list[Kept]]
    """What a reader of a dataset gets, in order."""
    content: Callable[[File], bytes]
    """What a blob's file holds, unpacked."""
    quarantined: Callable[[str, str], list[bytes]]
    """What is kept apart for a connection's and a refresh's id, in order."""

    def admitted(self, refresh_id: str = REFRESH) -> Refresh:
        """A connection, and a refresh of it that has the slot."""
        self.connections.create(a_connection(), TOKENS)
        refresh = self.refresh(refresh_id)
        assert self.refreshes.admit(refresh, until=refresh.deadline) == refresh_id
        return refresh

    def refresh(self, refresh_id: str = REFRESH) -> Refresh:
        """A refresh that is asked for now; nobody has been told."""
        at = self.clock()
        return step.triggering(a_refresh(refresh_id, at=at), at=at)

    def running(self) -> Running | None:
        """Who has the connection's slot."""
        connection = self.connections.get(CONNECTION)
        assert connection is not None
        return connection.running

    def next_allowed_at(self) -> float:
        """Until when the connection's provider wants no refresh."""
        connection = self.connections.get(CONNECTION)
        assert connection is not None
        return connection.next_allowed_at


def pointer(name: str) -> SnapshotPointer:
    """Where a snapshot might lie."""
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

    def test_an_erasure_that_broke_off_is_known_until_it_ends(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        assert stores.connections.erasing(CONNECTION) is None
        stores.connections.begin_erasing(CONNECTION)
        assert stores.connections.erasing(CONNECTION) == TENANT
        stores.connections.delete(CONNECTION)
        assert stores.connections.erasing(CONNECTION) is None


class CredentialBehaviour:
    """Credentials: one version after the other, rotated by one owner at a time."""

    def test_the_first_version_is_1_and_alive(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stored = stores.connections.load(CONNECTION)
        assert (stored.credentials, stored.version, stored.dead) == (TOKENS, 1, False)

    def test_one_owner_has_the_lease_and_may_ask_again(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        assert stores.connections.lease(CONNECTION, version=1, owner="a")
        assert not stores.connections.lease(CONNECTION, version=1, owner="b")
        assert stores.connections.lease(CONNECTION, version=1, owner="a")

    @pytest.mark.parametrize(
        ("seconds", "free"),
        [
            pytest.param(LEASE_SECONDS - 1, False, id="a-second-before-its-end"),
            pytest.param(LEASE_SECONDS + 1, True, id="a-second-after-its-end"),
        ],
    )
    def test_a_lease_is_kept_until_its_end(
        self, stores: Stores, seconds: int, *, free: bool
    ) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.lease(CONNECTION, version=1, owner="a")
        stores.clock.now += seconds
        assert stores.connections.lease(CONNECTION, version=1, owner="b") is free

    def test_a_lease_is_given_back_by_its_owner_only(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.lease(CONNECTION, version=1, owner="a")
        stores.sibling.unlease(CONNECTION, owner="b")
        assert not stores.sibling.lease(CONNECTION, version=1, owner="b")
        stores.connections.unlease(CONNECTION, owner="a")
        assert stores.sibling.lease(CONNECTION, version=1, owner="b")

    def test_nobody_leases_a_version_that_has_moved_on(self, stores: Stores) -> None:
        rotated(stores)
        assert not stores.connections.lease(CONNECTION, version=1, owner="a")
        assert stores.connections.lease(CONNECTION, version=2, owner="a")

    def test_a_successor_takes_the_place_and_frees_the_lease(self, stores: Stores) -> None:
        rotated(stores)
        stored = stores.connections.load(CONNECTION)
        assert (stored.credentials, stored.version) == (NEW, 2)
        assert stores.sibling.lease(CONNECTION, version=2, owner="b")

    def test_the_only_successor_is_stored_even_when_the_lease_is_lost(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        leased_twice(stores)
        stores.connections.rotate(CONNECTION, version=1, to=NEW)
        assert stores.connections.load(CONNECTION).credentials == NEW

    def test_a_second_successor_of_one_version_is_refused(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        leased_twice(stores)
        stores.sibling.rotate(CONNECTION, version=1, to=NEW)
        with pytest.raises(Superseded):
            stores.connections.rotate(CONNECTION, version=1, to=NEWER)
        assert stores.connections.load(CONNECTION).credentials == NEW

    def test_a_dead_version_stays_dead_until_it_has_a_successor(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.bury(CONNECTION, version=1)
        assert stores.connections.load(CONNECTION).dead
        stores.connections.lease(CONNECTION, version=1, owner="a")
        stores.connections.rotate(CONNECTION, version=1, to=NEW)
        assert not stores.connections.load(CONNECTION).dead

    def test_a_version_that_has_moved_on_is_not_buried(self, stores: Stores) -> None:
        rotated(stores)
        stores.connections.bury(CONNECTION, version=1)
        assert not stores.connections.load(CONNECTION).dead

    def test_nothing_is_rotated_into_a_connection_being_erased(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.lease(CONNECTION, version=1, owner="a")
        stores.connections.begin_erasing(CONNECTION)
        with pytest.raises(Superseded):
            stores.connections.rotate(CONNECTION, version=1, to=NEW)

    def test_credentials_that_a_user_replaces_are_alive_and_the_next_version(
        self, stores: Stores
    ) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.bury(CONNECTION, version=1)
        stores.connections.replace(a_connection(), NEW)
        stored = stores.connections.load(CONNECTION)
        assert (stored.credentials, stored.version, stored.dead) == (NEW, 2, False)

    def test_a_successor_of_what_a_user_has_replaced_is_refused(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.lease(CONNECTION, version=1, owner="a")
        stores.sibling.replace(a_connection(), NEW)
        with pytest.raises(Superseded):
            stores.connections.rotate(CONNECTION, version=1, to=NEWER)
        assert stores.connections.load(CONNECTION).credentials == NEW

    @pytest.mark.parametrize("erased", ["never-there", "being-erased"])
    def test_nobody_replaces_the_credentials_of_a_connection_that_is_gone(
        self, stores: Stores, erased: str
    ) -> None:
        if erased == "being-erased":
            stores.connections.create(a_connection(), TOKENS)
            stores.connections.begin_erasing(CONNECTION)
        with pytest.raises(Superseded):
            stores.connections.replace(a_connection(), NEW)


def rotated(stores: Stores) -> None:
    """A connection in its second version."""
    stores.connections.create(a_connection(), TOKENS)
    stores.connections.lease(CONNECTION, version=1, owner="a")
    stores.connections.rotate(CONNECTION, version=1, to=NEW)


def leased_twice(stores: Stores) -> None:
    """The right to rotate was one worker's for too long, and is the sibling's by now."""
    stores.connections.lease(CONNECTION, version=1, owner="a")
    stores.clock.now += LEASE_SECONDS + 1
    assert stores.sibling.lease(CONNECTION, version=1, owner="b")
