"""Suite for what connections are found by; see ``stores.suite``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.core.errors import ConnectionExists, ProviderRefusesConnection, Superseded
from tests.support.scripted_connector import CONNECTION, TOKENS, a_connection

if TYPE_CHECKING:
    from functions.core.model import Credentials
    from tests.support.stores.suite import Stores

MINE = a_connection()
MINE_TOO = a_connection("con_2")
THEIRS = a_connection("con_x", tenant="other")


class LookupBehaviour:
    """Connections are found by external id and subject, and each is there once."""

    def test_a_connection_is_found_by_its_external_id_and_subject(self, stores: Stores) -> None:
        other = a_connection("con_2", external_id=MINE.external_id, subject="user-2")
        for one in (MINE, other, THEIRS):
            stores.connections.create(one, TOKENS)
        ids = stores.lookups.ids_of_external(MINE.tenant, MINE.external_id)
        assert ids == [MINE.connection_id, "con_2"]
        assert stores.lookups.ids_of_external("other", MINE.external_id) == []
        assert stores.lookups.ids_of_subject("banno", "user-1") == [MINE.connection_id, "con_x"]
        assert stores.connections.get_many(["con_x", "con_0", CONNECTION]) == [MINE, THEIRS]

    @pytest.mark.parametrize("credentials", [TOKENS, None], ids=["credentials", "none"])
    def test_the_same_connection_is_created_once(
        self, stores: Stores, credentials: Credentials | None
    ) -> None:
        stores.connections.create(MINE, credentials)
        with pytest.raises(ConnectionExists) as raised:
            stores.connections.create(replace(MINE, connection_id="con_2"), credentials)
        assert raised.value.connection_id == CONNECTION
        assert stores.connections.get("con_2") is None
        stores.lookups.release(MINE)
        stores.connections.create(replace(MINE, connection_id="con_2"), credentials)

    def test_a_connection_is_changed_and_found_under_its_new_external_id(
        self, stores: Stores
    ) -> None:
        stores.connections.create(MINE, TOKENS)
        changes = {"external_id": "new", "labels": {"plan": "pro"}, "paused": True}
        changed = stores.connections.change(CONNECTION, **changes)
        assert changed == replace(MINE, **changes) == stores.connections.get(CONNECTION)
        assert stores.lookups.ids_of_external(MINE.tenant, MINE.external_id) == []
        assert stores.lookups.ids_of_external(MINE.tenant, "new") == [CONNECTION]
        stores.connections.create(replace(MINE, connection_id="con_2"), TOKENS)
        with pytest.raises(ConnectionExists):
            stores.connections.change("con_2", external_id="new")
        assert stores.connections.get("con_2") == replace(MINE, connection_id="con_2")

    def test_one_that_is_being_erased_is_not_changed(self, stores: Stores) -> None:
        stores.connections.create(MINE, TOKENS)
        stores.connections.begin_erasing(CONNECTION)
        for gone in (CONNECTION, "con_2"):
            with pytest.raises(Superseded):
                stores.connections.change(gone, paused=True)
        assert stores.connections.get_many([CONNECTION]) == []

    def test_a_name_that_is_released_twice_takes_none_away(self, stores: Stores) -> None:
        stores.connections.create(MINE, TOKENS)
        stores.lookups.release(MINE)
        again = replace(MINE, connection_id="con_2")
        stores.connections.create(again, TOKENS)
        stores.lookups.release(MINE)
        with pytest.raises(ConnectionExists):
            stores.connections.create(replace(MINE, connection_id="con_3"), TOKENS)
        assert stores.lookups.ids_of_external(MINE.tenant, MINE.external_id) == ["con_2"]

    def test_a_connection_without_credentials_is_read_as_it_was_created(
        self, stores: Stores
    ) -> None:
        stores.connections.create(MINE, None)
        assert stores.connections.get(CONNECTION) == MINE

    def test_nothing_is_kept_of_a_connection_to_a_subject_of_another_tenant_s(
        self, stores: Stores
    ) -> None:
        stores.connections.create(MINE, None)
        with pytest.raises(ProviderRefusesConnection):
            stores.connections.create(THEIRS, None)
        assert stores.connections.get("con_x") is None
        stores.lookups.release(MINE)
        stores.connections.create(THEIRS, None)

    def test_a_tenant_s_own_subject_takes_any_number_of_its_connections(
        self, stores: Stores
    ) -> None:
        stores.connections.create(MINE, None)
        stores.connections.create(MINE_TOO, None)

    def test_a_subject_stays_its_tenant_s_until_the_last_connection_is_gone(
        self, stores: Stores
    ) -> None:
        for one in (MINE, MINE_TOO):
            stores.connections.create(one, None)
        stores.lookups.release(MINE)
        with pytest.raises(ProviderRefusesConnection):
            stores.connections.create(THEIRS, None)
        stores.lookups.release(MINE_TOO)
        stores.connections.create(THEIRS, None)

    def test_a_claim_that_is_given_up_twice_takes_no_other_away(self, stores: Stores) -> None:
        stores.connections.create(MINE, None)
        stores.lookups.release(MINE)
        stores.lookups.release(MINE)
        stores.connections.create(THEIRS, None)
        stores.lookups.release(MINE)
        with pytest.raises(ProviderRefusesConnection):
            stores.connections.create(MINE_TOO, None)

    def test_who_has_credentials_claims_nothing(self, stores: Stores) -> None:
        stores.connections.create(MINE, TOKENS)
        stores.connections.create(THEIRS, TOKENS)
