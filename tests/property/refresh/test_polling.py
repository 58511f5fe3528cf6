"""Whatever is known of earlier jobs, a plan of looks can be followed."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.polling.durations import CHANGING, RANDOM, STEADY
from benchmarks.polling.simulation import AFTER, LATE, Study
from functions.core.contract import MAX_DEADLINE_SECONDS, MAX_LOOKS
from functions.core.model import Interval
from functions.core.polling import DAY_SECONDS, backoff, find_next, pause, plan

if TYPE_CHECKING:
    from benchmarks.polling.durations import Durations
    from benchmarks.polling.simulation import Window

TODAY = 20_000
AT = float(TODAY * DAY_SECONDS)
SECONDS = st.floats(min_value=-10, max_value=2 * MAX_DEADLINE_SECONDS)
DAYS = st.integers(min_value=TODAY - 100, max_value=TODAY + 1)
KNOWN = st.lists(st.builds(Interval, SECONDS, SECONDS, DAYS), max_size=60)
ELAPSED = st.floats(min_value=0, max_value=MAX_DEADLINE_SECONDS)


@given(own=KNOWN, others=KNOWN)
def test_a_plan_ascends_and_fits(own: list[Interval], others: list[Interval]) -> None:
    looks = plan(own, others, at=AT)
    assert len(looks) <= MAX_LOOKS
    assert all(earlier < later for earlier, later in pairwise(looks))
    assert all(0 < look <= MAX_DEADLINE_SECONDS for look in looks)


@given(own=KNOWN, others=KNOWN, elapsed=ELAPSED)
def test_the_next_look_is_always_ahead(
    own: list[Interval], others: list[Interval], elapsed: float
) -> None:
    assert find_next(plan(own, others, at=AT), after=elapsed) > elapsed


@given(own=KNOWN, others=KNOWN, ends=ELAPSED)
def test_whatever_is_known_every_job_is_noticed(
    own: list[Interval], others: list[Interval], ends: float
) -> None:
    looks, at, made = plan(own, others, at=AT), 0.0, 0
    while at < ends:
        at, made = find_next(looks, after=at), made + 1
    assert made <= len(looks) + 2 * (ends + 8) ** 0.5


@given(after=SECONDS, width=SECONDS, others=KNOWN)
def test_a_job_that_ends_long_before_all_others_is_seen_before_them(
    after: float, width: float, others: list[Interval]
) -> None:
    """Not even a full memory of one length leaves no look before it."""
    after, width = abs(after), abs(width) + 0.1
    looks = plan([Interval(after, after + width, TODAY)] * 24, others, at=AT)
    assert looks[0] <= max(30.0, 0.8 * (after + width))


@pytest.mark.parametrize(
    ("durations", "window", "most"),
    [
        pytest.param(RANDOM[3], LATE, 1.4, id="as-they-come"),
        pytest.param(RANDOM[5], LATE, 1.7, id="most-short-and-some-long"),
        pytest.param(CHANGING[1], AFTER[2], 1.7, id="after-they-became-short"),
        pytest.param(CHANGING[2], AFTER[2], 1.7, id="after-they-became-long"),
        pytest.param(STEADY[0], LATE, 2.5, id="always-short"),
    ],
)
def test_job_after_job_it_comes_close_to_the_optimum(
    durations: Durations, window: Window, most: float
) -> None:
    assert Study(durations, seeds=1).of_optimum(window) <= most


@given(elapsed=SECONDS)
def test_pauses_grow_with_what_has_passed(elapsed: float) -> None:
    assert 0 < pause(elapsed) <= pause(elapsed + 1)


@given(faults=st.integers(min_value=-5, max_value=10**9))
def test_a_backoff_is_from_a_second_to_a_minute(faults: int) -> None:
    assert 1 <= backoff(faults) <= 60
    assert backoff(faults) <= backoff(faults + 1)
