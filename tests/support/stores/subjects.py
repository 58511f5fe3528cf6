"""Suite for stores of subjects that any caller can name; see ``stores.suite``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.scripted_connector import CONNECTION, TOKENS, a_connection

if TYPE_CHECKING:
    from tests.support.stores.suite import Stores

MINE = a_connection()
MINE_TOO = a_connection("con_2")
THEIRS = a_connection("con_x", tenant="other")


class SubjectBehaviour:
    """A subject is its first tenant's until that has erased its last connection."""

    def test_a_connection_without_credentials_is_read_as_it_was_created(
        self, stores: Stores
    ) -> None:
        assert stores.connections.create(MINE, None)
        assert stores.connections.get(CONNECTION) == MINE

    def test_nothing_is_kept_of_a_connection_to_a_subject_of_another_tenant_s(
        self, stores: Stores
    ) -> None:
        stores.connections.create(MINE, None)
        assert not stores.connections.create(THEIRS, None)
        assert stores.connections.get("con_x") is None
        stores.subjects.release(MINE)
        assert stores.connections.create(THEIRS, None)

    def test_a_tenant_s_own_subject_takes_any_number_of_its_connections(
        self, stores: Stores
    ) -> None:
        assert stores.connections.create(MINE, None)
        assert stores.connections.create(MINE_TOO, None)

    def test_a_subject_stays_its_tenant_s_until_the_last_connection_is_gone(
        self, stores: Stores
    ) -> None:
        for one in (MINE, MINE_TOO):
            stores.connections.create(one, None)
        stores.subjects.release(MINE)
        assert not stores.connections.create(THEIRS, None)
        stores.subjects.release(MINE_TOO)
        assert stores.connections.create(THEIRS, None)

    def test_a_claim_that_is_given_up_twice_takes_no_other_away(self, stores: Stores) -> None:
        stores.connections.create(MINE, None)
        stores.subjects.release(MINE)
        stores.subjects.release(MINE)
        assert stores.connections.create(THEIRS, None)
        stores.subjects.release(MINE)
        assert not stores.connections.create(MINE_TOO, None)

    def test_who_has_credentials_claims_nothing(self, stores: Stores) -> None:
        assert stores.connections.create(MINE, TOKENS)
        assert stores.connections.create(THEIRS, TOKENS)
