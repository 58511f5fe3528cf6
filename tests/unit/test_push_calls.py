"""A push with others at work on it: other calls, executions that broke off, an erasure."""

from __future__ import annotations

import pytest

from functions.core import push as step
from functions.core.contract import SLOT_SECONDS, Outcome
from functions.core.errors import Aborted, Superseded
from functions.core.push import PushStatus, id_of
from functions.core.pushing import STARTS_IN, deserted, end
from tests.fake_pushes import PUSH
from tests.unit.dock import RUNNING, Dock


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


@pytest.mark.parametrize(
    ("status", "begun", "seconds", "alone"),
    [
        pytest.param(PushStatus.ACCEPTED, False, STARTS_IN, False, id="just-accepted"),
        pytest.param(PushStatus.ACCEPTED, False, STARTS_IN + 1, True, id="never-begun"),
        pytest.param(PushStatus.ACCEPTED, True, 600, False, id="postponed"),
        pytest.param(PushStatus.SENT, True, 900 + SLOT_SECONDS, False, id="late"),
        pytest.param(PushStatus.SENT, True, 901 + SLOT_SECONDS, True, id="forgotten"),
        pytest.param(PushStatus.DONE, True, 10**6, False, id="done"),
        pytest.param(PushStatus.UNKNOWN_OUTCOME, True, 10**6, False, id="given-up"),
    ],
)
def test_a_push_that_nobody_can_be_at_work_on_is_taken_on_by_who_asks_for_it(
    *, status: PushStatus, begun: bool, seconds: int, alone: bool
) -> None:
    dock = Dock()
    began = dock.clock()
    if begun:
        dock.call()
    dock.change(status=status)
    assert deserted(dock.push, at=began + seconds) is alone
