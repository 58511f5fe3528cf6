"""One who asks the shared budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from functions.core.budget import LEAST_PAUSE, MOST_PAUSE, Limit, SharedBudget, limit_of
from functions.core.errors import ConfigurationInvalid, RateLimited
from tests.support.fakes.budget import Bucket
from tests.support.fakes.stores import Clock

if TYPE_CHECKING:
    from functions.core.ports import Sleep

LIMIT = Limit(requests_per_second=2, burst=3)


class Desk:
    """A budget of two requests a second, three at once, and one who waits for five seconds."""

    def __init__(self, limit: Limit | None = LIMIT, *, patience_seconds: float = 5) -> None:
        self.clock, self.bucket = Clock(), Bucket()
        self.start = self.clock()
        self.budget = self.asked(limit, patience_seconds=patience_seconds, sleep=self.clock.sleep)

    def asked(
        self, limit: Limit | None = LIMIT, *, patience_seconds: float, sleep: Sleep
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
    assert Desk().takes(6) == [0, 0, 0, 0.5, 1, 1.5]


def test_a_bucket_fills_again_and_not_beyond_its_burst() -> None:
    desk = Desk()
    desk.takes(3)
    desk.clock.now += 1
    assert desk.takes(3) == [1, 1, 1.5]
    desk.clock.now += 1000
    assert desk.takes(4) == [1001.5, 1001.5, 1001.5, 1002]


def test_who_would_wait_too_long_takes_no_token_and_is_told_when_to_come() -> None:
    desk = Desk(patience_seconds=5)
    others = desk.asked(patience_seconds=60, sleep=lambda _seconds: None)
    for _ in range(3 + 10):
        others.take()
    before = desk.bucket.full_at
    with pytest.raises(RateLimited) as told:
        desk.budget.take()
    assert desk.bucket.full_at == before
    assert told.value.wait_seconds == 6
    assert told.value.unsent
    assert desk.clock.slept == []
    desk.clock.now += 0.5
    assert desk.takes(1) == [5.5]


def test_who_has_little_time_left_waits_no_longer() -> None:
    desk, left = Desk(), 0.6
    mine = SharedBudget(
        desk.bucket,
        limit=lambda: LIMIT,
        patience_seconds=5,
        clock=desk.clock,
        sleep=desk.clock.sleep,
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
    assert desk.clock.slept == [0.5]


def test_without_a_limit_nobody_is_asked_and_nobody_waits() -> None:
    desk = Desk(None)
    desk.budget.pause(60)
    assert desk.takes(100) == [0] * 100
    assert desk.bucket.full_at is None
    assert desk.bucket.closed_until() == 0


@pytest.mark.parametrize(
    ("asked", "paused"),
    [(0, LEAST_PAUSE), (7, 7), (0.5, LEAST_PAUSE), (86_400, MOST_PAUSE)],
)
def test_a_429_stops_everybody_for_what_it_asks_within_bounds(asked: float, paused: float) -> None:
    desk = Desk(patience_seconds=120)
    desk.budget.pause(asked)
    assert desk.takes(3) == [paused + 0.5, paused + 1, paused + 1.5]


def test_who_was_asleep_hears_of_the_429_when_waking() -> None:
    desk = Desk()
    desk.takes(3)
    nap = desk.clock.sleep

    def interrupted(seconds: float) -> None:
        desk.budget.pause(20)
        nap(seconds)

    asleep = desk.asked(patience_seconds=5, sleep=interrupted)
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
            Limit(requests_per_second=0.5, burst=1),
        ),
    ],
)
def test_the_limit_stands_in_the_providers_secret(
    secret: dict[str, object], limit: Limit | None
) -> None:
    assert limit_of(msgspec.json.encode(secret)) == limit


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
        limit_of(msgspec.json.encode({"budget": budget}))


def test_a_secret_that_is_no_json_is_the_operators_to_mend() -> None:
    with pytest.raises(ConfigurationInvalid):
        limit_of(b"{")
