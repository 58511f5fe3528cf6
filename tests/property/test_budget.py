"""The shared budget, in the hands of many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from functions.core.budget import BEGIN_SECONDS, GO_ON_SECONDS, BudgetLimit
from tests.support.models.budget import START, BudgetModel, Job, Taker, overdrawn, run

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject

LIMITS = st.builds(
    BudgetLimit,
    requests_per_second=st.one_of(st.integers(1, 500), st.floats(0.2, 500)),
    burst=st.integers(1, 60),
)
PATIENCE = (float(BEGIN_SECONDS), float(GO_ON_SECONDS))
ROUNDING = 1e-3
"""Tokens: a clock is a float, and a bucket counts in microseconds."""

MANY = 300


@given(
    limit=LIMITS,
    count=st.integers(1, 40),
    at_once=st.integers(1, MANY),
    works=st.floats(0, 3),
    idle=st.floats(0, 100),
)
@settings(max_examples=40)
def test_no_window_ever_sees_more_than_the_burst_and_the_rate_allow(
    *, limit: BudgetLimit, count: int, at_once: int, works: float, idle: float
) -> None:
    model = BudgetModel(limit)
    for _ in range(2):
        jobs = [Job(requests=3, patience=PATIENCE, works=works) for _ in range(count)]
        run(model, jobs, at_once=at_once)
        model.now += idle
    assert overdrawn(model.sent, limit) < ROUNDING
    assert len(model.sent) == 2 * 3 * count


@given(rate=st.integers(2, 50), burst=st.integers(1, 50), works=st.floats(0, 0.5))
@settings(max_examples=10)
def test_hundreds_who_want_more_than_there_is_use_all_of_it_and_all_come_to_an_end(
    *, rate: int, burst: int, works: float
) -> None:
    limit = BudgetLimit(requests_per_second=rate, burst=burst)
    model, requests = BudgetModel(limit), 4
    jobs = [Job(requests=requests, patience=PATIENCE, works=works) for _ in range(MANY)]
    run(model, jobs, at_once=MANY)
    needed = (MANY * requests - burst) / rate
    alone = requests * works
    assert model.now - START <= needed * 1.05 + alone + 2
    assert overdrawn(model.sent, limit) < ROUNDING


def test_as_many_as_have_their_turn_within_patience_are_never_refused() -> None:
    limit = BudgetLimit(requests_per_second=20, burst=20)
    model = BudgetModel(limit)
    jobs = [Job(requests=7, patience=PATIENCE, works=0.2) for _ in range(MANY)]
    run(model, jobs, at_once=BEGIN_SECONDS * 20)
    assert not any(job.refusals for job in jobs)


@given(order=st.data(), workers=st.integers(2, 5), burst=st.integers(1, 3), idle=st.booleans())
@settings(max_examples=300)
def test_whatever_comes_between_two_steps_no_worker_is_let_through_too_early(
    *, order: DataObject, workers: int, burst: int, idle: bool
) -> None:
    """Steps are instantaneous; what a slow one may add is the rate times its delay."""
    limit = BudgetLimit(requests_per_second=10, burst=burst)
    model = BudgetModel(limit)
    if idle:
        model.bucket.renew(full_at=int((START - 1) * 1e6), before=1 << 62)
    takers = [Taker(model, patience=1000) for _ in range(workers)]
    while takers:
        awake = [taker for taker in takers if taker.wakes_at <= model.now]
        if not awake:
            model.now = min(taker.wakes_at for taker in takers)
            continue
        taker = order.draw(st.sampled_from(awake))
        if taker.step():
            takers.remove(taker)
    assert len(model.sent) == workers
    assert overdrawn(model.sent, limit) < ROUNDING


@given(
    limit=st.builds(BudgetLimit, requests_per_second=st.integers(1, 20), burst=st.integers(1, 20)),
    before=st.integers(0, 30),
    seconds=st.integers(0, 90),
    waiting=st.integers(1, 30),
)
@settings(max_examples=60)
def test_after_a_429_no_worker_asks_until_the_pause_is_over_and_then_one_by_one(
    *, limit: BudgetLimit, before: int, seconds: int, waiting: int
) -> None:
    model = BudgetModel(limit)
    jobs = [Job(requests=1, patience=PATIENCE, works=0) for _ in range(before + waiting)]
    run(model, jobs[:before], at_once=MANY)
    asleep = [job for job in jobs[before:] if job.go_on(model)]
    model.sent.clear()
    at = model.now
    model.pause(seconds)
    run(model, asleep, at_once=MANY)
    paused = min(max(seconds, 1), 60)
    assert all(sent >= at + paused for sent in model.sent)
    for place, sent in enumerate(sorted(model.sent)):
        assert sent + ROUNDING >= at + paused + place / limit.requests_per_second
