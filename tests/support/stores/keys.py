"""Suites for stores of idempotency keys and lists of refreshes; see ``stores.suite``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.core.errors import ProviderRefusesConnection, Superseded
from functions.core.idempotency import KEY_SECONDS, Answer, Claim, Key
from functions.core.model import iso
from functions.core.refresh.history import Place
from tests.support.scripted_connector import CONNECTION, REFRESH, TENANT, TOKENS, a_connection

if TYPE_CHECKING:
    from functions.core.model import Credentials, Refresh
    from functions.core.refresh.history import Line
    from tests.support.stores.suite import Stores

NAME = "f" * 64
KEY = Key(name=NAME, digest="d1")
CLAIM = Claim(digest="d1", resource_id=REFRESH)
JOINED = Answer(outcome="joined", resource_id="ref_0")


class KeyBehaviour:
    """Keys: the first claim stands, and a refresh is let in together with its own."""

    def test_the_first_claim_stands(self, stores: Stores) -> None:
        at = stores.clock()
        assert stores.keys.claim(NAME, CLAIM, at=at) == CLAIM
        other = Claim(digest="d2", resource_id="ref_2")
        assert stores.keys.claim(NAME, other, at=at) == CLAIM
        assert stores.keys.claim("0" * 64, other, at=at) == other

    def test_a_claim_is_read_as_it_was_kept(self, stores: Stores) -> None:
        at = stores.clock()
        assert stores.keys.get(NAME, at=at) is None
        answered = replace(CLAIM, answer=JOINED)
        for _ in ("once", "its answer was lost"):
            assert stores.keys.claim(NAME, answered, at=at) == answered
        assert stores.keys.get(NAME, at=at) == answered

    @pytest.mark.parametrize(
        ("seconds", "kept"),
        [
            pytest.param(KEY_SECONDS, True, id="for-a-day"),
            pytest.param(KEY_SECONDS + 2, False, id="and-no-longer"),
        ],
    )
    def test_a_key_is_remembered_for_a_day(
        self, stores: Stores, seconds: float, *, kept: bool
    ) -> None:
        stores.clock.now += 0.5
        at = stores.clock()
        stores.keys.claim(NAME, CLAIM, at=at)
        assert (stores.keys.get(NAME, at=at + seconds) == CLAIM) is kept
        late = Claim(digest="d2", resource_id="ref_2")
        found = stores.keys.claim(NAME, late, at=at + seconds)
        assert (found == late) is not kept

    def test_a_refresh_notes_the_key_as_it_takes_the_slot(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        refresh = stores.refresh()
        for _ in ("once", "its answer was lost"):
            assert stores.refreshes.admit(refresh, until=refresh.deadline, key=KEY) == REFRESH
        assert stores.keys.get(NAME, at=stores.clock()) == CLAIM

    def test_a_key_that_is_noted_lets_no_refresh_in(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        refresh = stores.refresh()
        kept = stores.keys.claim(NAME, replace(CLAIM, answer=JOINED), at=stores.clock())
        with pytest.raises(Superseded):
            stores.refreshes.admit(refresh, until=refresh.deadline, key=KEY)
        assert (stores.running(), stores.refreshes.get(REFRESH)) == (None, None)
        assert stores.keys.get(NAME, at=stores.clock()) == kept

    def test_a_key_that_is_forgotten_lets_a_refresh_in(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.keys.claim(NAME, replace(CLAIM, answer=JOINED), at=stores.clock())
        stores.clock.now += KEY_SECONDS + 2
        refresh = stores.refresh()
        assert stores.refreshes.admit(refresh, until=refresh.deadline, key=KEY) == REFRESH
        assert stores.keys.get(NAME, at=stores.clock()) == CLAIM

    @pytest.mark.parametrize("noted", [False, True], ids=["new-key", "noted-key"])
    def test_a_refresh_without_the_slot_is_told_its_holder_and_notes_nothing(
        self, stores: Stores, *, noted: bool
    ) -> None:
        stores.admitted("ref_0")
        kept = None
        if noted:
            kept = stores.keys.claim(NAME, replace(CLAIM, answer=JOINED), at=stores.clock())
        refresh = stores.refresh()
        assert stores.refreshes.admit(refresh, until=refresh.deadline, key=KEY) == "ref_0"
        assert stores.keys.get(NAME, at=stores.clock()) == kept

    @pytest.mark.parametrize("credentials", [TOKENS, None], ids=["credentials", "claim"])
    def test_a_connection_notes_the_key_as_it_is_created(
        self, stores: Stores, credentials: Credentials | None
    ) -> None:
        at = stores.clock()
        connection = a_connection(created_at=at)
        stores.connections.create(connection, credentials, key=KEY)
        assert stores.keys.get(NAME, at=at) == Claim(digest="d1", resource_id=CONNECTION)
        stored = replace(connection, credentials_at=at if credentials else 0)
        assert stores.connections.get(CONNECTION) == stored

    @pytest.mark.parametrize("credentials", [TOKENS, None], ids=["credentials", "claim"])
    def test_under_a_key_that_is_noted_no_connection_is_created(
        self, stores: Stores, credentials: Credentials | None
    ) -> None:
        at = stores.clock()
        kept = stores.keys.claim(NAME, CLAIM, at=at)
        with pytest.raises(Superseded):
            stores.connections.create(a_connection(created_at=at), credentials, key=KEY)
        assert stores.connections.get(CONNECTION) is None
        assert stores.keys.get(NAME, at=at) == kept
        later = a_connection(created_at=at + KEY_SECONDS + 2)
        stores.connections.create(later, credentials, key=KEY)

    def test_a_connection_whose_subject_is_another_tenant_s_notes_no_key(
        self, stores: Stores
    ) -> None:
        at = stores.clock()
        stores.connections.create(a_connection("con_x", tenant="other"), None)
        with pytest.raises(ProviderRefusesConnection):
            stores.connections.create(a_connection(created_at=at), None, key=KEY)
        assert stores.keys.get(NAME, at=at) is None

    def test_what_is_kept_of_a_key_is_no_refresh(self, stores: Stores) -> None:
        stores.keys.claim(NAME, CLAIM, at=stores.clock())
        assert stores.refreshes.get(f"key#{NAME}") is None
        assert stores.history.of_tenant(TENANT)(limit=10, after=None) == ([], None)


class HistoryBehaviour:
    """Refreshes in their order, newest first."""

    def test_a_tenant_pages_through_its_own_refreshes_newest_first(self, stores: Stores) -> None:
        filled(stores)
        assert read(stores.history.of_tenant(TENANT), limit=2) == [
            "ref_4",
            "ref_3",
            "ref_1",
            "ref_0",
        ]
        assert read(stores.history.of_tenant("other"), limit=2) == ["ref_2"]

    def test_a_connection_has_a_list_of_its_own(self, stores: Stores) -> None:
        filled(stores)
        assert read(stores.history.of_connection(CONNECTION), limit=1) == ["ref_1", "ref_0"]
        assert read(stores.history.of_connection("con_none"), limit=1) == []

    def test_a_reader_may_go_on_behind_any_refresh(self, stores: Stores) -> None:
        filled(stores)
        line = stores.history.of_tenant(TENANT)
        for id_, following in (("ref_3", ["ref_1", "ref_0"]), ("ref_0", [])):
            refresh = stores.refreshes.get(id_)
            assert refresh is not None
            found, _ = line(limit=5, after=Place(iso(refresh.requested_at), id_))
            assert [one.refresh_id for one in found] == following

    def test_a_list_has_every_refresh_as_it_stands(self, stores: Stores) -> None:
        filled(stores)
        found, _ = stores.history.of_tenant(TENANT)(limit=10, after=None)
        assert found == [stores.refreshes.get(one.refresh_id) for one in found]
        stores.refreshes.delete("ref_3")
        assert read(stores.history.of_tenant(TENANT), limit=10) == ["ref_4", "ref_1", "ref_0"]


def filled(stores: Stores) -> None:
    """Five refreshes, ten seconds apart, of three connections and two tenants."""
    owners = (
        (CONNECTION, TENANT),
        (CONNECTION, TENANT),
        ("con_x", "other"),
        *[("con_2", TENANT)] * 2,
    )
    for connection_id, tenant in dict(owners).items():
        stores.connections.create(a_connection(connection_id, tenant=tenant), TOKENS)
    for number, (connection_id, tenant) in enumerate(owners):
        refresh = stores.refresh(f"ref_{number}")
        refresh = replace(refresh, connection_id=connection_id, tenant=tenant)
        stores.refreshes.admit(refresh, until=refresh.deadline)
        stores.refreshes.release(refresh)
        stores.clock.now += 10


def read(line: Line[Refresh], *, limit: int) -> list[str]:
    """The ids of a whole list, read page by page."""
    ids: list[str] = []
    after: Place | None = None
    while True:
        found, after = line(limit=limit, after=after)
        assert len(found) <= limit
        ids += [one.refresh_id for one in found]
        if after is None:
            return ids
