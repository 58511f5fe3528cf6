"""Tokens that one process takes in advance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.core.budget import KEPT_SECONDS, Allowance, Level, Limit, SharedBudget
from functions.core.errors import RateLimited
from tests.support.fakes.budget import Bucket
from tests.support.fakes.stores import Clock

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = Limit(requests_per_second=10, burst=40)


class Counted(Bucket):
    """Counts how often it is asked."""

    asked = 0

    def draw(self, **bounds: int) -> Level:
        self.asked += 1
        return super().draw(**bounds)

    def renew(self, **instants: int) -> bool:
        self.asked += 1
        return super().renew(**instants)


class Counter:
    """A tenant's bucket, and processes that serve the tenant."""

    def __init__(self, limit: Limit = LIMIT) -> None:
        self.clock, self.bucket, self.limit = Clock(), Counted(), limit

    def process(self, *, most: int = 8) -> Allowance:
        budget = SharedBudget(
            self.bucket,
            limit=lambda: self.limit,
            patience_seconds=0,
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        return Allowance(budget, most=most, clock=self.clock)

    def passes(self, process: Allowance, *, of: int) -> int:
        """How many of so many calls are let through at this moment."""
        passed = 0
        for _ in range(of):
            try:
                process.take()
            except RateLimited:
                continue
            passed += 1
        return passed


def test_many_calls_of_one_process_ask_the_bucket_now_and_then() -> None:
    counter = Counter()
    assert counter.passes(counter.process(), of=31) == 31
    # 1, 2, 4, 8, 8 and 8 of 8 tokens; an unknown bucket is looked at before it is begun anew.
    assert counter.bucket.asked == 1 + 6


@pytest.mark.parametrize("processes", [1, 3])
def test_the_burst_is_spent_to_the_last_token_and_not_beyond(processes: int) -> None:
    counter = Counter()
    served = [counter.process() for _ in range(processes)]
    passed = sum(counter.passes(served[turn % processes], of=1) for turn in range(200))
    assert passed == LIMIT.burst


def test_who_is_refused_is_told_when_one_token_is_there_again() -> None:
    counter = Counter()
    process = counter.process()
    counter.passes(process, of=LIMIT.burst)
    with pytest.raises(RateLimited) as told:
        process.take()
    assert told.value.wait_seconds == 1  # a tenth of a second, in whole ones
    counter.clock.now += 0.1
    assert counter.passes(process, of=2) == 1


def test_what_nobody_uses_in_time_is_forfeited_and_one_token_is_taken_next() -> None:
    counter = Counter(Limit(requests_per_second=1, burst=40))
    process = counter.process()
    counter.passes(process, of=4)  # 1, 2 and the first of 4
    counter.clock.now += KEPT_SECONDS
    full_at = counter.bucket.full_at
    process.take()
    assert full_at is not None
    assert counter.bucket.full_at == full_at + counter.limit.gap


def test_a_process_that_is_asked_rarely_makes_one_write_a_call() -> None:
    counter = Counter()
    process = counter.process()
    process.take()
    before = counter.bucket.asked
    for _ in range(10):
        counter.clock.now += 30
        process.take()
    assert counter.bucket.asked == before + 10


@given(
    limit=st.builds(Limit, requests_per_second=st.integers(1, 50), burst=st.integers(1, 60)),
    calls=st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 3)), max_size=200),
    most=st.integers(1, 10),
)
@settings(max_examples=60)
def test_no_window_sees_more_than_the_bucket_grants_to_one_that_is_longer_by_what_is_kept(
    limit: Limit, calls: list[tuple[float, int]], most: int
) -> None:
    counter = Counter(limit)
    processes = [counter.process(most=most) for _ in range(4)]
    passed: list[float] = []
    for pause, process in calls:
        counter.clock.now += pause
        if counter.passes(processes[process], of=1):
            passed.append(counter.clock.now)
    assert most_in_excess(passed, limit) < 1


def most_in_excess(passed: Sequence[float], limit: Limit) -> Any:
    """By how many the fullest window of all is over its grant."""
    return max(
        (
            last
            - first
            + 1
            - limit.burst
            - limit.requests_per_second * (passed[last] - passed[first] + KEPT_SECONDS)
            for first in range(len(passed))
            for last in range(first, len(passed))
        ),
        default=0,
    )
