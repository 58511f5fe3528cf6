"""What every store of idempotency keys, and every list of refreshes, must do; see ``stores.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.core.contract import Outcome
from functions.core.history import Place
from functions.core.keys import KEY_SECONDS, Claim
from functions.core.model import iso
from functions.core.refresh import Admission
from tests.scripted import CONNECTION, TENANT, TOKENS, a_connection

if TYPE_CHECKING:
    from functions.core.history import Line
    from tests.contract.stores import Stores

NAME = "f" * 64
CLAIM = Claim(digest="d1", refresh_id="ref_1")
JOINED = Admission(outcome=Outcome.JOINED, refresh_id="ref_0")
OWN = Admission(outcome=Outcome.RUNNING, refresh_id="ref_1")


class KeyBehaviour:
    """Keys: the first claim stands, and the first answer."""

    def test_the_first_claim_stands(self, stores: Stores) -> None:
        at = stores.clock()
        assert stores.keys.claim(NAME, CLAIM, at=at) == CLAIM
        other = Claim(digest="d2", refresh_id="ref_2")
        assert stores.keys.claim(NAME, other, at=at) == CLAIM
        assert stores.keys.claim("0" * 64, other, at=at) == other

    def test_the_first_answer_stands(self, stores: Stores) -> None:
        at = stores.clock()
        stores.keys.claim(NAME, CLAIM, at=at)
        answered = replace(CLAIM, answer=JOINED)
        assert stores.keys.settle(NAME, answered, at=at) == answered
        assert stores.keys.settle(NAME, replace(CLAIM, answer=OWN), at=at) == answered
        assert stores.keys.claim(NAME, Claim(digest="d", refresh_id="r"), at=at) == answered

    @pytest.mark.parametrize(
        ("seconds", "kept"),
        [
            pytest.param(KEY_SECONDS - 1, True, id="for-a-day"),
            pytest.param(KEY_SECONDS + 2, False, id="and-no-longer"),
        ],
    )
    def test_a_key_is_remembered_for_a_day(
        self, stores: Stores, seconds: int, *, kept: bool
    ) -> None:
        at = stores.clock()
        stores.keys.claim(NAME, CLAIM, at=at)
        stores.keys.settle(NAME, replace(CLAIM, answer=OWN), at=at)
        late = Claim(digest="d2", refresh_id="ref_2")
        found = stores.keys.claim(NAME, late, at=at + seconds)
        assert (found == late) is not kept

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


def read(line: Line, *, limit: int) -> list[str]:
    """The ids of a whole list, read page by page."""
    ids: list[str] = []
    after: Place | None = None
    while True:
        found, after = line(limit=limit, after=after)
        assert len(found) <= limit
        ids += [one.refresh_id for one in found]
        if after is None:
            return ids
