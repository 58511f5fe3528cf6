"""The job at the provider is started once as far as we can know, now or after the user acts."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.budget import PAUSED_SECONDS
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
    ConsentMissing,
    FreshetError,
    InteractionRequired,
    ProviderPaused,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    Superseded,
    UnexpectedAnswer,
)
from functions.core.model import Connection, Event, Interval, Refresh, Status, StoredCredentials
from functions.core.polling import plan
from functions.core.ports import Triggered
from functions.core.refresh.admission import Admission, RefreshOutcome
from functions.core.refresh.steps import lose_job
from functions.core.refresh.trigger import to_ticket, trigger
from tests.support.fakes.stores import Clock, Connections, Refreshes, Tables
from tests.support.scripted_connector import (
    CONNECTION,
    REFRESH,
    TOKENS,
    Crash,
    CrashingRefreshes,
    Scripted,
    a_connection,
    a_refresh,
    step_ports,
    stocked,
)

KNOWN = (Interval(9, 10, 20_833), Interval(3, 4, 20_833), Interval(5, 8, 20_833))
"""How long the connection's job took, and its provider's others."""


class TriggerHarness:
    """An admitted refresh at the door, and a connector that answers as told."""

    def __init__(
        self,
        *answers: Triggered | FreshetError | Crash,
        deadline: float = 900,
        connection: Connection | None = None,
        synchronous: bool = False,
        wait_for_user: bool = False,
    ) -> None:
        self._connection = connection or a_connection(intervals=KNOWN[:1])
        self.clock, self.tables = Clock(), Tables()
        self.credentials, self.refreshes = stocked(self.tables, self.clock)
        self.connector = Scripted(self.clock, triggers=answers or (Triggered(job={"id": "j1"}),))
        refresh = a_refresh(
            at=self.clock(),
            deadline=self.clock() + deadline,
            synchronous=synchronous,
            wait_for_user=wait_for_user,
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
            step_ports(
                self.connector,
                refreshes or self.refreshes,
                clock=self.clock,
                connection=self._connection,
                left=lambda: seconds_left,
            ),
            credentials=self.credentials,
            others=KNOWN[1:],
        )


def test_the_ticket_says_when_looks_pay_and_until_when() -> None:
    harness = TriggerHarness()
    ticket = harness.call()
    assert (ticket.outcome, ticket.job) == (TicketOutcome.RUNNING, {"id": "j1"})
    assert (ticket.triggered_at, ticket.deadline) == (harness.clock(), harness.clock() + 900)
    assert ticket.looks == plan(KNOWN[:1], KNOWN[1:], at=harness.clock())
    assert harness.refresh.looks == ticket.looks
    assert 0 < len(ticket.looks) <= MAX_LOOKS


def test_a_job_that_was_triggered_synchronously_is_looked_at_at_once() -> None:
    assert TriggerHarness(synchronous=True).call().looks == (0,)


def test_the_intent_is_written_before_and_the_job_after() -> None:
    harness = TriggerHarness()
    harness.call()
    assert [event.type for event in harness.refresh.events] == ["triggering", "triggered"]
    assert (harness.refresh.status, harness.refresh.attempts) == (Status.RUNNING, 1)
    assert harness.refresh.job == {"id": "j1"}


def test_a_job_on_record_is_not_asked_for_again() -> None:
    harness = TriggerHarness()
    first, stored = harness.call(), harness.refresh
    for seconds in (30, 900):
        harness.clock.now += seconds
        assert harness.call() == first
    assert harness.connector.triggered == 1
    assert harness.refresh == stored


@pytest.mark.parametrize(
    ("writes", "asked"),
    [
        pytest.param(1, 1, id="before-the-provider-is-asked"),
        pytest.param(2, 1, id="after-the-job-is-written"),
    ],
)
def test_a_crash_costs_no_second_job_where_one_can_know(writes: int, asked: int) -> None:
    harness = TriggerHarness()
    with pytest.raises(Crash):
        harness.call(refreshes=CrashingRefreshes(harness.tables, writes=writes))
    assert harness.call().outcome is TicketOutcome.RUNNING
    assert harness.connector.triggered == asked


def test_an_intent_without_a_job_is_asked_again_and_counted() -> None:
    harness = TriggerHarness(Crash(), Triggered(job={"id": "j2"}))
    with pytest.raises(Crash):
        harness.call()
    assert harness.call().job == {"id": "j2"}
    assert (harness.refresh.attempts, harness.connector.triggered) == (2, 2)


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        pytest.param(ProviderUnavailable(), 1, id="no-answer"),
        pytest.param(RateLimited(wait_seconds=42), 42, id="limited-with-a-wish"),
        pytest.param(ProviderUnavailable(wait_seconds=0), 1, id="limited-without-a-wish"),
    ],
)
def test_a_provider_that_is_away_is_asked_later(fault: ProviderUnavailable, wait: int) -> None:
    harness = TriggerHarness(fault)
    ticket = harness.call()
    assert (ticket.outcome, ticket.wait_seconds) == (TicketOutcome.LATER, wait)
    facts = {"error": fault.name(), "wait_seconds": wait}
    assert harness.refresh.events[-1].facts == facts


def test_a_provider_that_stays_away_is_asked_less_and_less_often() -> None:
    harness = TriggerHarness(ProviderUnavailable())
    waits = []
    for _ in range(5):
        ticket = harness.call()
        waits.append(ticket.wait_seconds)
        harness.clock.now += ticket.wait_seconds
    assert waits == [1, 2, 4, 8, 16]


def test_a_wait_past_the_deadline_is_not_begun() -> None:
    harness = TriggerHarness(RateLimited(wait_seconds=900))
    ticket = harness.call()
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, "RateLimited")


def test_who_comes_back_too_late_says_what_for_it_was_put_off() -> None:
    harness = TriggerHarness(ProviderUnavailable())
    assert harness.call().outcome is TicketOutcome.LATER
    harness.clock.now += 900
    assert harness.call().error == "ProviderUnavailable"
    assert harness.connector.triggered == 1


def test_a_provider_that_the_operator_has_paused_is_waited_for_until_the_deadline() -> None:
    harness = TriggerHarness(ProviderPaused(wait_seconds=PAUSED_SECONDS, unsent=True))
    while (ticket := harness.call()).outcome is TicketOutcome.LATER:
        assert ticket.wait_seconds == PAUSED_SECONDS
        harness.clock.now += ticket.wait_seconds
    assert ticket.error == "ProviderPaused"
    assert harness.clock.now > harness.refresh.deadline - PAUSED_SECONDS - 1


def test_nothing_is_asked_at_or_after_the_deadline() -> None:
    harness = TriggerHarness()
    harness.clock.now += 900
    assert harness.call().error == "DeadlineExceeded"
    assert harness.connector.triggered == 0


@pytest.mark.parametrize("last", ["admitted", "triggering"])
def test_who_never_came_to_an_end_in_time_was_kept_from_it_by_the_platform(last: str) -> None:
    """No call was let through, or none of them to its end: the provider has had no time to take."""
    harness = TriggerHarness()
    event = Event(version=1, type=last, at=harness.clock())
    harness.refreshes.save(replace(harness.refresh, events=(event,)), seen=0)
    harness.clock.now += 900
    assert harness.call().error == "PlatformFault"
    assert harness.connector.triggered == 0


@pytest.mark.parametrize("error", [ReauthRequired(), InteractionRequired(), ConfigurationInvalid()])
def test_what_a_person_must_mend_fails_at_once_by_name(error: FreshetError) -> None:
    ticket = TriggerHarness(error).call()
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, error.name())


def test_a_defect_is_raised() -> None:
    with pytest.raises(UnexpectedAnswer):
        TriggerHarness(UnexpectedAnswer()).call()


def test_two_workers_at_the_door_make_one_job() -> None:
    harness = TriggerHarness()
    seen_by_both = harness.refresh
    harness.call()
    late = TriggerHarness()
    late.refreshes = harness.refreshes
    ports = step_ports(late.connector, harness.refreshes, clock=harness.clock)
    with pytest.raises(Superseded):
        trigger(seen_by_both, ports, credentials=late.credentials, others=())
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


def test_looks_begin_at_the_trigger_and_the_deadline_at_the_request() -> None:
    harness = TriggerHarness()
    harness.clock.now += 300
    ticket = harness.call()
    assert ticket.triggered_at == harness.clock()
    assert ticket.deadline == ticket.triggered_at + 600


# --- a job in parts ----------------------------------------------------------------------------

HALF = Triggered(job={"a": 1}, more=True, webhooks={"digest-a": "a"})
WHOLE = Triggered(job={"a": 1, "b": 2}, webhooks={"digest-b": "b"})


def test_a_job_in_parts_is_asked_for_until_it_is_whole() -> None:
    harness = TriggerHarness(HALF, WHOLE)
    ticket = harness.call()
    assert (ticket.outcome, ticket.job, ticket.has_webhook) == (
        TicketOutcome.RUNNING,
        WHOLE.job,
        True,
    )
    assert [order.job for order in harness.connector.orders] == [None, HALF.job]
    assert harness.refresh.webhooks == {"digest-a": "a", "digest-b": "b"}
    assert harness.refresh.attempts == 1


def test_a_part_that_was_taken_is_not_asked_for_again_after_a_fault() -> None:
    harness = TriggerHarness(HALF, ProviderUnavailable(), WHOLE)
    assert harness.call().outcome is TicketOutcome.LATER
    assert harness.call().job == WHOLE.job
    assert [order.job for order in harness.connector.orders] == [None, HALF.job, HALF.job]


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_a_worker_that_dies_between_two_parts_costs_one_of_them_at_most(writes: int) -> None:
    harness = TriggerHarness(HALF, WHOLE, WHOLE)
    with pytest.raises(Crash):
        harness.call(refreshes=CrashingRefreshes(harness.tables, writes=writes))
    assert harness.call().job == WHOLE.job
    assert harness.connector.triggered <= 3


def test_the_rest_is_left_to_another_call_when_time_runs_short() -> None:
    harness = TriggerHarness(HALF, WHOLE)
    ticket = harness.call(seconds_left=PART_SECONDS - 1)
    assert (ticket.outcome, ticket.wait_seconds) == (TicketOutcome.LATER, 1)
    assert harness.call(seconds_left=PART_SECONDS).outcome is TicketOutcome.RUNNING
    assert harness.connector.triggered == 2


def test_a_first_part_is_asked_for_however_little_time_is_left() -> None:
    assert TriggerHarness().call(seconds_left=1).outcome is TicketOutcome.RUNNING


def test_where_the_provider_answers_when_it_is_done_the_rest_needs_time_for_that() -> None:
    harness = TriggerHarness(HALF, WHOLE, synchronous=True)
    assert harness.call(seconds_left=SYNCHRONOUS_SECONDS - 1).outcome is TicketOutcome.LATER
    assert harness.call(seconds_left=SYNCHRONOUS_SECONDS).outcome is TicketOutcome.RUNNING


def test_a_job_in_parts_was_triggered_when_its_first_was() -> None:
    harness = TriggerHarness(HALF, ProviderUnavailable(), WHOLE)
    began = harness.clock()
    harness.call()
    harness.clock.now += 30
    assert harness.call().triggered_at == harness.refresh.triggered_at == began


def test_a_job_that_was_lost_is_begun_anew_and_nothing_of_it_stays() -> None:
    harness = TriggerHarness(HALF, WHOLE, Triggered(job={"id": "j2"}))
    harness.call()
    harness.refreshes.save(
        lose_job(harness.refresh, at=harness.clock()), seen=harness.refresh.version
    )
    harness.clock.now += 30
    ticket = harness.call()
    assert (ticket.job, ticket.triggered_at) == ({"id": "j2"}, harness.clock())
    assert harness.refresh.webhooks == {}


def test_a_job_without_webhooks_is_not_waited_for_with_one() -> None:
    assert not TriggerHarness().call().has_webhook


AWAITED = InteractionRequired(awaited=True)
TAKEN = Triggered(job={"id": "j1"})
ITEM = 400 * 1024
"""Bytes that DynamoDB takes as one item."""


def waits_of(harness: TriggerHarness) -> list[int]:
    """Come back whenever the ticket says, until the refresh fails: how long each wait was."""
    waits = []
    while (ticket := harness.call()).outcome is TicketOutcome.LATER:
        waits.append(ticket.wait_seconds)
        harness.clock.now += ticket.wait_seconds
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, "InteractionRequired")
    return waits


def test_a_reader_sees_which_user_the_refresh_waits_for() -> None:
    harness = TriggerHarness(AWAITED)
    assert harness.call().outcome is TicketOutcome.LATER
    event = harness.refresh.events[-1]
    assert event.type == "postponed"
    assert event.facts == {"error": "InteractionRequired", "wait_seconds": 2}
    assert harness.refresh.job is None


def test_people_are_waited_for_until_the_deadline_and_no_longer() -> None:
    harness = TriggerHarness(AWAITED, deadline=600)
    waits = waits_of(harness)
    assert waits == [2, 4, 8, 16, 32, 64, 120, 120, 120, 114]
    assert harness.clock() == harness.refresh.deadline
    assert harness.connector.triggered == len(waits)


def test_a_deadline_between_two_seconds_is_waited_out() -> None:
    assert waits_of(TriggerHarness(AWAITED, deadline=4.5)) == [2, 3]


def test_the_job_is_begun_once_the_user_has_acted() -> None:
    harness = TriggerHarness(AWAITED, AWAITED, TAKEN)
    for _ in range(2):
        assert harness.call().outcome is TicketOutcome.LATER
    ticket = harness.call()
    assert (ticket.outcome, ticket.job) == (TicketOutcome.RUNNING, TAKEN.job)
    assert harness.refresh.triggered_at == harness.clock()


def test_the_longest_wait_stays_far_below_what_is_stored_as_one_item() -> None:
    harness = TriggerHarness(AWAITED, deadline=MAX_DEADLINE_SECONDS)
    assert len(waits_of(harness)) < 200
    assert len(msgspec.json.encode(harness.refresh)) < ITEM / 8


@pytest.mark.parametrize("hook", ["digest", ""])
def test_only_where_the_provider_may_tell_of_the_user_that_is_waited_for(hook: str) -> None:
    harness = TriggerHarness(AWAITED, connection=a_connection(webhook=hook))
    assert harness.call().has_webhook is bool(hook)


@pytest.mark.parametrize("writes", [1, 2])
def test_a_worker_that_dies_meanwhile_begins_nothing(writes: int) -> None:
    harness = TriggerHarness(AWAITED)
    with pytest.raises(Crash):
        harness.call(refreshes=CrashingRefreshes(harness.tables, writes=writes))
    ticket = harness.call()
    assert (ticket.outcome, ticket.wait_seconds) == (TicketOutcome.LATER, 4)
    assert harness.refresh.job is None


def test_a_user_who_does_not_come_forbids_no_refresh() -> None:
    harness = TriggerHarness(AWAITED)
    waits_of(harness)
    assert harness.tables.connections[CONNECTION].connection.next_allowed_at == 0


# --- a refresh that was asked to wait for its user ---------------------------------------------

MISSING_USERS = [ReauthRequired(), ConsentMissing(), InteractionRequired()]


class SignedInMeanwhile(Connections):
    """Credentials that are replaced right after the first look at them."""

    def load(self, connection_id: str, *, fresh: bool = True) -> StoredCredentials:
        stored = super().load(connection_id, fresh=fresh)
        if stored.version == 1:
            self.replace(a_connection(), TOKENS)
        return stored


@pytest.mark.parametrize("error", MISSING_USERS)
def test_a_refresh_that_waits_for_its_user_is_told_by_new_credentials(error: FreshetError) -> None:
    harness = TriggerHarness(error, wait_for_user=True)
    ticket = harness.call()
    assert (ticket.outcome, ticket.wait_seconds) == (TicketOutcome.LATER, 600)
    assert ticket.has_webhook
    event = harness.refresh.events[-1]
    assert (event.type, event.facts) == (
        "postponed",
        {"error": error.name(), "wait_seconds": 600},
    )


def test_a_user_is_waited_for_until_the_deadline_and_then_it_fails_with_what_it_waited_for() -> (
    None
):
    harness = TriggerHarness(ReauthRequired(), wait_for_user=True, deadline=1500)
    waits = []
    while (ticket := harness.call()).outcome is TicketOutcome.LATER:
        waits.append(ticket.wait_seconds)
        harness.clock.now += ticket.wait_seconds
    assert waits == [600, 600, 300]
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, "ReauthRequired")
    assert harness.clock() == harness.refresh.deadline


def test_the_refresh_goes_on_once_its_user_has_signed_in() -> None:
    harness = TriggerHarness(ReauthRequired(), TAKEN, wait_for_user=True)
    assert harness.call().outcome is TicketOutcome.LATER
    assert harness.call().job == TAKEN.job


def test_credentials_that_come_before_the_wait_is_stored_end_it_after_a_second() -> None:
    harness = TriggerHarness(ReauthRequired(), wait_for_user=True)
    harness.credentials = SignedInMeanwhile(harness.tables, clock=harness.clock)
    ticket = harness.call()
    assert (ticket.outcome, ticket.wait_seconds) == (TicketOutcome.LATER, 1)
    assert harness.call().wait_seconds == 600


def test_who_has_no_credentials_is_waited_for_as_well() -> None:
    harness = TriggerHarness(InteractionRequired(), wait_for_user=True)
    harness.credentials = Connections(Tables(), clock=harness.clock)
    assert harness.call().wait_seconds == 600


def test_what_another_person_must_mend_is_not_waited_for() -> None:
    ticket = TriggerHarness(ConfigurationInvalid(), wait_for_user=True).call()
    assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, "ConfigurationInvalid")
