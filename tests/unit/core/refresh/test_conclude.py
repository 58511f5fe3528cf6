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


class ConcludeHarness:
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
    harness = ConcludeHarness()
    done = harness.call(error="ReauthRequired")
    assert isinstance(done.error, ReauthRequired)
    assert (done.ended, done.refresh) == (True, harness.refresh)
    assert (harness.refresh.status, harness.refresh.error) == (Status.FAILED, "ReauthRequired")
    assert harness.refresh.events[-1].facts == {"error": "ReauthRequired"}
    assert harness.running is None


@pytest.mark.parametrize("error", [None, "", "States.Runtime", "KeyError"])
def test_an_error_that_is_not_ours_is_a_defect(error: str | None) -> None:
    assert isinstance(ConcludeHarness().call(error=error).error, Defect)


def test_a_refresh_ends_once_and_keeps_its_first_error() -> None:
    harness = ConcludeHarness()
    harness.call(error="ReauthRequired")
    first = harness.refresh
    done = harness.call(error="Defect")
    assert harness.refresh == first
    assert not done.ended
    assert isinstance(done.error, ReauthRequired)


def test_a_slot_that_a_crash_left_taken_is_freed_by_the_repetition() -> None:
    harness = ConcludeHarness()
    ended = step.fail(harness.refresh, Defect, at=0)
    harness.refreshes.save(ended, seen=harness.refresh.version)
    assert harness.running is not None
    harness.call()
    assert harness.running is None


@pytest.mark.parametrize("outcome", [TicketOutcome.JOINED, TicketOutcome.FRESH])
def test_a_request_that_another_refresh_answers_ends_nothing(outcome: TicketOutcome) -> None:
    harness = ConcludeHarness()
    before = harness.refresh
    assert harness.call(outcome) == Concluded()
    assert (harness.refresh, harness.running is None) == (before, False)


def test_what_was_published_before_something_broke_stays_published() -> None:
    harness = ConcludeHarness()
    ticket = a_ticket(at=harness.clock())
    ended = step.publish(harness.refresh, a_manifest(as_of=1), ticket=ticket, at=harness.clock())
    harness.refreshes.save(ended, seen=harness.refresh.version)
    done = harness.call(TicketOutcome.READY, error="Lambda.Unknown")
    assert done == Concluded(refresh=harness.refresh)
    assert harness.refresh.status is Status.PUBLISHED


def test_a_refresh_that_was_never_admitted_fails_the_execution_by_name() -> None:
    harness = ConcludeHarness()
    harness.refreshes.delete(REFRESH)
    done = harness.call(error="InvalidRequest")
    assert not done.ended
    assert type(done.error).__name__ == "InvalidRequest"


def test_an_execution_that_was_stopped_leaves_an_ended_refresh_and_no_error() -> None:
    harness = ConcludeHarness()
    done = harness.call(TicketOutcome.ABORTED, error=Aborted.name())
    assert done.error is None
    assert (harness.refresh.status, harness.refresh.error) == (Status.FAILED, "Aborted")
    assert harness.running is None


def test_a_stopped_execution_without_a_refresh_is_no_error() -> None:
    harness = ConcludeHarness()
    harness.refreshes.delete(REFRESH)
    assert harness.call(TicketOutcome.ABORTED) == Concluded(unpublished=True)


def test_a_slot_that_another_refresh_has_by_now_is_left_alone() -> None:
    harness = ConcludeHarness()
    harness.clock.now = harness.refresh.deadline + 1
    other = a_refresh("ref_2", at=harness.clock())
    harness.refreshes.admit(other, until=other.deadline)
    harness.call()
    assert harness.running == Running(refresh_id="ref_2", until=other.deadline)


def test_a_start_that_its_provider_forbids_fails_the_execution_by_that_name() -> None:
    harness = ConcludeHarness()
    harness.refreshes.delete(REFRESH)
    error = harness.call(error=CoolingDown.name()).error
    assert isinstance(error, CoolingDown)
    assert error.action == "retry"


# --- cancelling --------------------------------------------------------------------------------


def test_a_cancelled_refresh_ends_and_frees_its_slot() -> None:
    harness = ConcludeHarness()
    found = cancel(harness.refresh, refreshes=harness.refreshes, clock=harness.clock)
    assert found == (harness.refresh, True)
    assert (harness.refresh.status, harness.refresh.error) == (Status.CANCELLED, None)
    assert harness.refresh.events[-1].type == "cancelled"
    assert harness.running is None


def test_cancelling_again_changes_nothing_and_mends_a_slot_that_a_crash_left() -> None:
    harness = ConcludeHarness()
    harness.refreshes.save(step.cancel(harness.refresh, at=1), seen=harness.refresh.version)
    first, held = harness.refresh, harness.running
    assert held is not None
    assert cancel(first, refreshes=harness.refreshes, clock=harness.clock) == (first, False)
    assert (harness.refresh, harness.running) == (first, None)


def test_a_writer_meanwhile_gets_in_first_and_is_cancelled_all_the_same() -> None:
    harness = ConcludeHarness()
    read = harness.refresh
    harness.refreshes.save(step.accept_job(read, Triggered(job={}), at=1), seen=read.version)
    cancelled, ended = cancel(read, refreshes=harness.refreshes, clock=harness.clock)
    assert ended
    assert [event.type for event in cancelled.events] == ["triggered", "cancelled"]


def test_a_publication_that_was_first_stands() -> None:
    harness = ConcludeHarness()
    read = harness.refresh
    ticket = a_ticket(at=harness.clock())
    published = step.publish(read, a_manifest(as_of=1), ticket=ticket, at=harness.clock())
    harness.refreshes.save(published, seen=read.version)
    found = cancel(read, refreshes=harness.refreshes, clock=harness.clock)
    assert found == (published, False)


def test_what_was_erased_meanwhile_is_not_there_to_be_cancelled() -> None:
    harness = ConcludeHarness()
    read = harness.refresh
    harness.refreshes.delete(REFRESH)
    with pytest.raises(NotFound):
        cancel(read, refreshes=harness.refreshes, clock=harness.clock)


@pytest.mark.parametrize("outcome", [TicketOutcome.ABORTED, TicketOutcome.FAILED])
def test_whatever_becomes_of_its_execution_a_cancelled_refresh_stays_cancelled(
    outcome: TicketOutcome,
) -> None:
    harness = ConcludeHarness()
    cancelled, _ = cancel(harness.refresh, refreshes=harness.refreshes, clock=harness.clock)
    done = harness.call(outcome, error="Superseded")
    assert done == Concluded(refresh=cancelled, unpublished=True)
    assert harness.refresh == cancelled
