"""Looking, and waiting where that is cheaper than leaving."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.core.contract import CALL_SECONDS, LOOK_HOLD_SECONDS, Ticket, TicketOutcome
from functions.core.errors import (
    ConsentMissing,
    FreshetError,
    ProviderRefusesApplication,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    Superseded,
    UnexpectedAnswer,
)
from functions.core.polling import pause
from functions.core.ports import Looked, Triggered
from functions.core.refresh import steps as step
from functions.core.refresh.check import MIN_GAP, check
from tests.support.fakes.stores import Clock, Tables
from tests.support.scripted_connector import (
    REFRESH,
    Scripted,
    a_refresh,
    a_ticket,
    step_ports,
    stocked,
)

if TYPE_CHECKING:
    from functions.core.contract import Job
    from functions.core.model import Refresh

JOB: Job = {"id": "j1"}
RUNNING, DONE, LOST = Looked(job=JOB), Looked(job=JOB, done=True), Looked(job=JOB, lost=True)
HELD, AWAY = Looked(job=JOB, wait_seconds=0), ProviderUnavailable()


class Watch:
    """A triggered refresh, and a provider that says what the script does."""

    def __init__(self, *looks: tuple[float, Looked | FreshetError], **ticket: object) -> None:
        self.clock = Clock()
        self.tables = Tables()
        _, self.refreshes = stocked(self.tables, self.clock)
        self.connector = Scripted(self.clock, looks=looks)
        self.start, self.webhook_at = self.clock(), inf
        self.ticket = a_ticket(at=self.start, **ticket)
        admitted = a_refresh(at=self.start)
        self.refreshes.admit(admitted, until=self.start + 4500)
        begun = step.begin_trigger(admitted, at=self.start)
        self.store(step.accept_job(begun, Triggered(job=JOB), at=self.start), seen=admitted)

    def store(self, refresh: Refresh, *, seen: Refresh) -> None:
        self.refreshes.save(refresh, seen=seen.version)

    @property
    def refresh(self) -> Refresh:
        refresh = self.refreshes.get(REFRESH)
        assert refresh is not None
        return refresh

    def call(self, *, holds: bool = False, **changes: object) -> Ticket:
        self.ticket = check(
            replace(self.ticket, **changes),
            step_ports(self.connector, self.refreshes, clock=self.clock, sleep=self.sleep),
            holds=holds,
        )
        return self.ticket

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        if self.clock() >= self.webhook_at:
            self.refreshes.note_webhook(REFRESH, by="digest")

    @property
    def looked(self) -> list[float]:
        """When the looks were, in seconds after the trigger."""
        return [at - self.start for at, _ in self.connector.looked]

    @property
    def holds(self) -> list[float]:
        return [hold for _, hold in self.connector.looked]


def test_looks_inside_a_call_follow_the_plan_and_a_far_one_is_left_to_the_machine() -> None:
    watch = Watch((0, RUNNING))
    ticket = watch.call()
    assert watch.looked == [2, 5, 10, 30]
    assert (ticket.outcome, ticket.wait_seconds) == (TicketOutcome.RUNNING, 870)
    assert ticket.running_at == watch.start + 30


@pytest.mark.parametrize("holds", [False, True])
@pytest.mark.parametrize("looks", [(), (2.0, 5.0, 10.0, 30.0), (7.5, 60.0), (0.0,)])
def test_a_reader_is_told_of_each_look_before_it_comes(
    looks: tuple[float, ...], *, holds: bool
) -> None:
    watch = Watch(*[(0, RUNNING)] * 100)
    planned = replace(watch.refresh, looks=looks)
    watch.call(looks=looks, holds=holds)
    told = [watch.start - 1, *(at for at, _ in watch.connector.looked)]

    for at, following in pairwise(told):
        if holds and following == watch.start:
            continue  # the look that is held from the trigger on
        assert step.find_next_look(planned, at=at) == pytest.approx(following)


def test_after_the_deadline_no_look_is_told_of() -> None:
    watch = Watch((0, RUNNING))
    refresh = replace(watch.refresh, looks=(2.0, 5000.0))
    end = refresh.deadline

    assert step.find_next_look(refresh, at=watch.start + 2) == end
    assert step.find_next_look(refresh, at=end) == 0
    assert step.find_next_look(step.cancel(refresh, at=watch.start), at=watch.start) == 0


def test_what_a_look_finds_done_is_ready_at_once() -> None:
    watch = Watch((0, RUNNING), (0, DONE))
    ticket = watch.call()
    assert (ticket.outcome, watch.looked) == (TicketOutcome.READY, [2, 5])
    assert (ticket.running_at, ticket.noticed_at) == (watch.start + 2, watch.start + 5)


def test_a_look_that_is_planned_for_the_trigger_is_made_at_once() -> None:
    watch = Watch((0, DONE))
    assert watch.call(looks=(0.0,)).noticed_at == watch.start


def test_without_a_plan_looks_are_less_and_less_often() -> None:
    watch = Watch((0, RUNNING))
    watch.call(looks=())
    gaps = [after - before for before, after in pairwise(watch.looked)]
    assert gaps == pytest.approx([pause(at) for at in watch.looked[:-1]])
    assert watch.looked[0] == pytest.approx(pause(0))


def test_a_call_stays_while_the_next_look_is_nearer_than_a_turn_of_the_loop_costs() -> None:
    watch = Watch((0, RUNNING))
    ticket = watch.call(looks=(1, 1 + LOOK_HOLD_SECONDS, 2.5 + 2 * LOOK_HOLD_SECONDS))
    assert watch.looked == [1, 1 + LOOK_HOLD_SECONDS]
    assert ticket.wait_seconds == LOOK_HOLD_SECONDS + 1


def test_a_call_goes_on_for_so_long_and_no_longer() -> None:
    watch = Watch((0, RUNNING))
    every = LOOK_HOLD_SECONDS / 2
    ticket = watch.call(looks=tuple(every * number for number in range(1, 30)))
    assert watch.looked[-1] == CALL_SECONDS
    assert ticket.wait_seconds == every


def test_the_rest_of_a_wait_is_slept_in_the_next_call() -> None:
    watch = Watch((0, RUNNING), (0, DONE))
    ticket = watch.call(looks=(1, 60.7))
    assert ticket.wait_seconds == 59
    watch.clock.now += ticket.wait_seconds + 0.2
    watch.call()
    assert watch.looked == pytest.approx([1, 60.7])


@pytest.mark.parametrize("waited", [pytest.param(30, id="too-early"), pytest.param(99, id="late")])
def test_a_call_after_a_wait_that_the_plan_did_not_ask_for_looks_at_once(waited: int) -> None:
    watch = Watch((0, RUNNING))
    watch.call(looks=(1, 60))
    watch.clock.now += waited
    watch.call()
    assert watch.looked[:2] == [1, 1 + waited]


def test_a_planned_look_is_made_however_long_the_refresh_has_taken() -> None:
    watch = Watch((0, RUNNING))
    watch.clock.now += 300
    watch.call(looks=(300, 303, 900))
    assert watch.looked == [300, 303]


def test_a_look_that_is_overdue_is_made_once() -> None:
    watch = Watch((0, RUNNING))
    watch.clock.now += 300
    watch.call(looks=(2, 5, 10, 304, 900))
    assert watch.looked == [300, 304]


def test_a_look_that_waits_for_its_turn_makes_the_next_one_come_later() -> None:
    watch = Watch((1, RUNNING))
    watch.call(looks=(2, 4, 6, 8, 10, 12, 900))
    assert watch.looked == [2, 6, 10, 14]


def test_a_first_look_that_is_far_is_not_waited_for_at_all() -> None:
    watch = Watch((0, RUNNING), looks=(LOOK_HOLD_SECONDS + 1.5, 900))
    ticket = watch.call()
    assert (ticket.wait_seconds, watch.looked) == (LOOK_HOLD_SECONDS + 1, [])
    assert watch.clock.slept == []


def test_a_long_poll_begins_at_once_and_lasts_while_looks_are_near() -> None:
    watch = Watch((7, HELD))
    ticket = watch.call(holds=True)
    assert watch.looked == [0, 7, 14, 21, 28]
    assert watch.holds == [2, 3, 16, 9, 2]
    assert (ticket.outcome, ticket.wait_seconds) == (TicketOutcome.RUNNING, 865)


def test_a_long_poll_does_not_begin_where_the_first_look_is_far() -> None:
    watch = Watch((7, HELD), looks=(60.5,))
    assert watch.call(holds=True).wait_seconds == 60
    watch.clock.now += 60.2
    watch.call(holds=True)
    assert watch.looked[0] == 60.5
    assert watch.holds[0] == pytest.approx(pause(60.5))


def test_a_look_after_which_none_is_near_is_not_held() -> None:
    watch = Watch((0, HELD), looks=(1, 900))
    watch.call()
    assert (watch.looked, watch.holds) == ([1], [0])


def test_a_provider_that_does_not_hold_a_look_open_is_looked_at_as_planned() -> None:
    watch = Watch((0, RUNNING))
    watch.call(holds=True)
    assert watch.looked == [0, 2, 5, 10, 30]


def test_a_long_poll_that_brings_the_end_is_noticed_then() -> None:
    watch = Watch((7, HELD), (1.5, DONE))
    assert watch.call(holds=True).noticed_at == watch.start + 8.5


def test_a_long_poll_that_answers_at_once_does_not_spin() -> None:
    watch = Watch((0, HELD))
    watch.call(holds=True)
    assert len(watch.looked) <= 30 / MIN_GAP + 2
    assert {round(slept, 6) for slept in watch.clock.slept} == {0, MIN_GAP}


def test_a_webhook_ends_the_sleep_in_a_call() -> None:
    watch = Watch((0, RUNNING), (0, DONE), has_webhook=True)
    watch.webhook_at = watch.start + 16.4
    watch.call(looks=(2, 20))
    assert watch.looked == [2, 17]
    assert not watch.tables.hinted


def test_the_providers_own_wish_goes_before_the_plan() -> None:
    watch = Watch((0, replace(RUNNING, wait_seconds=4)), (0, DONE))
    watch.call()
    assert watch.looked == [2, 6]


def test_a_wish_that_is_far_is_left_to_the_machine_in_whole_seconds() -> None:
    watch = Watch((0, replace(RUNNING, wait_seconds=44.2)))
    assert watch.call().wait_seconds == 45


def test_what_the_provider_says_of_its_job_goes_with_the_ticket() -> None:
    watch = Watch((0, Looked(job={"id": "j1", "version": 3}, wait_seconds=100)))
    assert watch.call().job == {"id": "j1", "version": 3}


def test_every_look_is_counted() -> None:
    watch = Watch((0, RUNNING), (0, AWAY), (0, RUNNING), (0, DONE))
    assert watch.call().poll_count == 4


def test_the_last_look_is_at_the_deadline_and_then_it_is_over() -> None:
    watch = Watch((0, replace(RUNNING, wait_seconds=10_000)))
    ticket = watch.call()
    assert ticket.wait_seconds == 898
    watch.clock.now += ticket.wait_seconds
    ticket = watch.call()
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, "DeadlineExceeded")


def test_at_the_deadline_what_is_ready_by_itself_is_fetched() -> None:
    job = {"id": "j1", "late": True}
    watch = Watch((0, replace(RUNNING, at_deadline=job)))
    assert watch.call().outcome is TicketOutcome.RUNNING
    watch.clock.now += 900
    ticket = watch.call()
    assert (ticket.outcome, ticket.job) == (TicketOutcome.READY, job)


def test_what_is_done_at_the_deadline_counts() -> None:
    watch = Watch((0, DONE))
    watch.clock.now += 901
    assert watch.call().outcome is TicketOutcome.READY


def test_a_look_that_was_held_past_the_deadline_says_nothing_against_the_provider() -> None:
    watch = Watch((0, HELD), (14, AWAY), deadline=Clock().now + 12)
    assert watch.call().error == "DeadlineExceeded"
    watch = Watch((0, HELD), (1, AWAY), (14, AWAY), deadline=Clock().now + 12)
    assert watch.call().error == "ProviderUnavailable"


def test_a_call_is_not_held_past_the_deadline() -> None:
    watch = Watch((5, HELD), deadline=Clock().now + 12)
    ticket = watch.call(looks=(), holds=True)
    assert watch.looked == [0, 5, 10]
    assert watch.holds == pytest.approx([pause(0), pause(5), 2])
    assert ticket.error == "DeadlineExceeded"


@pytest.mark.parametrize(
    "elapsed", [pytest.param(890.5, id="before"), pytest.param(899.99, id="a-hair-before")]
)
def test_the_deadline_is_waited_for_in_the_call_where_it_is_near(elapsed: float) -> None:
    watch = Watch((0, RUNNING))
    watch.clock.now += elapsed
    assert watch.call(looks=(889, 2000)).error == "DeadlineExceeded"
    assert watch.looked == pytest.approx([elapsed, 900])


def test_faults_are_waited_out_with_growing_gaps() -> None:
    watch = Watch((0, AWAY))
    ticket = watch.call()
    assert watch.looked == [2, 3, 5, 9, 17, 33, 65]
    assert (ticket.outcome, ticket.wait_seconds, ticket.faults) == (TicketOutcome.RUNNING, 60, 7)


def test_the_count_of_faults_goes_on_in_the_next_call() -> None:
    watch = Watch((0, AWAY))
    watch.call(faults=6)
    assert watch.ticket.wait_seconds == 60


def test_an_answer_ends_a_row_of_faults() -> None:
    watch = Watch((0, AWAY), (0, AWAY), (0, DONE))
    assert watch.call().faults == 0


def test_a_retry_after_is_left_to_the_machine() -> None:
    watch = Watch((0, RateLimited(wait_seconds=77)))
    ticket = watch.call()
    assert (ticket.outcome, ticket.wait_seconds) == (TicketOutcome.RUNNING, 77)
    assert watch.clock.slept == [2]


def test_a_short_retry_after_is_waited_for_in_whole() -> None:
    watch = Watch((0, RateLimited(wait_seconds=9)), (0, DONE))
    watch.call()
    assert watch.looked == [2, 11]


def test_a_fault_that_would_outlast_the_deadline_fails_under_its_own_name() -> None:
    ticket = Watch((0, RateLimited(wait_seconds=900))).call()
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, "RateLimited")


@pytest.mark.parametrize(
    "error", [ReauthRequired(), ConsentMissing(), ProviderRefusesApplication()]
)
def test_what_a_person_must_mend_fails_by_name(error: FreshetError) -> None:
    ticket = Watch((0, RUNNING), (0, error)).call()
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, error.name())


@pytest.mark.parametrize("error", [UnexpectedAnswer(), Superseded()])
def test_what_was_not_expected_is_raised(error: FreshetError) -> None:
    with pytest.raises(type(error)):
        Watch((0, error)).call()


def test_a_lost_job_is_asked_for_again() -> None:
    watch = Watch((0, LOST))
    ticket = watch.call()
    assert (ticket.outcome, ticket.job, ticket.wait_seconds) == (TicketOutcome.LATER, {}, 1)
    assert watch.refresh.job is None
    assert watch.refresh.events[-1].type == "lost"


def test_a_job_that_is_lost_twice_fails_the_refresh() -> None:
    watch = Watch((0, LOST))
    watch.call()
    again = step.begin_trigger(watch.refresh, at=watch.clock())
    watch.store(step.accept_job(again, Triggered(job=JOB), at=watch.clock()), seen=watch.refresh)
    ticket = watch.call(outcome=TicketOutcome.RUNNING, job=JOB)
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, "JobLost")


def test_triggers_that_the_provider_put_off_are_no_lost_jobs() -> None:
    watch = Watch((0, LOST))
    late = replace(watch.refresh, attempts=5)
    told = step.postpone(late, ProviderUnavailable, wait_seconds=1, at=0)
    watch.refreshes.save(told, seen=late.version)
    assert watch.call().outcome is TicketOutcome.LATER


def test_a_loss_that_was_written_down_before_a_crash_counts_once() -> None:
    watch = Watch((0, LOST))
    before = watch.ticket
    watch.call()
    watch.ticket = before
    assert watch.call().outcome is TicketOutcome.LATER
    assert [event.type for event in watch.refresh.events].count("lost") == 1


@pytest.mark.parametrize("meanwhile", ["ended", "forgotten"])
def test_a_lost_job_of_a_refresh_that_is_over_stays_lost(meanwhile: str) -> None:
    watch = Watch((0, LOST))
    if meanwhile == "ended":
        watch.store(step.fail(watch.refresh, ReauthRequired, at=0), seen=watch.refresh)
    else:
        watch.refreshes.delete(REFRESH)
    before = watch.refreshes.get(REFRESH)
    assert watch.call().error == "JobLost"
    assert watch.refreshes.get(REFRESH) == before


def test_what_was_hinted_before_a_call_is_about_to_be_looked_at() -> None:
    watch = Watch((0, DONE), has_webhook=True)
    watch.refreshes.note_webhook(REFRESH, by="digest")
    watch.call()
    assert not watch.tables.hinted
