"""A push that the provider has taken and whose end was not seen is looked at again by a reader."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.errors import (
    DeadlineExceeded,
    FreshetError,
    ProviderRefusesConnection,
    ProviderUnavailable,
)
from functions.core.push import model as step
from functions.core.push.model import PushStatus, reopened
from functions.rest import pushes
from functions.rest.service import Call
from tests.support.fakes.pushes import PUSH, Pushes, a_push
from tests.support.fakes.stores import Clock
from tests.support.push_harness import DONE, RUNNING, Dock
from tests.support.scripted_connector import TENANT

if TYPE_CHECKING:
    from functions.core.push.model import Push

LOST = ProviderUnavailable()


def again(dock: Dock) -> bool:
    """Whether a reader has the push looked at again; it is then."""
    push = reopened(dock.push, at=dock.clock())
    if push:
        dock.pushes.save(push, seen=dock.push.version)
        dock.run()
    return push is not None


def test_one_whose_end_was_not_seen_by_the_deadline_is_looked_at_again() -> None:
    dock = Dock(looks=(RUNNING,))
    dock.run()
    assert dock.push.status is PushStatus.UNKNOWN_OUTCOME
    dock.pusher.looks = [DONE]
    assert not again(dock)
    dock.clock.now += 900
    assert again(dock)
    assert dock.events[-3:] == ["unknown_outcome", "reopened", "done"]
    assert (dock.push.error, dock.push.job, len(dock.pusher.given)) == (None, "t1", 1)
    assert not dock.kept


def test_one_that_never_ends_is_looked_at_each_time_after_as_long_as_it_has_lasted() -> None:
    dock = Dock(looks=(RUNNING,))
    dock.run()
    began, events = dock.clock(), len(dock.events)
    for _ in range(60 * 24):
        dock.clock.now += 3600
        again(dock)
    looked = [round((at - began) / 3600) for at in dock.pusher.looked if at > began + 1]
    assert looked == [1, 3, 7, 15, 31, 63, 127, 255, 511, 1023]
    assert len(dock.events) == events + 2 * len(looked)
    assert dock.push.status is PushStatus.UNKNOWN_OUTCOME


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(LOST, id="that-nobody-knows-the-name-of"),
        pytest.param(ProviderRefusesConnection(), id="that-failed"),
        pytest.param("t1", id="that-is-done"),
    ],
)
def test_no_other_is_looked_at_again(answer: str | FreshetError) -> None:
    dock = Dock(answers=(answer,))
    assert reopened(dock.push, at=dock.clock() + 10**6) is None
    dock.run()
    dock.clock.now += 10**6
    assert not again(dock)


def read(*, seen: Push, stored: Push) -> list[Push]:
    """The executions that reading a push starts where it has been written meanwhile."""
    kept, started = Pushes({PUSH: stored}), list[step.Push]()
    read_once = SimpleNamespace(get=lambda _id: seen, save=kept.save)
    here: Any = SimpleNamespace(
        clock=Clock(seen.ended_at + 900),
        pushes=read_once,
        push_executions=SimpleNamespace(start=started.append),
    )
    call = Call(here=here, tenant=TENANT, path=f"/v1/pushes/{PUSH}", body=b"", query={}, headers={})
    assert pushes.read(call, PUSH).status == 200
    assert started == [each for each in kept.stored.values() if each.events[-1].type == "reopened"]
    return started


def test_of_two_readers_one_has_it_looked_at_again() -> None:
    at = a_push(at=0).deadline
    sent = step.sent(step.sending(a_push(at=0), hook="h", at=0), job="t1", at=0)
    given_up = step.unknown(sent, DeadlineExceeded, at=at)
    overtaken = step.found(given_up, job="t1", at=at + 1)
    (started,) = read(seen=given_up, stored=given_up)
    assert started.status is PushStatus.SENT
    assert read(seen=given_up, stored=overtaken) == []
