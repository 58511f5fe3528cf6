"""Suite for both places of a connection's schedule; see ``stores.suite``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.core.contract import Reason, Schedule
from functions.core.errors import InvalidRequest
from tests.support.scripted_connector import CONNECTION, TENANT, TOKENS, a_connection

if TYPE_CHECKING:
    from functions.core.model import Connection
    from tests.support.stores.suite import Stores

HOURLY = Schedule(expression="rate(1 hour)")
NIGHTLY = Schedule(
    expression="cron(0 3 ? * MON-FRI *)",
    time_zone="Europe/Berlin",
    jitter_minutes=15,
    max_age_seconds=3600,
    datasets=("accounts",),
)
REFUSED = Schedule(expression="cron(0 3 * * * *)")
"""Scheduler wants a ? in one of the two fields for days."""


class ScheduleBehaviour:
    """A schedule is put, read and taken away, in the connection and where it fires."""

    def test_a_new_connection_has_none(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        assert _written(stores) is None
        assert stores.schedules.get(CONNECTION) is None

    @pytest.mark.parametrize("schedule", [HOURLY, NIGHTLY], ids=["hourly", "nightly"])
    def test_it_is_read_as_it_was_written(self, stores: Stores, schedule: Schedule) -> None:
        stores.connections.create(a_connection(), TOKENS)
        assert stores.connections.schedule(CONNECTION, schedule)
        assert _written(stores) == schedule

    def test_it_is_listed_with_its_connection(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.schedule(CONNECTION, NIGHTLY)
        (found,), _ = stores.connections.page(TENANT, limit=10, after=None)
        assert found.schedule == NIGHTLY

    def test_it_is_known_when_it_last_began_a_refresh_since_it_was_set(
        self, stores: Stores
    ) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.schedule(CONNECTION, HOURLY)
        assert _read(stores).scheduled_at == 0
        began = stores.clock()
        for id_, reason, known in (
            ("ref_1", Reason.SCHEDULE, 0),
            ("ref_2", Reason.API, 0),
            ("ref_3", Reason.SCHEDULE, 20),
            ("ref_4", Reason.BULK, 20),
        ):
            refresh = replace(stores.refresh(id_), reason=reason)
            stores.refreshes.admit(refresh, until=refresh.deadline)
            stores.refreshes.release(refresh)
            assert _read(stores).scheduled_at == began + known
            stores.clock.now += 10
        stores.connections.schedule(CONNECTION, NIGHTLY)
        assert _read(stores).scheduled_at == 0

    def test_a_firing_that_finds_a_refresh_running_begins_none(self, stores: Stores) -> None:
        running = stores.admitted()
        stores.connections.schedule(CONNECTION, HOURLY)
        late = replace(stores.refresh("ref_2"), reason=Reason.SCHEDULE)
        assert stores.refreshes.admit(late, until=late.deadline) == running.refresh_id
        assert _read(stores).scheduled_at == 0

    def test_writing_none_clears_it(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.schedule(CONNECTION, HOURLY)
        assert stores.connections.schedule(CONNECTION, None)
        assert _written(stores) is None

    def test_it_leaves_the_rest_of_the_connection_as_it_was(self, stores: Stores) -> None:
        refresh = stores.admitted()
        stores.connections.schedule(CONNECTION, HOURLY)
        running = stores.running()
        assert running is not None
        assert running.refresh_id == refresh.refresh_id
        assert stores.connections.load(CONNECTION).credentials == TOKENS

    @pytest.mark.parametrize(
        ("seen", "after"),
        [
            pytest.param(HOURLY, NIGHTLY, id="as-seen"),
            pytest.param(NIGHTLY, HOURLY, id="moved-on"),
            pytest.param(None, HOURLY, id="there-is-one-now"),
        ],
    )
    def test_what_was_seen_must_stand_there_still(
        self, stores: Stores, seen: Schedule | None, after: Schedule
    ) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.schedule(CONNECTION, HOURLY)
        assert stores.connections.schedule(CONNECTION, NIGHTLY, seen=seen) is (after is NIGHTLY)
        assert _written(stores) == after

    @pytest.mark.parametrize("before", ["never-one", "taken-away"])
    def test_that_there_is_none_can_be_what_was_seen(self, stores: Stores, before: str) -> None:
        stores.connections.create(a_connection(), TOKENS)
        if before == "taken-away":
            stores.connections.schedule(CONNECTION, None)
        assert stores.connections.schedule(CONNECTION, HOURLY, seen=None)
        assert _written(stores) == HOURLY

    @pytest.mark.parametrize("erased", ["never-there", "being-erased"])
    def test_nothing_is_written_into_a_connection_that_is_gone(
        self, stores: Stores, erased: str
    ) -> None:
        if erased == "being-erased":
            stores.connections.create(a_connection(), TOKENS)
            stores.connections.begin_erasing(CONNECTION)
        assert not stores.connections.schedule(CONNECTION, HOURLY)
        assert stores.connections.get(CONNECTION) is None

    def test_what_is_put_takes_the_place_of_what_was(self, stores: Stores) -> None:
        for schedule in (HOURLY, NIGHTLY, NIGHTLY, HOURLY):
            stores.schedules.put(CONNECTION, schedule)
            assert stores.schedules.get(CONNECTION) == schedule

    def test_each_connection_has_its_own(self, stores: Stores) -> None:
        stores.schedules.put(CONNECTION, HOURLY)
        stores.schedules.put("con_2", NIGHTLY)
        stores.schedules.remove(CONNECTION)
        assert stores.schedules.get(CONNECTION) is None
        assert stores.schedules.get("con_2") == NIGHTLY

    def test_taking_away_what_is_not_there_changes_nothing(self, stores: Stores) -> None:
        stores.schedules.put(CONNECTION, HOURLY)
        for _ in range(2):
            stores.schedules.remove(CONNECTION)
            assert stores.schedules.get(CONNECTION) is None

    @pytest.mark.parametrize("before", [HOURLY, None], ids=["one-before", "none-before"])
    def test_what_is_refused_leaves_what_was(self, stores: Stores, before: Schedule | None) -> None:
        if before:
            stores.schedules.put(CONNECTION, before)
        with pytest.raises(InvalidRequest):
            stores.schedules.put(CONNECTION, REFUSED)
        assert stores.schedules.get(CONNECTION) == before


def _written(stores: Stores) -> Schedule | None:
    return _read(stores).schedule


def _read(stores: Stores) -> Connection:
    connection = stores.connections.get(CONNECTION)
    assert connection is not None
    return connection
