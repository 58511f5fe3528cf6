"""A push reaches the provider once at most, whatever breaks and whenever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from functions.core import webhooks
from functions.core.contract import (
    HOLD_SECONDS,
    PART_SECONDS,
    SYNCHRONOUS_SECONDS,
    PushTicketOutcome,
)
from functions.core.errors import (
    AnswerTooLarge,
    ConfigurationInvalid,
    DeadlineExceeded,
    FreshetError,
    OutcomeUnknown,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    UnexpectedAnswer,
)
from functions.core.push import model as step
from functions.core.push.model import PushStatus, reopen
from functions.rest.call import Call
from functions.rest.calls import pushes
from tests.support.fakes.pushes import PUSH, RECORDS, Pushes, a_push
from tests.support.fakes.stores import Clock
from tests.support.push_harness import DONE, RUNNING, PushHarness
from tests.support.scripted_connector import TENANT, Crash

if TYPE_CHECKING:
    from functions.core.push.model import Push

UNSENT = ProviderUnavailable(unsent=True)
UNKNOWN = (PushStatus.UNKNOWN_OUTCOME, OutcomeUnknown.name())


def test_a_push_is_sent_looked_at_and_done_in_one_call_where_the_provider_is_quick() -> None:
    harness = PushHarness(looks=(RUNNING, RUNNING, DONE))
    ticket = harness.call()
    assert (ticket.outcome, ticket.push_id, ticket.error) == (PushTicketOutcome.DONE, PUSH, None)
    assert harness.pusher.given == [("crm-contact", RECORDS, False)]
    assert harness.events == ["accepted", "sending", "sent", "done"]
    assert [event.version for event in harness.push.events] == [1, 2, 3, 4]
    assert (harness.push.status, harness.push.job, harness.push.failed) == (
        PushStatus.DONE,
        "t1",
        0,
    )
    assert harness.push.ended_at == harness.clock()
    assert not harness.kept


def test_the_intent_is_written_first_with_the_digest_of_the_token_that_goes_along() -> None:
    harness = PushHarness(answers=(Crash(),))
    with pytest.raises(Crash):
        harness.call()
    (token,) = harness.pusher.tokens
    assert harness.push.status is PushStatus.SENDING
    assert harness.push.webhook == webhooks.digest(token)
    assert webhooks.owner(token) == PUSH


@pytest.mark.parametrize(
    ("writes", "asked", "status"),
    [
        pytest.param(1, 0, PushStatus.UNKNOWN_OUTCOME, id="before-the-provider-is-asked"),
        pytest.param(2, 1, PushStatus.DONE, id="after-the-job-is-written"),
        pytest.param(3, 1, PushStatus.DONE, id="after-the-end-is-written"),
    ],
)
def test_a_crash_after_a_write_sends_nothing_twice(
    writes: int, asked: int, status: PushStatus
) -> None:
    harness = PushHarness()
    with pytest.raises(Crash):
        harness.call(writes=writes)
    harness.run()
    assert len(harness.pusher.given) == asked
    assert harness.push.status is status
    assert harness.kept is (status is PushStatus.UNKNOWN_OUTCOME)


def test_a_crash_before_the_answer_sends_nothing_twice() -> None:
    harness = PushHarness(answers=(Crash(), "t1"))
    with pytest.raises(Crash):
        harness.call()
    ticket = harness.run()
    assert len(harness.pusher.given) == 1
    assert (harness.push.status, harness.push.error) == UNKNOWN
    assert (ticket.outcome, ticket.error) == (PushTicketOutcome.FAILED, "OutcomeUnknown")
    assert harness.push.events[-1].facts["cause"] == "PlatformFault"


@pytest.mark.parametrize(
    ("synchronous", "seconds"), [(False, PART_SECONDS), (True, SYNCHRONOUS_SECONDS)]
)
def test_an_attempt_that_may_still_be_alive_is_waited_for(
    *, synchronous: bool, seconds: int
) -> None:
    harness = PushHarness(answers=(Crash(),), synchronous=synchronous)
    with pytest.raises(Crash):
        harness.call()
    harness.clock.now += seconds - 1
    ticket = harness.call()
    assert (ticket.outcome, ticket.wait_seconds) == (PushTicketOutcome.RUNNING, 1)
    harness.clock.now += 1
    assert harness.call().outcome is PushTicketOutcome.FAILED
    assert len(harness.pusher.given) == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(ProviderUnavailable(), id="no-answer"),
        pytest.param(ProviderUnavailable(wait_seconds=9), id="a-5xx-with-a-wish"),
        pytest.param(UnexpectedAnswer(), id="an-unreadable-answer"),
        pytest.param(AnswerTooLarge(), id="an-endless-answer"),
    ],
)
def test_an_outcome_that_cannot_be_found_is_unknown_and_nothing_is_sent_again(
    fault: FreshetError,
) -> None:
    harness = PushHarness(answers=(fault, "t1"))
    ticket = harness.run()
    assert (harness.push.status, harness.push.error) == UNKNOWN
    assert ticket.error == "OutcomeUnknown"
    assert harness.push.events[-1].facts["cause"] == fault.name()
    assert len(harness.pusher.given) == 1
    assert harness.kept


@pytest.mark.parametrize(
    "error",
    [
        ProviderRefusesConnection(),
        ProviderRefusesApplication(),
        ConfigurationInvalid(),
        ReauthRequired(),
    ],
)
def test_what_the_provider_refuses_has_failed(error: FreshetError) -> None:
    harness = PushHarness(answers=(error, "t1"))
    ticket = harness.run()
    assert (harness.push.status, harness.push.error) == (PushStatus.FAILED, error.name())
    assert (ticket.outcome, ticket.error) == (PushTicketOutcome.FAILED, error.name())
    assert len(harness.pusher.given) == 1
    assert not harness.kept


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        pytest.param(UNSENT, 1, id="no-connection"),
        pytest.param(RateLimited(), 1, id="limited"),
        pytest.param(RateLimited(wait_seconds=42), 42, id="limited-with-a-wish"),
    ],
)
def test_what_was_certainly_not_taken_is_sent_again_under_another_token(
    fault: FreshetError, wait: int
) -> None:
    harness = PushHarness(answers=(fault, "t1"))
    ticket = harness.call()
    assert (ticket.outcome, ticket.wait_seconds) == (PushTicketOutcome.RUNNING, wait)
    assert harness.push.status is PushStatus.ACCEPTED
    harness.run()
    assert harness.push.attempts == 2
    assert len(set(harness.pusher.tokens)) == 2
    assert harness.events == ["accepted", "sending", "postponed", "sending", "sent", "done"]


def test_a_provider_that_never_takes_it_fails_it_at_the_deadline_and_not_later() -> None:
    harness = PushHarness(answers=(RateLimited(),))
    harness.run()
    assert (harness.push.status, harness.push.error) == (PushStatus.FAILED, "RateLimited")
    assert harness.push.ended_at <= harness.push.deadline
    waits = [e.facts["wait_seconds"] for e in harness.push.events if e.type == "postponed"]
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert waits == sorted(waits, key=lambda wait: float(wait or 0))


def test_a_push_that_is_called_for_too_late_is_not_sent() -> None:
    harness = PushHarness()
    harness.clock.now = harness.push.deadline
    assert harness.call().error == "PlatformFault"
    assert harness.push.status is PushStatus.FAILED
    assert harness.pusher.given == []


# --- looking ------------------------------------------------------------------------------------


def test_a_call_waits_no_longer_than_its_hold_and_the_machine_waits_for_the_rest() -> None:
    harness = PushHarness(looks=(RUNNING,), deadline=1_800_000_000.0 + 6 * 3600)
    began = harness.clock()
    ticket = harness.call()
    assert ticket.outcome is PushTicketOutcome.RUNNING
    assert harness.clock() - began <= HOLD_SECONDS
    assert ticket.wait_seconds >= 1
    assert len(harness.pusher.looked) > 5


def test_where_the_next_look_is_far_away_a_call_looks_once() -> None:
    harness = PushHarness(looks=(RUNNING,), deadline=1_800_000_000.0 + 6 * 3600)
    harness.call()
    harness.clock.now += 3600
    looked = len(harness.pusher.looked)
    assert harness.call().wait_seconds > HOLD_SECONDS
    assert len(harness.pusher.looked) == looked + 1


def test_the_last_look_is_at_the_deadline_and_after_it_the_outcome_is_unknown() -> None:
    harness = PushHarness(looks=(RUNNING,))
    harness.run()
    assert (harness.push.status, harness.push.error) == UNKNOWN
    assert harness.push.events[-1].facts["cause"] == DeadlineExceeded.name()
    assert 0 <= harness.pusher.looked[-1] - harness.push.deadline < 1
    assert len(harness.pusher.given) == 1


def test_a_long_synchronous_answer_leaves_the_look_to_the_next_call() -> None:
    harness = PushHarness(seconds=300, synchronous=True)
    ticket = harness.call()
    assert (ticket.outcome, ticket.wait_seconds) == (PushTicketOutcome.RUNNING, 0)
    assert harness.pusher.looked == []
    assert harness.pusher.given == [("crm-contact", RECORDS, True)]
    assert harness.call().outcome is PushTicketOutcome.DONE


def test_a_provider_that_is_away_is_looked_at_again() -> None:
    away = ProviderUnavailable()
    harness = PushHarness(looks=(away, away, ProviderUnavailable(wait_seconds=30), away, DONE))
    harness.run()
    assert harness.push.status is PushStatus.DONE
    assert harness.clock.slept[:2] == [1, 2]
    assert len(harness.pusher.given) == 1


def test_a_provider_that_says_how_long_it_is_away_is_looked_at_after_that() -> None:
    harness = PushHarness(looks=(ProviderUnavailable(wait_seconds=7), DONE))
    harness.run()
    assert harness.push.status is PushStatus.DONE
    assert harness.clock.slept == [7]


NO_LOOKS = [
    ProviderRefusesConnection(),
    ProviderRefusesApplication(),
    ConfigurationInvalid(),
    UnexpectedAnswer(),
    AnswerTooLarge(),
    ProviderUnavailable(),
]


@pytest.mark.parametrize("error", NO_LOOKS, ids=lambda error: error.name())
def test_a_look_that_fails_is_made_again(error: FreshetError) -> None:
    harness = PushHarness(looks=(error, error, RUNNING, error, DONE))
    harness.run()
    assert harness.push.status is PushStatus.DONE
    assert harness.clock.slept[:2] == [1, 2]
    assert harness.clock.slept[3] == 1


@pytest.mark.parametrize("error", NO_LOOKS, ids=lambda error: error.name())
def test_what_was_sent_and_cannot_be_looked_at_is_unknown_at_the_deadline(
    error: FreshetError,
) -> None:
    harness = PushHarness(looks=(error,))
    harness.run()
    assert (harness.push.status, harness.push.error) == UNKNOWN
    assert harness.push.events[-1].facts["cause"] == error.name()
    assert 0 <= harness.pusher.looked[-1] - harness.push.deadline < 1
    assert len(harness.pusher.looked) < 200


LOST = ProviderUnavailable()


def again(harness: PushHarness) -> bool:
    """True if a reader has the push looked at again; it is then."""
    push = reopen(harness.push, at=harness.clock())
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
        pytest.param(LOST, id="without-a-known-name"),
        pytest.param(ProviderRefusesConnection(), id="that-failed"),
        pytest.param("t1", id="that-is-done"),
    ],
)
def test_no_other_is_looked_at_again(answer: str | FreshetError) -> None:
    harness = PushHarness(answers=(answer,))
    assert reopen(harness.push, at=harness.clock() + 10**6) is None
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
    assert pushes.read_push(call, PUSH).status == 200
    assert started == [each for each in kept.stored.values() if each.events[-1].type == "reopened"]
    return started


def test_of_two_readers_one_has_it_looked_at_again() -> None:
    at = a_push(at=0).deadline
    sent = step.confirm(step.begin_sending(a_push(at=0), webhook="h", at=0), job="t1", at=0)
    given_up = step.end_unknown(sent, DeadlineExceeded, at=at)
    overtaken = step.recover(given_up, job="t1", at=at + 1)
    (started,) = read(seen=given_up, stored=given_up)
    assert started.status is PushStatus.SENT
    assert read(seen=given_up, stored=overtaken) == []
