"""A schedule's two places agree in the end, whichever worker died or came in between."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.interleaving import Worker, at, both, dying
from tests.support.models.schedule import DAILY, HOURLY, REFUSED, ScheduleModel
from tests.support.scripted_connector import Crash

if TYPE_CHECKING:
    from functions.core.contract import Schedule
    from tests.support.models.schedule import Act

STEPS = 30
"""More than any call has."""

WRITTEN = 2
"""After so many, what is put is written down."""

BEFORE = pytest.mark.parametrize("before", [None, HOURLY], ids=["none-before", "hourly-before"])
ALL: list[Act] = [HOURLY, DAILY, REFUSED, None, "erase"]
NAMES = ["put-hourly", "put-daily", "refused", "remove", "erase"]
ACT = pytest.mark.parametrize("act", ALL, ids=NAMES)
OTHER = pytest.mark.parametrize("other", ALL, ids=NAMES)


@BEFORE
@ACT
def test_nothing_fires_that_does_not_show_and_the_same_call_puts_it_right(
    act: Act, before: Schedule | None
) -> None:
    unhurt = ScheduleModel(before)
    unhurt.do(act)
    for step in range(STEPS):
        model = ScheduleModel(before)
        with suppress(Crash):
            model.do(act, told=at(step, dying))
        assert model.firing is None or model.written is not None
        model.do(act)
        assert model.written == model.firing == unhurt.firing


@BEFORE
@ACT
@OTHER
def test_a_call_within_another_leaves_both_places_alike(
    act: Act, other: Act, before: Schedule | None
) -> None:
    for step in range(STEPS):
        model = ScheduleModel(before)
        model.do(act, told=at(step, partial(model.do, other)))
        assert model.written == model.firing


@settings(max_examples=200)
@given(
    before=st.sampled_from([None, HOURLY]),
    acts=st.lists(st.sampled_from(ALL), min_size=2, max_size=3),
    turns=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12)), max_size=8),
)
def test_calls_at_the_same_moment_leave_both_places_alike(
    before: Schedule | None, acts: list[Act], turns: list[tuple[int, int]]
) -> None:
    model = ScheduleModel(before)
    workers = [Worker(partial(model.do, act)) for act in acts]
    for number, steps in turns:
        workers[number % len(workers)].go_on(steps)
    for worker in workers:
        worker.go_on(STEPS)
    assert model.written == model.firing


def test_what_a_death_left_firing_for_an_erased_connection_goes_with_its_next_firing() -> None:
    left = 0
    for steps in range(STEPS):
        for later in range(STEPS):
            model = ScheduleModel()
            worker = Worker(partial(model.do, HOURLY))
            worker.go_on(steps)
            model.do("erase")
            worker.go_on(later)
            worker.die()
            left += model.firing is not None
            model.fire()
            assert model.firing is None
    assert left


@BEFORE
def test_a_firing_leaves_alone_what_fires_for_a_connection_that_is_there(
    before: Schedule | None,
) -> None:
    model = ScheduleModel(before)
    model.fire()
    assert model.written == model.firing == before


def test_what_is_put_while_a_refused_one_is_taken_back_stays() -> None:
    for later in range(STEPS):
        model = ScheduleModel(HOURLY)
        refused, other = Worker(partial(model.do, REFUSED)), Worker(partial(model.do, DAILY))
        refused.go_on(WRITTEN + later)
        other.go_on(WRITTEN)
        assert model.written == DAILY
        refused.go_on(STEPS)
        other.go_on(STEPS)
        assert model.written == model.firing == DAILY


def test_scheduler_is_told_again_until_what_stands_has_not_changed_meanwhile() -> None:
    for first, second in combinations(range(STEPS), 2):
        model = ScheduleModel()
        twice = both(at(first, partial(model.do, DAILY)), at(second, partial(model.do, HOURLY)))
        model.do(HOURLY, told=twice)
        assert model.written == model.firing
