"""The job at the provider is started once as far as we can know, now or after the user acts."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.contract import (
    MAX_DEADLINE_SECONDS,
    MAX_LOOKS,
    PART_SECONDS,
    SYNCHRONOUS_SECONDS,
    Ticket,
    TicketOutcome,
)
from functions.core.errors import (
    ConfigurationInvalid,
    FreshetError,
    InteractionRequired,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    Superseded,
    UnexpectedAnswer,
)
from functions.core.model import Connection, Event, Refresh, Status
from functions.core.ports import Triggered
from functions.core.refresh.steps import Admission, RefreshOutcome, lose_job
from functions.core.refresh.trigger import to_ticket, trigger
from tests.support.fakes.stores import Clock, Refreshes, Tables
from tests.support.scripted_connector import (
    CONNECTION,
    REFRESH,
    Crash,
    CrashingRefreshes,
    Scripted,
    a_connection,
    a_refresh,
    stocked,
)


class Desk:
    """An admitted refresh at the door, and a connector that answers as told."""

    def __init__(
        self,
        *answers: Triggered | FreshetError | Crash,
        deadline: float = 900,
        connection: Connection | None = None,
        synchronous: bool = False,
    ) -> None:
        self._connection = connection or a_connection()
        self.clock, self.tables = Clock(), Tables()
        _, self.refreshes = stocked(self.tables, self.clock)
        self.connector = Scripted(self.clock, triggers=answers or (Triggered(job={"id": "j1"}),))
        refresh = a_refresh(
            at=self.clock(), deadline=self.clock() + deadline, synchronous=synchronous
        )
        self.refreshes.admit(refresh, until=refresh.deadline + 3600)

    @property
    def refresh(self) -> Refresh:
        refresh = self.refreshes.get(REFRESH)
        assert refresh is not None
        return refresh

    def call(self, *, refreshes: Refreshes | None = None, seconds_left: float = 1000) -> Ticket:
        return trigger(
            self.refresh,
            connection=self._connection,
            connector=self.connector,
            refreshes=refreshes or self.refreshes,
            seen={},
            clock=self.clock,
            seconds_left=lambda: seconds_left,
        )


def test_the_ticket_says_when_looks_pay_and_until_when() -> None:
    desk = Desk()
    ticket = desk.call()
    assert (ticket.outcome, ticket.job) == (TicketOutcome.RUNNING, {"id": "j1"})
    assert (ticket.triggered_at, ticket.deadline) == (desk.clock(), desk.clock() + 900)
    assert ticket.looks[-1] == 900
    assert len(ticket.looks) <= MAX_LOOKS


def test_the_intent_is_written_before_and_the_job_after() -> None:
    desk = Desk()
    desk.call()
    assert [event.type for event in desk.refresh.events] == ["triggering", "triggered"]
    assert (desk.refresh.status, desk.refresh.attempts) == (Status.RUNNING, 1)
    assert desk.refresh.job == {"id": "j1"}


def test_a_job_on_record_is_not_asked_for_again() -> None:
    desk = Desk()
    first, stored = desk.call(), desk.refresh
    for seconds in (30, 900):
        desk.clock.now += seconds
        assert desk.call() == first
    assert desk.connector.triggered == 1
    assert desk.refresh == stored


@pytest.mark.parametrize(
    ("writes", "asked"),
    [
        pytest.param(1, 1, id="before-the-provider-is-asked"),
        pytest.param(2, 1, id="after-the-job-is-written"),
    ],
)
def test_a_crash_costs_no_second_job_where_one_can_know(writes: int, asked: int) -> None:
    desk = Desk()
    with pytest.raises(Crash):
        desk.call(refreshes=CrashingRefreshes(desk.tables, writes=writes))
    assert desk.call().outcome is TicketOutcome.RUNNING
    assert desk.connector.triggered == asked


def test_an_intent_without_a_job_is_asked_again_and_counted() -> None:
    desk = Desk(Crash(), Triggered(job={"id": "j2"}))
    with pytest.raises(Crash):
        desk.call()
    assert desk.call().job == {"id": "j2"}
    assert (desk.refresh.attempts, desk.connector.triggered) == (2, 2)


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        pytest.param(ProviderUnavailable(), 1, id="no-answer"),
        pytest.param(RateLimited(wait_seconds=42), 42, id="limited-with-a-wish"),
        pytest.param(ProviderUnavailable(wait_seconds=0), 1, id="limited-without-a-wish"),
    ],
)
def test_a_provider_that_is_away_is_asked_later(fault: ProviderUnavailable, wait: int) -> None:
    desk = Desk(fault)
    ticket = desk.call()
    assert (ticket.outcome, ticket.wait_seconds) == (TicketOutcome.LATER, wait)
    facts = {"error": fault.name(), "wait_seconds": wait}
    assert desk.refresh.events[-1].facts == facts


def test_a_provider_that_stays_away_is_asked_less_and_less_often() -> None:
    desk = Desk(ProviderUnavailable())
    waits = []
    for _ in range(5):
        ticket = desk.call()
        waits.append(ticket.wait_seconds)
        desk.clock.now += ticket.wait_seconds
    assert waits == [1, 2, 4, 8, 16]


def test_a_wait_past_the_deadline_is_not_begun() -> None:
    desk = Desk(RateLimited(wait_seconds=900))
    ticket = desk.call()
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, "RateLimited")


def test_who_comes_back_too_late_says_what_for_it_was_put_off() -> None:
    desk = Desk(ProviderUnavailable())
    assert desk.call().outcome is TicketOutcome.LATER
    desk.clock.now += 900
    assert desk.call().error == "ProviderUnavailable"
    assert desk.connector.triggered == 1


def test_nothing_is_asked_at_or_after_the_deadline() -> None:
    desk = Desk()
    desk.clock.now += 900
    assert desk.call().error == "DeadlineExceeded"
    assert desk.connector.triggered == 0


@pytest.mark.parametrize("last", ["admitted", "triggering"])
def test_who_never_came_to_an_end_in_time_was_kept_from_it_by_the_platform(last: str) -> None:
    """No call was let through, or none of them to its end: the provider has had no time to take."""
    desk = Desk()
    event = Event(version=1, type=last, at=desk.clock())
    desk.refreshes.save(replace(desk.refresh, events=(event,)), seen=0)
    desk.clock.now += 900
    assert desk.call().error == "PlatformFault"
    assert desk.connector.triggered == 0


@pytest.mark.parametrize("error", [ReauthRequired(), InteractionRequired(), ConfigurationInvalid()])
def test_what_a_person_must_mend_fails_at_once_by_name(error: FreshetError) -> None:
    ticket = Desk(error).call()
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, error.name())


def test_a_defect_is_raised() -> None:
    with pytest.raises(UnexpectedAnswer):
        Desk(UnexpectedAnswer()).call()


def test_two_workers_at_the_door_make_one_job() -> None:
    desk = Desk()
    seen_by_both = desk.refresh
    desk.call()
    late = Desk()
    late.refreshes = desk.refreshes
    with pytest.raises(Superseded):
        trigger(
            seen_by_both,
            connection=a_connection(),
            connector=late.connector,
            refreshes=desk.refreshes,
            seen={},
            clock=desk.clock,
            seconds_left=lambda: 1000,
        )
    assert late.connector.triggered == 0


@pytest.mark.parametrize("outcome", [RefreshOutcome.JOINED, RefreshOutcome.FRESH])
def test_a_request_that_is_answered_already_gets_the_answering_refresh(
    outcome: RefreshOutcome,
) -> None:
    ticket = to_ticket(Admission(outcome=outcome, refresh_id="ref_9"), "con_1")
    assert (ticket.outcome, ticket.refresh_id, ticket.looks) == (
        TicketOutcome(outcome),
        "ref_9",
        (),
    )


def test_the_plan_of_looks_begins_at_the_trigger_not_at_the_request() -> None:
    desk = Desk()
    desk.clock.now += 300
    ticket = desk.call()
    assert ticket.looks[-1] == 600
    assert replace(ticket, looks=()).deadline == ticket.triggered_at + 600


# --- a job in parts ----------------------------------------------------------------------------

HALF = Triggered(job={"a": 1}, more=True, webhooks={"digest-a": "a"})
WHOLE = Triggered(job={"a": 1, "b": 2}, webhooks={"digest-b": "b"})


def test_a_job_in_parts_is_asked_for_until_it_is_whole() -> None:
    desk = Desk(HALF, WHOLE)
    ticket = desk.call()
    assert (ticket.outcome, ticket.job, ticket.has_webhook) == (
        TicketOutcome.RUNNING,
        WHOLE.job,
        True,
    )
    assert [order.job for order in desk.connector.orders] == [None, HALF.job]
    assert desk.refresh.webhooks == {"digest-a": "a", "digest-b": "b"}
    assert desk.refresh.attempts == 1


def test_a_part_that_was_taken_is_not_asked_for_again_after_a_fault() -> None:
    desk = Desk(HALF, ProviderUnavailable(), WHOLE)
    assert desk.call().outcome is TicketOutcome.LATER
    assert desk.call().job == WHOLE.job
    assert [order.job for order in desk.connector.orders] == [None, HALF.job, HALF.job]


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_a_worker_that_dies_between_two_parts_costs_one_of_them_at_most(writes: int) -> None:
    desk = Desk(HALF, WHOLE, WHOLE)
    with pytest.raises(Crash):
        desk.call(refreshes=CrashingRefreshes(desk.tables, writes=writes))
    assert desk.call().job == WHOLE.job
    assert desk.connector.triggered <= 3


def test_the_rest_is_left_to_another_call_when_time_runs_short() -> None:
    desk = Desk(HALF, WHOLE)
    ticket = desk.call(seconds_left=PART_SECONDS - 1)
    assert (ticket.outcome, ticket.wait_seconds) == (TicketOutcome.LATER, 1)
    assert desk.call(seconds_left=PART_SECONDS).outcome is TicketOutcome.RUNNING
    assert desk.connector.triggered == 2


def test_a_first_part_is_asked_for_however_little_time_is_left() -> None:
    assert Desk().call(seconds_left=1).outcome is TicketOutcome.RUNNING


def test_where_the_provider_answers_when_it_is_done_the_rest_needs_time_for_that() -> None:
    desk = Desk(HALF, WHOLE, synchronous=True)
    assert desk.call(seconds_left=SYNCHRONOUS_SECONDS - 1).outcome is TicketOutcome.LATER
    assert desk.call(seconds_left=SYNCHRONOUS_SECONDS).outcome is TicketOutcome.RUNNING


def test_a_job_in_parts_was_triggered_when_its_first_was() -> None:
    desk = Desk(HALF, ProviderUnavailable(), WHOLE)
    began = desk.clock()
    desk.call()
    desk.clock.now += 30
    assert desk.call().triggered_at == desk.refresh.triggered_at == began


def test_a_job_that_was_lost_is_begun_anew_and_nothing_of_it_stays() -> None:
    desk = Desk(HALF, WHOLE, Triggered(job={"id": "j2"}))
    desk.call()
    desk.refreshes.save(lose_job(desk.refresh, at=desk.clock()), seen=desk.refresh.version)
    desk.clock.now += 30
    ticket = desk.call()
    assert (ticket.job, ticket.triggered_at) == ({"id": "j2"}, desk.clock())
    assert desk.refresh.webhooks == {}


def test_a_job_without_webhooks_is_not_waited_for_with_one() -> None:
    assert not Desk().call().has_webhook


AWAITED = InteractionRequired(awaited=True)
TAKEN = Triggered(job={"id": "j1"})
ITEM = 400 * 1024
"""Bytes that DynamoDB takes as one item."""


def waits_of(desk: Desk) -> list[int]:
    """Come back whenever the ticket says, until the refresh fails: how long each wait was."""
    waits = []
    while (ticket := desk.call()).outcome is TicketOutcome.LATER:
        waits.append(ticket.wait_seconds)
        desk.clock.now += ticket.wait_seconds
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, "InteractionRequired")
    return waits


def test_whoever_asks_sees_for_whom_the_refresh_waits() -> None:
    desk = Desk(AWAITED)
    assert desk.call().outcome is TicketOutcome.LATER
    event = desk.refresh.events[-1]
    assert event.type == "postponed"
    assert event.facts == {"error": "InteractionRequired", "wait_seconds": 2}
    assert desk.refresh.job is None


def test_people_are_waited_for_until_the_deadline_and_no_longer() -> None:
    desk = Desk(AWAITED, deadline=600)
    waits = waits_of(desk)
    assert waits == [2, 4, 8, 16, 32, 64, 120, 120, 120, 114]
    assert desk.clock() == desk.refresh.deadline
    assert desk.connector.triggered == len(waits)


def test_a_deadline_between_two_seconds_is_waited_out() -> None:
    assert waits_of(Desk(AWAITED, deadline=4.5)) == [2, 3]


def test_the_job_is_begun_once_the_user_has_acted() -> None:
    desk = Desk(AWAITED, AWAITED, TAKEN)
    for _ in range(2):
        assert desk.call().outcome is TicketOutcome.LATER
    ticket = desk.call()
    assert (ticket.outcome, ticket.job) == (TicketOutcome.RUNNING, TAKEN.job)
    assert desk.refresh.triggered_at == desk.clock()


def test_the_longest_wait_stays_far_below_what_is_stored_as_one_item() -> None:
    desk = Desk(AWAITED, deadline=MAX_DEADLINE_SECONDS)
    assert len(waits_of(desk)) < 200
    assert len(msgspec.json.encode(desk.refresh)) < ITEM / 8


@pytest.mark.parametrize("hook", ["digest", ""])
def test_only_where_the_provider_may_tell_of_the_user_that_is_waited_for(hook: str) -> None:
    desk = Desk(AWAITED, connection=a_connection(webhook=hook))
    assert desk.call().has_webhook is bool(hook)


@pytest.mark.parametrize("writes", [1, 2])
def test_a_worker_that_dies_meanwhile_begins_nothing(writes: int) -> None:
    desk = Desk(AWAITED)
    with pytest.raises(Crash):
        desk.call(refreshes=CrashingRefreshes(desk.tables, writes=writes))
    ticket = desk.call()
    assert (ticket.outcome, ticket.wait_seconds) == (TicketOutcome.LATER, 4)
    assert desk.refresh.job is None


def test_a_user_who_does_not_come_forbids_no_refresh() -> None:
    desk = Desk(AWAITED)
    waits_of(desk)
    assert desk.tables.connections[CONNECTION].connection.next_allowed_at == 0
