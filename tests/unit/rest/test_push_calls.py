"""A push with others at work on it: other calls, executions that broke off, an erasure."""

from __future__ import annotations

import pytest

from functions.core.contract import Outcome
from functions.core.errors import Aborted, Superseded
from functions.core.push import model as step
from functions.core.push.advance import end
from functions.core.push.model import PushStatus, id_of
from tests.support.fakes.pushes import PUSH
from tests.support.push_harness import RUNNING, Dock


def test_of_two_calls_that_begin_at_once_one_sends() -> None:
    dock = Dock(looks=(RUNNING,))
    seen = dock.push
    dock.call(seen)
    assert dock.call(seen).outcome is Outcome.RUNNING
    assert dock.push.status is PushStatus.SENT
    assert len(dock.pusher.given) == 1


def test_a_call_that_comes_too_late_to_send_waits_for_the_one_that_does() -> None:
    dock = Dock()
    seen = dock.push
    begun = step.sending(seen, hook="another's", at=dock.clock())
    dock.pushes.save(begun, seen=seen.version)
    ticket = dock.call(seen)
    assert (ticket.outcome, ticket.wait_seconds) == (Outcome.RUNNING, 1)
    assert dock.pusher.given == []
    assert dock.push == begun


def test_a_push_that_was_erased_is_not_sent() -> None:
    dock = Dock()
    seen = dock.push
    dock.pushes.delete(PUSH)
    with pytest.raises(Superseded):
        dock.call(seen)
    assert dock.pusher.given == []


@pytest.mark.parametrize(
    ("status", "then"),
    [
        (PushStatus.ACCEPTED, PushStatus.FAILED),
        (PushStatus.SENDING, PushStatus.UNKNOWN_OUTCOME),
        (PushStatus.SENT, PushStatus.UNKNOWN_OUTCOME),
    ],
)
def test_an_execution_that_breaks_off_ends_its_push(status: PushStatus, then: PushStatus) -> None:
    dock = Dock()
    dock.change(status=status)
    end(dock.push, Aborted, pushes=dock.pushes, contents=dock.contents, at=dock.clock())
    assert dock.push.status is then
    assert dock.kept is (then is PushStatus.UNKNOWN_OUTCOME)


@pytest.mark.parametrize("status", [each for each in PushStatus if each.ended])
def test_a_push_that_has_ended_stays_as_it_is(status: PushStatus) -> None:
    dock = Dock()
    dock.change(status=status)
    before = dock.push
    end(dock.push, Aborted, pushes=dock.pushes, contents=dock.contents, at=dock.clock())
    dock.call()
    assert dock.push == before
    assert dock.pusher.given == []


def test_an_execution_is_named_by_its_push_and_where_it_goes_on() -> None:
    dock = Dock()
    first = dock.push.execution
    assert id_of(first) == PUSH
    assert len(first) <= 80
    dock.clock.now += 0.5
    dock.call()
    assert dock.push.execution != first
