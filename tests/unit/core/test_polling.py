"""When to look next."""

from __future__ import annotations

from itertools import pairwise

import pytest

from functions.core.contract import MAX_LOOKS
from functions.core.polling import BUCKETS, backoff, bucket, next_wait, plan, upper


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        pytest.param(0, 0, id="at-once"),
        pytest.param(1, 0, id="one-second"),
        pytest.param(1.01, 1, id="just-over-one-second"),
        pytest.param(60, 12, id="a-minute"),
        pytest.param(-5, 0, id="a-clock-that-went-back"),
        pytest.param(10**9, BUCKETS - 1, id="for-ever"),
    ],
)
def test_a_duration_is_counted_in_its_bucket(duration: float, expected: int) -> None:
    assert bucket(duration) == expected


@pytest.mark.parametrize("duration", [1, 1.5, 2, 7, 59, 3600, 21_600])
def test_a_bucket_ends_where_its_longest_duration_does(duration: float) -> None:
    assert upper(bucket(duration) - 1) < duration or duration == 1
    assert duration <= upper(bucket(duration)) * (1 + 1e-9)


def test_the_last_look_is_at_the_deadline() -> None:
    assert plan({}, horizon=900)[-1] == 900
    assert plan({}, horizon=899.5)[-1] == 899


def test_a_short_deadline_is_the_only_look() -> None:
    assert plan({}, horizon=1) == (1,)


def test_looks_are_closest_where_jobs_have_ended_so_far() -> None:
    looks = plan({bucket(60): 1000.0}, horizon=900)
    _, start = min((later - earlier, earlier) for earlier, later in pairwise(looks))
    assert 45 <= start <= 64


def test_nothing_known_is_looked_at_soon_and_then_less_and_less_often() -> None:
    looks = plan({}, horizon=900)
    gaps = [later - earlier for earlier, later in pairwise((0, *looks[:-1]))]
    assert gaps == sorted(gaps)


@pytest.mark.parametrize("horizon", [60, 900, 3600, 21_600])
def test_a_far_deadline_makes_no_early_look_late(horizon: int) -> None:
    assert plan({}, horizon=horizon)[:3] == (7, 18, 34)


def test_an_unusually_long_job_is_still_looked_at() -> None:
    looks = plan({0: 10_000.0}, horizon=900)
    assert len([look for look in looks if look > 2]) >= 2


def test_a_plan_never_outgrows_its_ticket() -> None:
    seen = dict.fromkeys(range(BUCKETS), 100.0)
    assert len(plan(seen, horizon=21_600)) <= MAX_LOOKS


@pytest.mark.parametrize(
    ("elapsed", "wait"),
    [
        pytest.param(0, 2, id="before-the-first"),
        pytest.param(1.5, 0.5, id="just-before-the-first"),
        pytest.param(2, 3, id="at-the-first"),
        pytest.param(4, 1, id="between-two"),
        pytest.param(9, 4, id="after-the-last-that-gap-again"),
    ],
)
def test_the_wait_is_until_the_next_planned_look(elapsed: float, wait: float) -> None:
    assert next_wait((2, 5, 9), elapsed=elapsed) == wait


@pytest.mark.parametrize(
    ("looks", "wait"), [pytest.param((), 1, id="no-look"), pytest.param((3,), 1, id="one-look")]
)
def test_a_plan_without_a_gap_is_left_in_steps_of_a_second(
    looks: tuple[int, ...], wait: float
) -> None:
    assert next_wait(looks, elapsed=100) == wait


def test_faults_in_a_row_are_met_with_doubling_waits_up_to_a_minute() -> None:
    assert [backoff(faults) for faults in range(9)] == [1, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff(10**6) == 60
