"""Suite for stores of credentials; see ``stores.suite``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.core.errors import Superseded
from functions.core.events.model import EventType, event_of_connection
from functions.core.model import Credentials
from tests.support.fakes.stores import LEASE_SECONDS
from tests.support.scripted_connector import CONNECTION, TENANT, TOKENS, a_connection

if TYPE_CHECKING:
    from tests.support.stores.suite import Stores

NEW = Credentials(access_token="access-2", refresh_token="refresh-2")
NEWER = Credentials(access_token="access-3", refresh_token="refresh-3")


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
        stores.sibling.release_lease(CONNECTION, owner="b")
        assert not stores.sibling.lease(CONNECTION, version=1, owner="b")
        stores.connections.release_lease(CONNECTION, owner="a")
        assert stores.sibling.lease(CONNECTION, version=1, owner="b")

    def test_a_version_that_has_moved_on_is_not_leased(self, stores: Stores) -> None:
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

    def test_a_successor_that_the_table_does_not_take_is_there_for_the_next(
        self, stores: Stores
    ) -> None:
        put_aside(stores)
        stored = stores.sibling.load(CONNECTION)
        assert (stored.credentials, stored.version, stored.dead) == (NEW, 2, False)
        assert stores.sibling.lease(CONNECTION, version=2, owner="b")
        assert stores.connections.load(CONNECTION).credentials == NEW

    def test_one_that_the_table_does_not_take_is_there_also_where_its_owner_is_dead(
        self, stores: Stores
    ) -> None:
        put_aside(stores)
        stores.clock.now += LEASE_SECONDS + 1
        assert stores.sibling.lease(CONNECTION, version=1, owner="b")
        assert stores.sibling.load(CONNECTION).credentials == NEW

    def test_one_that_the_table_does_not_take_outlives_a_burial_of_what_was_before(
        self, stores: Stores
    ) -> None:
        put_aside(stores)
        stores.sibling.mark_dead(CONNECTION, version=1)
        stored = stores.sibling.load(CONNECTION)
        assert (stored.credentials, stored.dead) == (NEW, False)

    def test_what_the_user_puts_in_place_wins_over_a_successor_that_the_table_did_not_take(
        self, stores: Stores
    ) -> None:
        put_aside(stores)
        stores.sibling.replace(a_connection(), NEWER)
        assert stores.connections.lease(CONNECTION, version=2, owner="b")
        assert stores.connections.load(CONNECTION).credentials == NEWER

    def test_a_successor_that_the_table_did_not_take_goes_with_the_connection(
        self, stores: Stores
    ) -> None:
        put_aside(stores)
        stores.connections.begin_erasing(CONNECTION)
        with pytest.raises(Superseded):
            stores.sibling.load(CONNECTION)

    def test_what_is_being_erased_has_credentials_to_be_revoked_only(self, stores: Stores) -> None:
        rotated(stores)
        with pytest.raises(Superseded):
            stores.connections.load_erasing(CONNECTION)
        for _ in range(2):
            stores.connections.begin_erasing(CONNECTION)
            assert stores.sibling.load_erasing(CONNECTION) == NEW
        with pytest.raises(Superseded):
            stores.connections.load(CONNECTION)
        last = event_of_connection(a_connection(), EventType.CONNECTION_ERASED, version=0, at=0)
        stores.connections.delete(CONNECTION, event=last)
        with pytest.raises(Superseded):
            stores.connections.load_erasing(CONNECTION)

    def test_what_a_rotation_brings_of_one_that_was_erased_meanwhile_is_to_be_revoked(
        self, stores: Stores
    ) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.lease(CONNECTION, version=1, owner="a")
        stores.sibling.begin_erasing(CONNECTION)
        with pytest.raises(Superseded):
            stores.connections.rotate(CONNECTION, version=1, to=NEW)
        assert stores.sibling.load_erasing(CONNECTION) == NEW

    def test_one_that_the_user_has_replaced_before_is_not(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.lease(CONNECTION, version=1, owner="a")
        stores.sibling.replace(a_connection(), NEWER)
        stores.sibling.begin_erasing(CONNECTION)
        with pytest.raises(Superseded):
            stores.connections.rotate(CONNECTION, version=1, to=NEW)
        assert stores.sibling.load_erasing(CONNECTION) == NEWER

    def test_what_has_no_credentials_has_none_to_be_revoked(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), None)
        stores.connections.begin_erasing(CONNECTION)
        assert stores.connections.erasing(CONNECTION) is not None
        with pytest.raises(Superseded):
            stores.connections.load_erasing(CONNECTION)

    def test_a_dead_version_stays_dead_until_it_has_a_successor(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.mark_dead(CONNECTION, version=1)
        assert stores.connections.load(CONNECTION).dead
        stores.connections.lease(CONNECTION, version=1, owner="a")
        stores.connections.rotate(CONNECTION, version=1, to=NEW)
        assert not stores.connections.load(CONNECTION).dead

    def test_what_a_sibling_has_done_since_the_connection_was_read_is_loaded(
        self, stores: Stores
    ) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.get(CONNECTION)
        stores.sibling.mark_dead(CONNECTION, version=1)
        assert stores.connections.load(CONNECTION).dead

    def test_what_the_same_worker_has_done_since_is_loaded_always(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.get(CONNECTION)
        stores.connections.lease(CONNECTION, version=1, owner="a")
        stores.connections.rotate(CONNECTION, version=1, to=NEW)
        assert stores.connections.load(CONNECTION, fresh=False).credentials == NEW

    @pytest.mark.parametrize("how", ["rotated", "replaced"])
    def test_a_connection_shows_that_its_credentials_are_dead_until_there_are_others(
        self, stores: Stores, how: str
    ) -> None:
        stores.connections.create(a_connection(), TOKENS)
        assert shown_dead(stores) == [False, False]
        stores.connections.lease(CONNECTION, version=1, owner="a")
        stores.connections.mark_dead(CONNECTION, version=1)
        assert shown_dead(stores) == [True, True]
        if how == "rotated":
            stores.connections.rotate(CONNECTION, version=1, to=NEW)
        else:
            stores.connections.replace(a_connection(), NEW)
        assert shown_dead(stores) == [False, False]

    def test_a_version_that_has_moved_on_is_not_buried(self, stores: Stores) -> None:
        rotated(stores)
        stores.connections.mark_dead(CONNECTION, version=1)
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
        stores.connections.mark_dead(CONNECTION, version=1)
        stores.connections.replace(a_connection(), NEW)
        stored = stores.connections.load(CONNECTION)
        assert (stored.credentials, stored.version, stored.dead) == (NEW, 2, False)

    def test_who_replaces_credentials_is_told_which_refresh_runs(self, stores: Stores) -> None:
        refresh = stores.admitted()
        replaced = stores.connections.replace(a_connection(), NEW)
        assert replaced == stores.connections.get(CONNECTION)
        assert replaced.running is not None
        assert replaced.running.refresh_id == refresh.refresh_id

    def test_credentials_that_a_user_replaces_are_not_leased(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.lease(CONNECTION, version=1, owner="a")
        stores.connections.replace(a_connection(), NEW)
        assert stores.sibling.lease(CONNECTION, version=2, owner="b")

    def test_a_successor_of_what_a_user_has_replaced_is_refused(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.lease(CONNECTION, version=1, owner="a")
        stores.sibling.replace(a_connection(), NEW)
        with pytest.raises(Superseded):
            stores.connections.rotate(CONNECTION, version=1, to=NEWER)
        assert stores.connections.load(CONNECTION).credentials == NEW

    @pytest.mark.parametrize("erased", ["never-there", "being-erased"])
    def test_no_call_replaces_the_credentials_of_a_connection_that_is_gone(
        self, stores: Stores, erased: str
    ) -> None:
        if erased == "being-erased":
            stores.connections.create(a_connection(), TOKENS)
            stores.connections.begin_erasing(CONNECTION)
        with pytest.raises(Superseded):
            stores.connections.replace(a_connection(), NEW)


def shown_dead(stores: Stores) -> list[bool]:
    """``reauth_required`` of the connection, read by itself and in the list."""
    found = stores.connections.get(CONNECTION)
    listed, _ = stores.connections.page(TENANT, limit=10, after=None)
    return [one.reauth_required for one in (found, *listed) if one]


def rotated(stores: Stores) -> None:
    """A connection in its second version."""
    stores.connections.create(a_connection(), TOKENS)
    stores.connections.lease(CONNECTION, version=1, owner="a")
    stores.connections.rotate(CONNECTION, version=1, to=NEW)


def put_aside(stores: Stores) -> None:
    """A connection in its first version; the table has not taken the successor."""
    stores.connections.create(a_connection(), TOKENS)
    stores.throttled.lease(CONNECTION, version=1, owner="a")
    stores.throttled.rotate(CONNECTION, version=1, to=NEW)


def leased_twice(stores: Stores) -> None:
    """The right to rotate was one worker's for too long, and is the sibling's by now."""
    stores.connections.lease(CONNECTION, version=1, owner="a")
    stores.clock.now += LEASE_SECONDS + 1
    assert stores.sibling.lease(CONNECTION, version=1, owner="b")
