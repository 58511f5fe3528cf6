"""A push with others at work on it: other calls, executions that broke off, an erasure."""

from __future__ import annotations

import pytest

from functions.core.contract import PushTicketOutcome
from functions.core.errors import Aborted, Superseded
from functions.core.push import model as step
from functions.core.push.advance import end
from functions.core.push.model import PushStatus, push_id_of
from tests.support.fakes.pushes import PUSH
from tests.support.push_harness import RUNNING, PushHarness


def test_of_two_calls_that_begin_at_once_one_sends() -> None:
    harness = PushHarness(looks=(RUNNING,))
    seen = harness.push
    harness.call(seen)
    assert harness.call(seen).outcome is PushTicketOutcome.RUNNING
    assert harness.push.status is PushStatus.SENT
    assert len(harness.pusher.given) == 1


def test_a_call_that_comes_too_late_to_send_waits_for_the_one_that_does() -> None:
    harness = PushHarness()
    seen = harness.push
    begun = step.begin_sending(seen, webhook="another's", at=harness.clock())
    harness.pushes.save(begun, seen=seen.version)
    ticket = harness.call(seen)
    assert (ticket.outcome, ticket.wait_seconds) == (PushTicketOutcome.RUNNING, 1)
    assert harness.pusher.given == []
    assert harness.push == begun


def test_a_push_that_was_erased_is_not_sent() -> None:
    harness = PushHarness()
    seen = harness.push
    harness.pushes.delete(PUSH)
    with pytest.raises(Superseded):
        harness.call(seen)
    assert harness.pusher.given == []


@pytest.mark.parametrize(
    ("status", "then"),
    [
        (PushStatus.ACCEPTED, PushStatus.FAILED),
        (PushStatus.SENDING, PushStatus.UNKNOWN_OUTCOME),
        (PushStatus.SENT, PushStatus.UNKNOWN_OUTCOME),
    ],
)
def test_an_execution_that_breaks_off_ends_its_push(status: PushStatus, then: PushStatus) -> None:
    harness = PushHarness()
    harness.change(status=status)
    end(harness.push, Aborted, pushes=harness.pushes, contents=harness.contents, at=harness.clock())
    assert harness.push.status is then
    assert harness.kept is (then is PushStatus.UNKNOWN_OUTCOME)


@pytest.mark.parametrize("status", [each for each in PushStatus if each.has_ended])
def test_a_push_that_has_ended_stays_as_it_is(status: PushStatus) -> None:
    harness = PushHarness()
    harness.change(status=status)
    before = harness.push
    end(harness.push, Aborted, pushes=harness.pushes, contents=harness.contents, at=harness.clock())
    harness.call()
    assert harness.push == before
    assert harness.pusher.given == []


def test_an_execution_is_named_by_its_push_and_where_it_goes_on() -> None:
    harness = PushHarness()
    first = harness.push.execution
    assert push_id_of(first) == PUSH
    assert len(first) <= 80
    harness.clock.now += 0.5
    harness.call()
    assert harness.push.execution != first
