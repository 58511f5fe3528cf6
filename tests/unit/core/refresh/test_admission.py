"""Which refreshes are admitted, what ends a slot, and how long a provider is left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from msgspec.structs import replace

from functions.core.contract import SLOT_SECONDS, Ticket, TicketOutcome
from functions.core.errors import (
    Busy,
    CoolingDown,
    FreshetError,
    InvalidRequest,
    NotFound,
    Paused,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    Superseded,
)
from functions.core.model import Connection, Running, Status
from functions.core.refresh.admission import (
    COOLDOWN_SECONDS,
    UNBEGUN_SECONDS,
    RefreshOutcome,
    note_cooldown,
)
from functions.core.refresh.check import check
from functions.core.refresh.steps import begin_trigger, cancel
from functions.core.refresh.trigger import trigger
from tests.support.admission_harness import AdmissionHarness
from tests.support.fakes.stores import Clock, Connections, Tables
from tests.support.scripted_connector import (
    CONNECTION,
    TENANT,
    Scripted,
    a_refresh,
    a_ticket,
    step_ports,
    stocked,
)


@pytest.fixture
def harness() -> AdmissionHarness:
    return AdmissionHarness()


def test_while_its_provider_wants_no_refresh_a_connection_gets_none(
    harness: AdmissionHarness,
) -> None:
    harness.forbid(seconds=90.5)
    with pytest.raises(CoolingDown) as caught:
        harness.ask("ref_2")
    assert caught.value.next_allowed_at == harness.clock() + 90.5
    assert caught.value.wait_seconds == 91
    assert harness.refreshes.get("ref_2") is None
    harness.clock.now += 91
    assert harness.ask("ref_2").outcome is RefreshOutcome.STARTED


def test_a_paused_connection_gets_no_refresh_until_it_is_resumed(
    harness: AdmissionHarness,
) -> None:
    harness.connections.change(CONNECTION, paused=True)
    with pytest.raises(Paused):
        harness.ask("ref_2")
    assert harness.refreshes.get("ref_2") is None
    harness.connections.change(CONNECTION, paused=False)
    assert harness.ask("ref_2").outcome is RefreshOutcome.STARTED


def test_a_running_refresh_is_joined_though_its_connection_is_paused(
    harness: AdmissionHarness,
) -> None:
    harness.ask("ref_1")
    harness.connections.change(CONNECTION, paused=True)
    assert harness.ask("ref_1").outcome is RefreshOutcome.STARTED  # the same, repeated
    assert harness.ask("ref_2").outcome is RefreshOutcome.JOINED


def test_a_provider_s_ban_is_no_reason_not_to_join(harness: AdmissionHarness) -> None:
    harness.forbid(seconds=90, ends=False)
    assert harness.ask("ref_2").outcome is RefreshOutcome.JOINED


def test_a_provider_s_ban_is_no_reason_to_withhold_a_young_snapshot(
    harness: AdmissionHarness,
) -> None:
    harness.ask("ref_1")
    harness.publish(as_of=harness.clock())
    harness.forbid("ref_2", seconds=90)
    assert harness.ask("ref_3", max_age_seconds=60).outcome is RefreshOutcome.FRESH


def test_an_id_that_was_refused_by_its_provider_is_told_that_it_has_ended(
    harness: AdmissionHarness,
) -> None:
    harness.forbid(seconds=90)
    with pytest.raises(Superseded):
        harness.ask("ref_1")


def test_a_first_request_gets_the_slot_until_well_past_its_deadline(
    harness: AdmissionHarness,
) -> None:
    answer = harness.ask(deadline_seconds=60)
    assert answer.outcome is RefreshOutcome.STARTED
    assert answer.refresh == harness.refreshes.get("ref_1")
    assert harness.running == Running(refresh_id="ref_1", until=harness.clock() + 60 + SLOT_SECONDS)


def test_the_refresh_is_written_with_what_was_asked(harness: AdmissionHarness) -> None:
    refresh = harness.ask(datasets=("transactions",), deadline_seconds=60).refresh
    assert refresh is not None
    assert (refresh.status, refresh.tenant, refresh.provider) == (Status.ADMITTED, TENANT, "banno")
    assert refresh.datasets == ("transactions",)
    assert refresh.deadline == harness.clock() + 60
    assert [event.type for event in refresh.events] == ["admitted"]


def test_a_provider_may_take_a_quarter_of_an_hour_unless_told_otherwise(
    harness: AdmissionHarness,
) -> None:
    refresh = harness.ask().refresh
    assert refresh is not None
    assert refresh.deadline == harness.clock() + 900


def test_a_latecomer_joins_the_refresh_that_runs(harness: AdmissionHarness) -> None:
    harness.ask("ref_1")
    answer = harness.ask("ref_2")
    assert (answer.outcome, answer.refresh_id) == (RefreshOutcome.JOINED, "ref_1")
    assert harness.refreshes.get("ref_2") is None


def test_a_refresh_that_fetches_more_than_was_asked_for_is_joined(
    harness: AdmissionHarness,
) -> None:
    harness.ask("ref_1")
    assert harness.ask("ref_2", datasets=("transactions",)).outcome is RefreshOutcome.JOINED


def test_a_refresh_that_fetches_less_than_was_asked_for_is_not_joined(
    harness: AdmissionHarness,
) -> None:
    harness.ask("ref_1", datasets=("accounts",))
    with pytest.raises(Busy):
        harness.ask("ref_2")
    assert harness.refreshes.get("ref_2") is None


@pytest.mark.parametrize(
    ("running", "asked"), [(False, False), (True, False), (True, True)], ids=str
)
def test_a_refresh_that_reads_as_much_as_was_asked_for_is_joined(
    harness: AdmissionHarness, *, running: bool, asked: bool
) -> None:
    harness.ask("ref_1", full=running)
    assert harness.ask("ref_2", full=asked).outcome is RefreshOutcome.JOINED


def test_who_wants_everything_read_again_does_not_join_a_refresh_of_changes(
    harness: AdmissionHarness,
) -> None:
    harness.ask("ref_1")
    with pytest.raises(Busy):
        harness.ask("ref_2", full=True)


def test_asking_again_under_the_same_id_gives_the_same_refresh(harness: AdmissionHarness) -> None:
    first = harness.ask("ref_1")
    harness.clock.now += 100
    assert harness.ask("ref_1") == first


@pytest.mark.parametrize(
    ("age", "asked", "outcome"),
    [
        pytest.param(60, 61, RefreshOutcome.FRESH, id="younger-than-asked"),
        pytest.param(60, 60, RefreshOutcome.FRESH, id="just-as-old-as-asked"),
        pytest.param(60, 59, RefreshOutcome.STARTED, id="older-than-asked"),
        pytest.param(60, 0, RefreshOutcome.STARTED, id="nothing-is-fresh-enough-for-0"),
        pytest.param(60, None, RefreshOutcome.STARTED, id="no-age-asked"),
    ],
)
def test_a_young_snapshot_answers_a_request_that_allows_its_age(
    harness: AdmissionHarness, age: int, asked: int | None, outcome: RefreshOutcome
) -> None:
    harness.ask("ref_1")
    harness.publish(as_of=harness.clock())
    harness.clock.now += age
    answer = harness.ask("ref_2", max_age_seconds=asked)
    assert answer.outcome is outcome
    assert answer.refresh_id == ("ref_1" if outcome is RefreshOutcome.FRESH else "ref_2")


def test_a_snapshot_of_unknown_age_is_never_young_enough(harness: AdmissionHarness) -> None:
    harness.ask("ref_1")
    harness.publish(as_of=0)
    assert harness.ask("ref_2", max_age_seconds=60 * 24 * 3600).outcome is RefreshOutcome.STARTED


def test_who_wants_everything_read_again_is_not_content_with_a_young_snapshot(
    harness: AdmissionHarness,
) -> None:
    harness.ask("ref_1")
    harness.publish(as_of=harness.clock())
    answer = harness.ask("ref_2", full=True, max_age_seconds=3600)
    assert (answer.outcome, answer.refresh_id) == (RefreshOutcome.STARTED, "ref_2")


@pytest.mark.parametrize(
    ("seconds", "outcome"), [(60, RefreshOutcome.FRESH), (61, RefreshOutcome.STARTED)]
)
def test_a_dataset_whose_own_age_is_not_kept_is_as_old_as_its_snapshot(
    harness: AdmissionHarness, seconds: int, outcome: RefreshOutcome
) -> None:
    """A pointer that an earlier version has written has no ages by dataset."""
    harness.ask("ref_1")
    harness.publish(as_of=harness.clock())
    item = harness.tables.connections[CONNECTION]
    assert item.connection.snapshot is not None
    bare = replace(item.connection.snapshot, as_of_by_dataset={})
    harness.tables.connections[CONNECTION] = replace(
        item, connection=replace(item.connection, snapshot=bare)
    )
    harness.clock.now += seconds
    answer = harness.ask("ref_2", datasets=("accounts",), max_age_seconds=60)
    assert answer.outcome is outcome


def test_a_young_snapshot_wins_over_a_refresh_that_runs(harness: AdmissionHarness) -> None:
    harness.ask("ref_1")
    harness.publish(as_of=harness.clock())
    harness.ask("ref_2")
    assert harness.ask("ref_3", max_age_seconds=60).outcome is RefreshOutcome.FRESH


def test_a_young_snapshot_without_the_dataset_asked_for_answers_nothing(
    harness: AdmissionHarness,
) -> None:
    harness.ask("ref_1", datasets=("accounts",))
    harness.publish(as_of=harness.clock(), datasets=("accounts",))
    partly = harness.ask("ref_2", max_age_seconds=60, datasets=("accounts",))
    assert partly.outcome is RefreshOutcome.FRESH
    assert harness.ask("ref_2", max_age_seconds=60).outcome is RefreshOutcome.STARTED


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(None, ("accounts", "transactions"), id="none-named-is-all"),
        pytest.param(("transactions", "accounts"), ("accounts", "transactions"), id="their-order"),
        pytest.param(("accounts", "accounts"), ("accounts",), id="named-twice"),
    ],
)
def test_datasets_are_spelled_out(
    harness: AdmissionHarness, asked: tuple[str, ...] | None, expected: tuple[str, ...]
) -> None:
    refresh = harness.ask(datasets=asked).refresh
    assert refresh is not None
    assert refresh.datasets == expected


def test_an_unknown_dataset_is_refused_by_name_before_anything_is_written(
    harness: AdmissionHarness,
) -> None:
    with pytest.raises(InvalidRequest, match=r"^No such dataset: photos\. There are: accounts"):
        harness.ask(datasets=("accounts", "photos"))
    assert harness.running is None


@pytest.mark.parametrize("absent", ["unknown", "another-tenants"])
def test_what_is_not_theirs_is_not_there(harness: AdmissionHarness, absent: str) -> None:
    foreign = absent == "another-tenants"
    with pytest.raises(NotFound) as caught:
        harness.ask(
            tenant="mallory" if foreign else TENANT,
            connection_id=CONNECTION if foreign else "con_unknown",
        )
    assert str(caught.value) == NotFound.text


def test_a_start_from_inside_needs_no_tenant(harness: AdmissionHarness) -> None:
    assert harness.ask(tenant=None).outcome is RefreshOutcome.STARTED


def test_a_connection_being_erased_is_not_there(harness: AdmissionHarness) -> None:
    harness.connections.begin_erasing(CONNECTION)
    with pytest.raises(NotFound):
        harness.ask()


def test_a_slot_that_was_not_freed_is_given_away_after_its_end(harness: AdmissionHarness) -> None:
    harness.ask("ref_1", deadline_seconds=60)
    harness.clock.now += 60 + SLOT_SECONDS
    assert harness.ask("ref_2").outcome is RefreshOutcome.JOINED
    harness.clock.now += 1
    assert harness.ask("ref_2").outcome is RefreshOutcome.STARTED


def test_a_refresh_that_was_not_ended_is_ended_by_the_one_that_gets_its_slot(
    harness: AdmissionHarness,
) -> None:
    first = harness.ask("ref_1").refresh
    assert first is not None
    harness.refreshes.save(begin_trigger(first, at=harness.clock()), seen=first.version)
    harness.clock.now = first.deadline + SLOT_SECONDS + 1
    harness.ask("ref_2")
    lost = harness.refreshes.get("ref_1")
    assert lost is not None
    assert (lost.status, lost.error) == (Status.FAILED, "PlatformFault")


class Late(Connections):
    """Answers the first read with a connection as it was before its refresh ended."""

    stale: Connection | None = None

    def get(self, connection_id: str, *, fresh: bool = True) -> Connection | None:
        stale, self.stale = self.stale, None
        return stale or super().get(connection_id, fresh=fresh)


@pytest.fixture
def late(harness: AdmissionHarness) -> AdmissionHarness:
    """A harness at which ``ref_1`` is running, for the next reader of its connection."""
    harness.ask("ref_1")
    harness.connections = Late(harness.tables, clock=harness.clock)
    harness.connections.stale = Connections(harness.tables, clock=harness.clock).get(CONNECTION)
    return harness


def test_a_snapshot_that_came_meanwhile_answers_who_came_to_join_its_refresh(
    late: AdmissionHarness,
) -> None:
    late.publish(as_of=late.clock())
    answer = late.ask("ref_2", max_age_seconds=3600)
    assert (answer.outcome, answer.refresh_id) == (RefreshOutcome.FRESH, "ref_1")
    assert late.refreshes.get("ref_2") is None


def test_a_ban_that_came_meanwhile_holds_for_who_came_to_join_its_refresh(
    late: AdmissionHarness,
) -> None:
    running = late.refreshes.get("ref_1")
    assert running is not None
    late.refreshes.forbid(running, until=late.clock() + 90)
    late.refreshes.save(cancel(running, at=late.clock()), seen=running.version)
    late.refreshes.release(running)
    with pytest.raises(CoolingDown):
        late.ask("ref_2")
    assert late.refreshes.get("ref_2") is None


def test_an_id_whose_refresh_has_left_its_slot_does_not_run_again(
    harness: AdmissionHarness,
) -> None:
    refresh = harness.ask("ref_1").refresh
    assert refresh is not None
    harness.refreshes.release(refresh)
    with pytest.raises(Superseded):
        harness.ask("ref_1")


def test_an_id_whose_refresh_has_ended_in_its_slot_does_not_run_again(
    harness: AdmissionHarness,
) -> None:
    refresh = harness.ask("ref_1").refresh
    assert refresh is not None
    harness.refreshes.save(cancel(refresh, at=harness.clock()), seen=refresh.version)
    assert harness.running is not None
    with pytest.raises(Superseded):
        harness.ask("ref_1")


def test_a_slot_that_an_ended_refresh_still_has_is_given_away(harness: AdmissionHarness) -> None:
    refresh = harness.ask("ref_1").refresh
    assert refresh is not None
    harness.refreshes.save(cancel(refresh, at=harness.clock()), seen=refresh.version)
    assert harness.ask("ref_2").outcome is RefreshOutcome.STARTED
    assert harness.ask("ref_3").refresh_id == "ref_2"


def test_a_refresh_that_was_admitted_and_never_begun_is_not_joined_for_long(
    harness: AdmissionHarness,
) -> None:
    harness.ask("ref_1")
    harness.clock.now += UNBEGUN_SECONDS - 1
    assert harness.ask("ref_2").outcome is RefreshOutcome.JOINED
    harness.clock.now += 1
    assert harness.ask("ref_3").refresh_id == "ref_3"
    lost = harness.refreshes.get("ref_1")
    assert lost is not None
    assert (lost.status, lost.error) == (Status.FAILED, "PlatformFault")


def test_a_refresh_that_has_begun_is_joined_however_old_it_is(harness: AdmissionHarness) -> None:
    admitted = harness.ask("ref_1").refresh
    assert admitted is not None
    harness.refreshes.save(begin_trigger(admitted, at=harness.clock()), seen=admitted.version)
    harness.clock.now += UNBEGUN_SECONDS + 1
    assert harness.ask("ref_2").outcome is RefreshOutcome.JOINED


def test_a_refresh_that_has_lost_its_slot_does_not_join_the_one_that_has_it(
    harness: AdmissionHarness,
) -> None:
    harness.ask("ref_1", deadline_seconds=60)
    harness.clock.now += 61 + SLOT_SECONDS
    harness.ask("ref_2")
    with pytest.raises(Superseded):
        harness.ask("ref_1")


class CoolingHarness:
    """An admitted refresh whose provider is at fault, with a deadline of fifteen minutes."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.connections, self.refreshes = stocked(Tables(), self.clock)
        self.refresh = a_refresh(at=self.clock())
        self.refreshes.admit(self.refresh, until=self.refresh.deadline + 3600)

    def trigger(self, fault: FreshetError) -> Ticket:
        ports = self._ports(triggers=[fault])
        return trigger(self.refresh, ports, credentials=self.connections, others=())

    def check(self, fault: FreshetError) -> Ticket:
        return check(a_ticket(at=self.clock(), looks=(0.0,)), self._ports(looks=[(0, fault)]))

    def _ports(self, **script: Any) -> Any:
        return step_ports(Scripted(self.clock, **script), self.refreshes, clock=self.clock)

    @property
    def next_allowed_at(self) -> float:
        """As it is stored; 0 where nothing is."""
        connection = self.connections.get(CONNECTION)
        assert connection is not None
        return connection.next_allowed_at

    @property
    def forbidden(self) -> float:
        """For how many seconds the connection may not be refreshed."""
        return max(0, self.next_allowed_at - self.clock())


Step: TypeAlias = Callable[[CoolingHarness, FreshetError], Ticket]


@pytest.mark.parametrize("step", [CoolingHarness.trigger, CoolingHarness.check])
@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        pytest.param(RateLimited(wait_seconds=3600), 3600, id="limited-past-the-deadline"),
        pytest.param(ProviderUnavailable(wait_seconds=900), 900, id="away-until-the-deadline"),
        pytest.param(RateLimited(wait_seconds=86_400), COOLDOWN_SECONDS, id="for-a-day"),
        pytest.param(RateLimited(wait_seconds=3600, unsent=True), 0, id="our-own-budget-is-spent"),
        pytest.param(ReauthRequired(), 0, id="another-fault"),
    ],
)
def test_a_ban_that_reaches_past_the_deadline_is_remembered(
    step: Step, fault: FreshetError, seconds: float
) -> None:
    cooling = CoolingHarness()
    ticket = step(cooling, fault)
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, fault.name())
    assert cooling.forbidden == seconds


def test_a_ban_past_a_far_deadline_is_remembered_for_an_hour() -> None:
    cooling = CoolingHarness()
    far = replace(cooling.refresh, deadline=cooling.clock() + 6 * 3600)
    note_cooldown(
        RateLimited(wait_seconds=8 * 3600), far, refreshes=cooling.refreshes, at=cooling.clock()
    )
    assert cooling.forbidden == COOLDOWN_SECONDS == 3600


@pytest.mark.parametrize("step", [CoolingHarness.trigger, CoolingHarness.check])
def test_a_pause_for_which_there_is_time_is_no_ban(step: Step) -> None:
    cooling = CoolingHarness()
    assert step(cooling, RateLimited(wait_seconds=899)).outcome is not TicketOutcome.FAILED
    assert cooling.forbidden == 0


def test_a_refresh_that_runs_out_of_time_by_itself_forbids_nothing() -> None:
    cooling = CoolingHarness()
    cooling.clock.now = cooling.refresh.deadline
    note_cooldown(
        ProviderUnavailable(), cooling.refresh, refreshes=cooling.refreshes, at=cooling.clock()
    )
    assert cooling.next_allowed_at == 0
