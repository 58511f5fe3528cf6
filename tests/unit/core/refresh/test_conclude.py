"""Ending what is not published."""

from __future__ import annotations

import pytest

from functions.core.contract import TicketOutcome
from functions.core.errors import Aborted, CoolingDown, Defect, NotFound, ReauthRequired
from functions.core.model import Refresh, Running, Status
from functions.core.ports import Triggered
from functions.core.refresh import steps as step
from functions.core.refresh.conclude import Concluded, cancel, conclude
from tests.support.fakes.stores import Clock, Tables
from tests.support.scripted_connector import (
    CONNECTION,
    REFRESH,
    a_manifest,
    a_refresh,
    a_ticket,
    stocked,
)


class Desk:
    """A refresh that holds its slot."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.connections, self.refreshes = stocked(Tables(), self.clock)
        refresh = a_refresh(at=self.clock())
        self.refreshes.admit(refresh, until=refresh.deadline)

    def call(
        self, outcome: TicketOutcome = TicketOutcome.FAILED, error: str | None = None
    ) -> Concluded:
        ticket = a_ticket(at=self.clock(), outcome=outcome, error=error)
        return conclude(ticket, refreshes=self.refreshes, clock=self.clock)

    @property
    def refresh(self) -> Refresh:
        refresh = self.refreshes.get(REFRESH)
        assert refresh is not None
        return refresh

    @property
    def running(self) -> Running | None:
        connection = self.connections.get(CONNECTION)
        assert connection is not None
        return connection.running


def test_a_failed_refresh_ends_under_its_error_and_frees_its_slot() -> None:
    desk = Desk()
    done = desk.call(error="ReauthRequired")
    assert isinstance(done.error, ReauthRequired)
    assert (done.ended, done.refresh) == (True, desk.refresh)
    assert (desk.refresh.status, desk.refresh.error) == (Status.FAILED, "ReauthRequired")
    assert desk.refresh.events[-1].facts == {"error": "ReauthRequired"}
    assert desk.running is None


@pytest.mark.parametrize("error", [None, "", "States.Runtime", "KeyError"])
def test_an_error_that_is_not_ours_is_a_defect(error: str | None) -> None:
    assert isinstance(Desk().call(error=error).error, Defect)


def test_a_refresh_ends_once_and_keeps_its_first_error() -> None:
    desk = Desk()
    desk.call(error="ReauthRequired")
    first = desk.refresh
    done = desk.call(error="Defect")
    assert desk.refresh == first
    assert not done.ended
    assert isinstance(done.error, ReauthRequired)


def test_a_slot_that_a_crash_left_taken_is_freed_by_the_repetition() -> None:
    desk = Desk()
    ended = step.fail(desk.refresh, Defect, at=0)
    desk.refreshes.save(ended, seen=desk.refresh.version)
    assert desk.running is not None
    desk.call()
    assert desk.running is None


@pytest.mark.parametrize("outcome", [TicketOutcome.JOINED, TicketOutcome.FRESH])
def test_a_request_that_another_refresh_answers_ends_nothing(outcome: TicketOutcome) -> None:
    desk = Desk()
    before = desk.refresh
    assert desk.call(outcome) == Concluded()
    assert (desk.refresh, desk.running is None) == (before, False)


def test_what_was_published_before_something_broke_stays_published() -> None:
    desk = Desk()
    ticket = a_ticket(at=desk.clock())
    ended = step.publish(desk.refresh, a_manifest(as_of=1), ticket=ticket, at=desk.clock())
    desk.refreshes.save(ended, seen=desk.refresh.version)
    done = desk.call(TicketOutcome.READY, error="Lambda.Unknown")
    assert done == Concluded(refresh=desk.refresh)
    assert desk.refresh.status is Status.PUBLISHED


def test_a_refresh_that_was_never_admitted_fails_the_execution_by_name() -> None:
    desk = Desk()
    desk.refreshes.delete(REFRESH)
    done = desk.call(error="InvalidRequest")
    assert not done.ended
    assert type(done.error).__name__ == "InvalidRequest"


def test_an_execution_that_was_stopped_leaves_an_ended_refresh_and_no_error() -> None:
    desk = Desk()
    done = desk.call(TicketOutcome.ABORTED, error=Aborted.name())
    assert done.error is None
    assert (desk.refresh.status, desk.refresh.error) == (Status.FAILED, "Aborted")
    assert desk.running is None


def test_a_stopped_execution_without_a_refresh_is_no_error() -> None:
    desk = Desk()
    desk.refreshes.delete(REFRESH)
    assert desk.call(TicketOutcome.ABORTED) == Concluded(unpublished=True)


def test_a_slot_that_another_refresh_has_by_now_is_left_alone() -> None:
    desk = Desk()
    desk.clock.now = desk.refresh.deadline + 1
    other = a_refresh("ref_2", at=desk.clock())
    desk.refreshes.admit(other, until=other.deadline)
    desk.call()
    assert desk.running == Running(refresh_id="ref_2", until=other.deadline)


def test_a_start_that_its_provider_forbids_fails_the_execution_by_that_name() -> None:
    desk = Desk()
    desk.refreshes.delete(REFRESH)
    error = desk.call(error=CoolingDown.name()).error
    assert isinstance(error, CoolingDown)
    assert error.action == "retry"


# --- cancelling --------------------------------------------------------------------------------


def test_a_cancelled_refresh_ends_and_frees_its_slot() -> None:
    desk = Desk()
    found = cancel(desk.refresh, refreshes=desk.refreshes, clock=desk.clock)
    assert found == (desk.refresh, True)
    assert (desk.refresh.status, desk.refresh.error) == (Status.CANCELLED, None)
    assert desk.refresh.events[-1].type == "cancelled"
    assert desk.running is None


def test_cancelling_again_changes_nothing_and_mends_a_slot_that_a_crash_left() -> None:
    desk = Desk()
    desk.refreshes.save(step.cancel(desk.refresh, at=1), seen=desk.refresh.version)
    first, held = desk.refresh, desk.running
    assert held is not None
    assert cancel(first, refreshes=desk.refreshes, clock=desk.clock) == (first, False)
    assert (desk.refresh, desk.running) == (first, None)


def test_whoever_writes_meanwhile_gets_in_first_and_is_cancelled_all_the_same() -> None:
    desk = Desk()
    read = desk.refresh
    desk.refreshes.save(step.accept_job(read, Triggered(job={}), at=1), seen=read.version)
    cancelled, ended = cancel(read, refreshes=desk.refreshes, clock=desk.clock)
    assert ended
    assert [event.type for event in cancelled.events] == ["triggered", "cancelled"]


def test_a_publication_that_was_first_stands() -> None:
    desk = Desk()
    read = desk.refresh
    ticket = a_ticket(at=desk.clock())
    published = step.publish(read, a_manifest(as_of=1), ticket=ticket, at=desk.clock())
    desk.refreshes.save(published, seen=read.version)
    found = cancel(read, refreshes=desk.refreshes, clock=desk.clock)
    assert found == (published, False)


def test_what_was_erased_meanwhile_is_not_there_to_be_cancelled() -> None:
    desk = Desk()
    read = desk.refresh
    desk.refreshes.delete(REFRESH)
    with pytest.raises(NotFound):
        cancel(read, refreshes=desk.refreshes, clock=desk.clock)


@pytest.mark.parametrize("outcome", [TicketOutcome.ABORTED, TicketOutcome.FAILED])
def test_whatever_becomes_of_its_execution_a_cancelled_refresh_stays_cancelled(
    outcome: TicketOutcome,
) -> None:
    desk = Desk()
    cancelled, _ = cancel(desk.refresh, refreshes=desk.refreshes, clock=desk.clock)
    done = desk.call(outcome, error="Superseded")
    assert done == Concluded(refresh=cancelled, unpublished=True)
    assert desk.refresh == cancelled
