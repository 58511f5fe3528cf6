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
from tests.support.push_harness import DONE, RUNNING, PushHarness
from tests.support.scripted_connector import TENANT

if TYPE_CHECKING:
    from functions.core.push.model import Push

LOST = ProviderUnavailable()


def again(harness: PushHarness) -> bool:
    """Whether a reader has the push looked at again; it is then."""
    push = reopened(harness.push, at=harness.clock())
    if push:
        harness.pushes.save(push, seen=harness.push.version)
        harness.run()
    return push is not None


def test_one_whose_end_was_not_seen_by_the_deadline_is_looked_at_again() -> None:
    harness = PushHarness(looks=(RUNNING,))
    harness.run()
    assert harness.push.status is PushStatus.UNKNOWN_OUTCOME
    harness.pusher.looks = [DONE]
    assert not again(harness)
    harness.clock.now += 900
    assert again(harness)
    assert harness.events[-3:] == ["unknown_outcome", "reopened", "done"]
    assert (harness.push.error, harness.push.job, len(harness.pusher.given)) == (None, "t1", 1)
    assert not harness.kept


def test_one_that_never_ends_is_looked_at_each_time_after_as_long_as_it_has_lasted() -> None:
    harness = PushHarness(looks=(RUNNING,))
    harness.run()
    began, events = harness.clock(), len(harness.events)
    for _ in range(60 * 24):
        harness.clock.now += 3600
        again(harness)
    looked = [round((at - began) / 3600) for at in harness.pusher.looked if at > began + 1]
    assert looked == [1, 3, 7, 15, 31, 63, 127, 255, 511, 1023]
    assert len(harness.events) == events + 2 * len(looked)
    assert harness.push.status is PushStatus.UNKNOWN_OUTCOME


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(LOST, id="that-nobody-knows-the-name-of"),
        pytest.param(ProviderRefusesConnection(), id="that-failed"),
        pytest.param("t1", id="that-is-done"),
    ],
)
def test_no_other_is_looked_at_again(answer: str | FreshetError) -> None:
    harness = PushHarness(answers=(answer,))
    assert reopened(harness.push, at=harness.clock() + 10**6) is None
    harness.run()
    harness.clock.now += 10**6
    assert not again(harness)


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
