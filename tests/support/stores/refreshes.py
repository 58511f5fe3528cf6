"""Suite for stores of refreshes; see ``stores.suite``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.core.contract import SLOT_SECONDS
from functions.core.errors import Defect, Superseded
from functions.core.model import Interval, Running, Status
from functions.core.ports import Triggered
from functions.core.refresh import steps as step
from tests.support.scripted_connector import CONNECTION, REFRESH, TENANT, TOKENS, a_connection
from tests.support.stores.suite import pointer

if TYPE_CHECKING:
    from tests.support.stores.suite import Stores


class RefreshBehaviour:
    """Refreshes: one holds the slot, and a writer must have seen the last version."""

    def test_a_refresh_is_read_as_it_was_admitted(self, stores: Stores) -> None:
        refresh = stores.admitted()
        assert stores.refreshes.get(REFRESH) == refresh
        assert stores.running() == Running(refresh_id=REFRESH, until=refresh.deadline)

    def test_a_second_refresh_is_told_the_holder_of_the_slot(self, stores: Stores) -> None:
        stores.admitted()
        second = stores.refresh("ref_2")
        assert stores.refreshes.admit(second, until=second.deadline) == REFRESH
        assert stores.refreshes.get("ref_2") is None

    def test_the_same_admission_again_changes_nothing(self, stores: Stores) -> None:
        refresh = stores.admitted()
        assert stores.refreshes.admit(refresh, until=refresh.deadline) == REFRESH

    @pytest.mark.parametrize(
        ("seconds", "holder"),
        [
            pytest.param(-1, REFRESH, id="a-second-before-its-end"),
            pytest.param(1, "ref_2", id="a-second-after-its-end"),
        ],
    )
    def test_a_slot_is_given_away_only_after_its_end(
        self, stores: Stores, seconds: int, holder: str
    ) -> None:
        first = stores.admitted()
        stores.clock.now = first.deadline + seconds
        second = stores.refresh("ref_2")
        assert stores.refreshes.admit(second, until=second.deadline) == holder

    def test_a_refresh_that_has_left_its_slot_is_not_admitted_again(self, stores: Stores) -> None:
        refresh = stores.admitted()
        stores.refreshes.release(refresh)
        with pytest.raises(Superseded):
            stores.refreshes.admit(refresh, until=refresh.deadline)
        assert stores.running() is None

    @pytest.mark.parametrize("erased", ["never-there", "being-erased"])
    def test_nothing_is_admitted_to_a_connection_that_is_gone(
        self, stores: Stores, erased: str
    ) -> None:
        if erased == "being-erased":
            stores.connections.create(a_connection(), TOKENS)
            stores.connections.begin_erasing(CONNECTION)
        refresh = stores.refresh()
        with pytest.raises(Superseded):
            stores.refreshes.admit(refresh, until=refresh.deadline + SLOT_SECONDS)
        assert stores.refreshes.get(REFRESH) is None

    def test_a_hint_is_noted_once_for_each_token_and_until_the_next_look(
        self, stores: Stores
    ) -> None:
        refresh = stores.admitted()
        for by in ("one", "one", "other"):
            assert stores.refreshes.note_webhook(refresh.refresh_id, by=by) is None
        assert stores.refreshes.is_webhook_noted(refresh.refresh_id)
        stores.refreshes.forget_webhooks(refresh.refresh_id)
        assert not stores.refreshes.is_webhook_noted(refresh.refresh_id)
        assert stores.refreshes.get(refresh.refresh_id) == refresh

    def test_a_hint_about_nothing_makes_nothing(self, stores: Stores) -> None:
        stores.refreshes.note_webhook("ref_nowhere", by="one")
        stores.refreshes.forget_webhooks("ref_nowhere")
        assert not stores.refreshes.is_webhook_noted("ref_nowhere")
        assert stores.refreshes.get("ref_nowhere") is None

    def test_a_writer_who_has_seen_the_last_version_is_heard(self, stores: Stores) -> None:
        refresh = stores.admitted()
        moved = step.accept_job(refresh, Triggered(job={"id": "j", "since": 1.5}), at=2.25)
        stores.refreshes.save(moved, seen=refresh.version)
        assert stores.refreshes.get(REFRESH) == moved

    def test_a_writer_who_comes_too_late_is_refused(self, stores: Stores) -> None:
        refresh = stores.admitted()
        stores.refreshes.save(
            step.accept_job(refresh, Triggered(job={}), at=1), seen=refresh.version
        )
        with pytest.raises(Superseded):
            stores.refreshes.save(step.lose_job(refresh, at=2), seen=refresh.version)

    def test_a_write_whose_answer_was_lost_may_be_repeated(self, stores: Stores) -> None:
        refresh = stores.admitted()
        moved = step.accept_job(refresh, Triggered(job={"id": "j"}), at=1)
        stores.refreshes.save(moved, seen=refresh.version)
        stores.refreshes.save(moved, seen=refresh.version)
        assert stores.refreshes.get(REFRESH) == moved

    def test_what_is_not_kept_cannot_be_written(self, stores: Stores) -> None:
        refresh = stores.refresh()
        with pytest.raises(Superseded):
            stores.refreshes.save(refresh, seen=refresh.version)

    def test_a_publication_points_ends_and_frees_at_once(self, stores: Stores) -> None:
        refresh = stores.admitted()
        ended = replace(refresh, status=Status.PUBLISHED)
        took = (Interval(0.0, 2.3, 20_833), Interval(289.1, 306.4, 20_833))
        stores.refreshes.publish(
            ended, seen=refresh.version, snapshot=pointer("first"), intervals=took
        )
        connection = stores.connections.get(CONNECTION)
        assert connection is not None
        assert (connection.snapshot, connection.previous) == (pointer("first"), None)
        assert (connection.running, connection.intervals) == (None, took)
        assert stores.refreshes.get(REFRESH) == ended

    def test_the_snapshot_before_is_remembered_once(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        for number in ("1", "2", "3"):
            refresh = stores.refresh(f"ref_{number}")
            stores.refreshes.admit(refresh, until=refresh.deadline)
            stores.refreshes.publish(
                refresh, seen=refresh.version, snapshot=pointer(number), intervals=()
            )
        connection = stores.connections.get(CONNECTION)
        assert connection is not None
        assert (connection.snapshot, connection.previous) == (pointer("3"), pointer("2"))

    @pytest.mark.parametrize(
        "meanwhile", ["it-was-ended", "its-slot-was-given-away", "its-connection-was-erased"]
    )
    def test_a_zombie_publishes_nothing(self, stores: Stores, meanwhile: str) -> None:
        refresh = stores.admitted()
        match meanwhile:
            case "it-was-ended":
                stores.refreshes.save(step.fail(refresh, Defect, at=1), seen=refresh.version)
            case "its-slot-was-given-away":
                stores.clock.now = refresh.deadline + 1
                second = stores.refresh("ref_2")
                stores.refreshes.admit(second, until=second.deadline)
            case _:
                stores.connections.begin_erasing(CONNECTION)
        before = stores.refreshes.get(REFRESH)
        with pytest.raises(Superseded):
            stores.refreshes.publish(
                refresh, seen=refresh.version, snapshot=pointer("late"), intervals=()
            )
        assert stores.refreshes.get(REFRESH) == before
        connection = stores.connections.get(CONNECTION)
        assert connection is None or connection.snapshot is None

    def test_only_its_holder_frees_a_slot(self, stores: Stores) -> None:
        refresh = stores.admitted()
        stores.refreshes.release(stores.refresh("ref_2"))
        held = stores.running()
        assert held is not None
        assert held.refresh_id == REFRESH
        stores.refreshes.release(refresh)
        stores.refreshes.release(refresh)
        assert stores.running() is None

    def test_a_slot_is_held_longer_by_its_holder_only(self, stores: Stores) -> None:
        refresh = stores.admitted()
        stores.refreshes.hold(stores.refresh("ref_2"), until=refresh.deadline + 900)
        assert stores.running() == Running(refresh_id=REFRESH, until=refresh.deadline)
        stores.refreshes.hold(refresh, until=refresh.deadline + 500)
        assert stores.running() == Running(refresh_id=REFRESH, until=refresh.deadline + 500)

    def test_a_provider_s_ban_is_noted_by_the_holder_and_outlives_its_slot(
        self, stores: Stores
    ) -> None:
        refresh = stores.admitted()
        stores.refreshes.forbid(stores.refresh("ref_2"), until=refresh.deadline + 7)
        assert stores.next_allowed_at() == 0
        stores.refreshes.forbid(refresh, until=refresh.deadline + 3600)
        stores.refreshes.release(refresh)
        assert stores.next_allowed_at() == refresh.deadline + 3600
        (listed,), _ = stores.connections.page(TENANT, limit=1, after=None)
        assert listed.next_allowed_at == refresh.deadline + 3600

    def test_a_publication_ends_a_ban(self, stores: Stores) -> None:
        refresh = stores.admitted()
        stores.refreshes.forbid(refresh, until=refresh.deadline + 3600)
        stores.refreshes.publish(
            refresh, seen=refresh.version, snapshot=pointer("first"), intervals=()
        )
        assert stores.next_allowed_at() == 0

    def test_a_ban_can_be_lifted_and_where_there_is_none_nothing_changes(
        self, stores: Stores
    ) -> None:
        refresh = stores.admitted()
        stores.refreshes.forbid(refresh, until=refresh.deadline + 3600)
        for _ in range(2):
            stores.connections.allow(CONNECTION)
            assert stores.next_allowed_at() == 0
        stores.connections.allow("con_0")
        assert stores.connections.get("con_0") is None

    def test_a_free_slot_has_no_holder(self, stores: Stores) -> None:
        refresh = stores.admitted()
        stores.refreshes.release(refresh)
        stores.refreshes.hold(refresh, until=refresh.deadline)
        assert stores.running() is None

    def test_a_connections_refreshes_are_listed_oldest_first(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        for id_ in ("ref_b", "ref_a", "ref_c"):
            refresh = stores.refresh(id_)
            stores.refreshes.admit(refresh, until=refresh.deadline)
            stores.refreshes.release(refresh)
            stores.clock.now += 10
        assert list(stores.refreshes.ids(CONNECTION)) == ["ref_b", "ref_a", "ref_c"]
        stores.refreshes.delete("ref_a")
        assert list(stores.refreshes.ids(CONNECTION)) == ["ref_b", "ref_c"]
