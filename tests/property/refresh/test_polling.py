"""Whatever has been seen so far, a plan of looks can be followed."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from functions.core.contract import MAX_DEADLINE_SECONDS, MAX_LOOKS
from functions.core.polling import BUCKETS, backoff, bucket, next_wait, plan, upper

SEEN = st.dictionaries(
    st.integers(min_value=-1, max_value=BUCKETS), st.floats(min_value=0, max_value=1e12)
)
HORIZON = st.floats(min_value=1, max_value=MAX_DEADLINE_SECONDS)


@given(seen=SEEN, horizon=HORIZON)
def test_a_plan_ascends_fits_and_ends_at_the_horizon(
    seen: dict[int, float], horizon: float
) -> None:
    looks = plan(seen, horizon=horizon)
    assert 1 <= len(looks) <= MAX_LOOKS
    assert all(earlier < later for earlier, later in pairwise(looks))
    assert looks[0] > 0
    assert looks[-1] == int(horizon)


@given(seen=SEEN, horizon=HORIZON, elapsed=st.floats(min_value=0, max_value=1e6))
def test_the_next_look_is_always_ahead(
    seen: dict[int, float], horizon: float, elapsed: float
) -> None:
    assert next_wait(plan(seen, horizon=horizon), elapsed=elapsed) > 0


@given(seen=SEEN, horizon=HORIZON)
def test_following_a_plan_takes_its_looks_and_no_more(
    seen: dict[int, float], horizon: float
) -> None:
    looks, at, taken = plan(seen, horizon=horizon), 0.0, 0
    while at < looks[-1]:
        at += next_wait(looks, elapsed=at)
        taken += 1
    assert taken == len(looks)


@given(duration=st.floats(min_value=-1e9, max_value=1e12))
def test_a_duration_lies_in_its_bucket(duration: float) -> None:
    index = bucket(duration)
    assert 0 <= index < BUCKETS
    assert duration <= upper(index) * (1 + 1e-9) or index == BUCKETS - 1
    assert duration >= upper(index - 1) * (1 - 1e-9) or index == 0


@given(faults=st.integers(min_value=-5, max_value=10**9))
def test_a_backoff_is_from_a_second_to_a_minute(faults: int) -> None:
    assert 1 <= backoff(faults) <= 60
    assert backoff(faults) <= backoff(faults + 1)
