"""Whatever the provider answers, whenever a call dies and however many there are: once at most."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from functions.core.contract import PushTicketOutcome
from functions.core.errors import (
    FreshetError,
    Gone,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)
from functions.core.push.model import PushStatus
from tests.support.push_harness import DONE, RUNNING, PushHarness
from tests.support.scripted_connector import Crash

if TYPE_CHECKING:
    from functions.core.push.model import Push
    from functions.core.push.ports import Pushed

Answer = str | FreshetError | Crash

TAKEN = "t1"
ANSWERS = st.sampled_from(
    [
        TAKEN,
        RateLimited(),
        ProviderUnavailable(unsent=True),
        ProviderRefusesConnection(),
        ProviderUnavailable(),
        UnexpectedAnswer(),
        Crash(),
    ]
)


def not_taken(answer: Answer) -> bool:
    """True if the provider has certainly not taken it, and may be asked again."""
    unsent = isinstance(answer, ProviderUnavailable) and answer.unsent
    return unsent or isinstance(answer, RateLimited)


def run(harness: PushHarness) -> None:
    """Call after call until the push has ended, whatever dies meanwhile."""
    for _ in range(300):
        with suppress(Crash):
            ticket = harness.call()
            if ticket.outcome is not PushTicketOutcome.RUNNING:
                return
            harness.clock.now += ticket.wait_seconds
        harness.clock.now += 1
    raise AssertionError("the push never ends")


def call_too_late(harness: PushHarness, seen: Push) -> None:
    """A call that read the push long ago."""
    with suppress(Crash, Gone):
        harness.call(seen)


@given(
    answers=st.lists(ANSWERS, min_size=1, max_size=6),
    looks=st.lists(st.sampled_from([RUNNING, DONE, ProviderUnavailable()]), max_size=4),
    deaths=st.lists(st.integers(0, 3), max_size=5),
    seconds=st.sampled_from([0.0, 1.0, 40.0]),
    late=st.booleans(),
)
def test_the_provider_is_never_asked_again_once_it_may_have_heard(
    *,
    answers: list[Answer],
    looks: list[Pushed | FreshetError],
    deaths: list[int],
    seconds: float,
    late: bool,
) -> None:
    harness = PushHarness(answers=answers, looks=(*looks, DONE), seconds=seconds)
    seen = harness.push
    for writes in deaths:
        with suppress(Crash):
            harness.call(writes=writes)
        if late:
            call_too_late(harness, seen)
        harness.clock.now += 50
    run(harness)
    asked = [answers[min(number, len(answers) - 1)] for number in range(len(harness.pusher.given))]

    assert all(not_taken(answer) for answer in asked[:-1])
    match harness.push.status:
        case PushStatus.DONE:
            assert asked[-1] == TAKEN
        case PushStatus.FAILED:
            assert not asked or asked[-1] != TAKEN
        case status:
            assert status is PushStatus.UNKNOWN_OUTCOME
            assert harness.kept
