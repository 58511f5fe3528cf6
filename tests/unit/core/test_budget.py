"""The shared budget as one worker uses it, and the tokens that it takes in advance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.core.budget import (
    KEPT_SECONDS,
    LEAST_PAUSE,
    MOST_PAUSE,
    PAUSED_SECONDS,
    BudgetLimit,
    Level,
    PrefetchedTokens,
    SharedBudget,
    read_limit,
)
from functions.core.errors import ConfigurationInvalid, ProviderPaused, RateLimited
from functions.core.model import instant
from tests.support.fakes.budget import Bucket
from tests.support.fakes.stores import Clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.core.contract import Sleep

LIMIT = BudgetLimit(requests_per_second=2, burst=3)


class BudgetHarness:
    """A budget of two requests a second, three at once, and one who waits for five seconds."""

    def __init__(self, limit: BudgetLimit | None = LIMIT, *, patience_seconds: float = 5) -> None:
        self.clock, self.bucket = Clock(), Bucket()
        self.start = self.clock()
        self.budget = self.asked(limit, patience_seconds=patience_seconds, sleep=self.clock.sleep)

    def asked(
        self, limit: BudgetLimit | None = LIMIT, *, patience_seconds: float, sleep: Sleep
    ) -> SharedBudget:
        """The same budget in other hands."""
        return SharedBudget(
            self.bucket,
            limit=lambda: limit,
            patience_seconds=patience_seconds,
            clock=self.clock,
            sleep=sleep,
        )

    def takes(self, count: int) -> list[float]:
        """When so many turns came, in seconds after the start."""
        instants = []
        for _ in range(count):
            self.budget.take()
            instants.append(round(self.clock() - self.start, 3))
        return instants


def test_the_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    assert BudgetHarness().takes(6) == [0, 0, 0, 0.5, 1, 1.5]


def test_a_request_that_does_not_wait_goes_at_once_or_not_at_all() -> None:
    harness = BudgetHarness()
    for _ in range(3):
        harness.budget.take(at_once=True)
    with pytest.raises(RateLimited) as caught:
        harness.budget.take(at_once=True)
    assert caught.value.unsent
    assert harness.clock() == harness.start
    assert harness.takes(1) == [0.5]


def test_a_bucket_fills_again_and_not_beyond_its_burst() -> None:
    harness = BudgetHarness()
    harness.takes(3)
    harness.clock.now += 1
    assert harness.takes(3) == [1, 1, 1.5]
    harness.clock.now += 1000
    assert harness.takes(4) == [1001.5, 1001.5, 1001.5, 1002]


def test_who_would_wait_too_long_takes_no_token_and_is_told_when_to_come() -> None:
    harness = BudgetHarness(patience_seconds=5)
    others = harness.asked(patience_seconds=60, sleep=lambda _seconds: None)
    for _ in range(3 + 10):
        others.take()
    before = harness.bucket.full_at
    with pytest.raises(RateLimited) as told:
        harness.budget.take()
    assert harness.bucket.full_at == before
    assert told.value.wait_seconds == 6
    assert told.value.unsent
    assert harness.clock.slept == []
    harness.clock.now += 0.5
    assert harness.takes(1) == [5.5]


def test_who_has_little_time_left_waits_no_longer() -> None:
    harness, left = BudgetHarness(), 0.6
    mine = SharedBudget(
        harness.bucket,
        limit=lambda: LIMIT,
        patience_seconds=5,
        clock=harness.clock,
        sleep=harness.clock.sleep,
        left=lambda: left,
    )
    for _ in range(3 + 1):
        mine.take()
    left = 0.4
    with pytest.raises(RateLimited):
        mine.take()
    left = -1
    with pytest.raises(RateLimited):
        mine.take()
    assert harness.clock.slept == [0.5]


def test_without_a_limit_no_budget_is_asked_and_no_call_waits() -> None:
    harness = BudgetHarness(None)
    harness.budget.pause(60)
    assert harness.takes(100) == [0] * 100
    assert harness.bucket.full_at is None
    assert harness.bucket.pause_end() == 0


@pytest.mark.parametrize(
    ("asked", "paused"),
    [(0, LEAST_PAUSE), (7, 7), (0.5, LEAST_PAUSE), (86_400, MOST_PAUSE)],
)
def test_a_429_stops_all_workers_for_what_it_asks_within_bounds(
    asked: float, paused: float
) -> None:
    harness = BudgetHarness(patience_seconds=120)
    harness.budget.pause(asked)
    assert harness.takes(3) == [paused + 0.5, paused + 1, paused + 1.5]


def test_who_was_asleep_hears_of_the_429_when_waking() -> None:
    harness = BudgetHarness()
    harness.takes(3)
    nap = harness.clock.sleep

    def interrupted(seconds: float) -> None:
        harness.budget.pause(20)
        nap(seconds)

    asleep = harness.asked(patience_seconds=5, sleep=interrupted)
    with pytest.raises(RateLimited) as told:
        asleep.take()
    assert told.value.wait_seconds == 20


@pytest.mark.parametrize(
    ("secret", "limit"),
    [
        ({}, None),
        ({"budget": None}, None),
        ({"api_key": "k", "budget": {"requests_per_second": 2, "burst": 3}}, LIMIT),
        (
            {"budget": {"requests_per_second": 0.5, "burst": 1}},
            BudgetLimit(requests_per_second=0.5, burst=1),
        ),
    ],
)
def test_the_limit_stands_in_the_providers_secret(
    secret: dict[str, object], limit: BudgetLimit | None
) -> None:
    assert read_limit(msgspec.json.encode(secret), at=0) == limit


@pytest.mark.parametrize(
    "budget",
    [
        {"requests_per_second": 0, "burst": 1},
        {"requests_per_second": 1000, "burst": 1},
        {"requests_per_second": 1, "burst": 0},
        {"requests_per_second": 1},
        {"requests_per_second": "2", "burst": 3},
        {"requests_per_second": 2, "burst": 3, "brust": 3},
        20,
    ],
    ids=str,
)
def test_a_budget_that_makes_no_sense_is_the_operators_to_mend(budget: object) -> None:
    with pytest.raises(ConfigurationInvalid):
        read_limit(msgspec.json.encode({"budget": budget}), at=0)


def test_a_secret_that_is_no_json_is_the_operators_to_mend() -> None:
    with pytest.raises(ConfigurationInvalid):
        read_limit(b"{", at=0)


@pytest.mark.parametrize("paused", [False, "2026-11-29T12:00:00Z", "2026-11-29T14:00:00+02:00"])
def test_a_pause_that_is_over_is_none(paused: object) -> None:
    secret = msgspec.json.encode({"paused": paused, "budget": LIMIT})
    assert read_limit(secret, at=instant("2026-11-29T12:00:00Z")) == LIMIT


@pytest.mark.parametrize(
    ("paused", "wait"), [(True, PAUSED_SECONDS), ("2026-11-29T15:00:00.5+01:00", 2 * 3600 + 1)]
)
def test_a_pause_of_the_operator_s_lets_nothing_through_with_a_budget_or_without(
    paused: object, wait: int
) -> None:
    at, secret = instant("2026-11-29T12:00:00Z"), msgspec.json.encode({"paused": paused})
    harness = BudgetHarness()
    mine = SharedBudget(
        harness.bucket,
        limit=lambda: read_limit(secret, at=at),
        patience_seconds=5,
        clock=harness.clock,
        sleep=harness.clock.sleep,
    )
    with pytest.raises(ProviderPaused) as caught:
        mine.take()
    assert (caught.value.wait_seconds, caught.value.unsent) == (wait, True)
    assert (harness.bucket.full_at, harness.clock.slept) == (None, [])


@pytest.mark.parametrize("paused", ["2026-11-29T15:00:00", "tomorrow", 1, None])
def test_a_pause_that_makes_no_sense_is_the_operators_to_mend(paused: object) -> None:
    with pytest.raises(ConfigurationInvalid):
        read_limit(msgspec.json.encode({"paused": paused}), at=0)


PREFETCHED = BudgetLimit(requests_per_second=10, burst=40)


class Counted(Bucket):
    """Counts how often it is asked."""

    asked = 0

    def draw(self, **bounds: int) -> Level:
        self.asked += 1
        return super().draw(**bounds)

    def renew(self, **instants: int) -> bool:
        self.asked += 1
        return super().renew(**instants)


class PrefetchHarness:
    """A tenant's bucket, and processes that serve the tenant."""

    def __init__(self, limit: BudgetLimit = PREFETCHED) -> None:
        self.clock, self.bucket, self.limit = Clock(), Counted(), limit

    def process(self, *, most: int = 8) -> PrefetchedTokens:
        budget = SharedBudget(
            self.bucket,
            limit=lambda: self.limit,
            patience_seconds=0,
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        return PrefetchedTokens(budget, most=most, clock=self.clock)

    def passes(self, process: PrefetchedTokens, *, of: int) -> int:
        """The number of calls that are let through at this moment."""
        passed = 0
        for _ in range(of):
            try:
                process.take()
            except RateLimited:
                continue
            passed += 1
        return passed


def test_many_calls_of_one_process_ask_the_bucket_now_and_then() -> None:
    harness = PrefetchHarness()
    assert harness.passes(harness.process(), of=31) == 31
    # 1, 2, 4, 8, 8 and 8 of 8 tokens; an unknown bucket is looked at before it is begun anew.
    assert harness.bucket.asked == 1 + 6


@pytest.mark.parametrize("processes", [1, 3])
def test_the_burst_is_spent_to_the_last_token_and_not_beyond(processes: int) -> None:
    harness = PrefetchHarness()
    served = [harness.process() for _ in range(processes)]
    passed = sum(harness.passes(served[turn % processes], of=1) for turn in range(200))
    assert passed == PREFETCHED.burst


def test_who_is_refused_is_told_when_one_token_is_there_again() -> None:
    harness = PrefetchHarness()
    process = harness.process()
    harness.passes(process, of=PREFETCHED.burst)
    with pytest.raises(RateLimited) as told:
        process.take()
    assert told.value.wait_seconds == 1  # a tenth of a second, in whole ones
    harness.clock.now += 0.1
    assert harness.passes(process, of=2) == 1


def test_what_is_not_used_in_time_is_forfeited_and_one_token_is_taken_next() -> None:
    harness = PrefetchHarness(BudgetLimit(requests_per_second=1, burst=40))
    process = harness.process()
    harness.passes(process, of=4)  # 1, 2 and the first of 4
    harness.clock.now += KEPT_SECONDS
    full_at = harness.bucket.full_at
    process.take()
    assert full_at is not None
    assert harness.bucket.full_at == full_at + harness.limit.gap


def test_a_process_that_is_asked_rarely_makes_one_write_a_call() -> None:
    harness = PrefetchHarness()
    process = harness.process()
    process.take()
    before = harness.bucket.asked
    for _ in range(10):
        harness.clock.now += 30
        process.take()
    assert harness.bucket.asked == before + 10


@given(
    limit=st.builds(BudgetLimit, requests_per_second=st.integers(1, 50), burst=st.integers(1, 60)),
    calls=st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 3)), max_size=200),
    most=st.integers(1, 10),
)
@settings(max_examples=60)
def test_no_window_sees_more_than_the_bucket_grants_to_one_that_is_longer_by_what_is_kept(
    limit: BudgetLimit, calls: list[tuple[float, int]], most: int
) -> None:
    harness = PrefetchHarness(limit)
    processes = [harness.process(most=most) for _ in range(4)]
    passed: list[float] = []
    for pause, process in calls:
        harness.clock.now += pause
        if harness.passes(processes[process], of=1):
            passed.append(harness.clock.now)
    assert most_in_excess(passed, limit) < 1


def most_in_excess(passed: Sequence[float], limit: BudgetLimit) -> Any:
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
