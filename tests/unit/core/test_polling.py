"""When to look next."""

from __future__ import annotations

from itertools import pairwise

import pytest

from functions.core.contract import MAX_LOOKS, REFRESH_DAYS
from functions.core.model import Interval
from functions.core.polling import (
    DAY_SECONDS,
    OWN_INTERVALS,
    PROVIDER_INTERVALS,
    backoff,
    find_next,
    measure,
    pause,
    plan,
    predict,
    remember,
)
from tests.support.scripted_connector import a_ticket

TODAY = 20_000
AT = TODAY * DAY_SECONDS + 3600.0


def took(after: float, by: float, *, day: int = TODAY) -> Interval:
    return Interval(after, by, day)


def learn(seconds: float, *, jobs: int, known: tuple[Interval, ...] = ()) -> tuple[Interval, ...]:
    """The intervals learned from so many jobs of this length, each looked at as planned."""
    for _ in range(jobs):
        looks, at, last = plan(known, (), at=AT), 0.0, 0.0
        while (at := find_next(looks, after=at)) < seconds:
            last = at
        known = (*known, took(last, at))[-OWN_INTERVALS:]
    return known


def lateness(seconds: float, looks: tuple[float, ...]) -> float:
    at = 0.0
    while at < seconds:
        at = find_next(looks, after=at)
    return at - seconds


def count(seconds: float, looks: tuple[float, ...]) -> int:
    at, made = 0.0, 0
    while at < seconds:
        at, made = find_next(looks, after=at), made + 1
    return made


@pytest.mark.parametrize(
    ("ticket", "synchronous"),
    [
        pytest.param({"noticed_at": 5}, True, id="it-was-done-when-it-was-triggered"),
        pytest.param({"running_at": 900, "noticed_at": 900}, False, id="the-deadline-came-first"),
        pytest.param({"noticed_at": -3}, False, id="a-clock-went-back"),
    ],
)
def test_what_tells_nothing_of_how_long_a_job_takes_is_not_kept(
    ticket: dict[str, float],
    synchronous: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    start = 1_800_000_000.0
    instants = {name: start + seconds for name, seconds in ticket.items()}
    assert measure(a_ticket(at=start, **instants), synchronous=synchronous) is None


def test_of_a_connection_the_latest_jobs_are_kept() -> None:
    known: tuple[Interval, ...] = ()
    for number in range(100):
        known = remember(known, took(number, number + 1))
    assert known == tuple(took(number, number + 1) for number in range(100 - OWN_INTERVALS, 100))
    assert remember(known, None) == known


def test_where_nothing_is_known_nothing_is_planned() -> None:
    assert plan((), (), at=AT) == ()


@pytest.mark.parametrize("seconds", [0.3, 2, 6, 14, 30, 60, 300, 900])
def test_an_unknown_job_is_noticed_with_a_few_looks_and_soon(seconds: float) -> None:
    assert lateness(seconds, ()) <= pause(seconds)
    assert count(seconds, ()) <= 2 * (seconds + 8) ** 0.5


def test_an_unknown_job_of_fourteen_seconds_takes_six_looks_at_the_most() -> None:
    assert count(14, ()) <= 6


@pytest.mark.parametrize("seconds", [2.0, 30.0, 60.0, 300.0])
def test_a_job_that_always_takes_the_same_is_noticed_at_once(seconds: float) -> None:
    looks = plan(learn(seconds, jobs=30), (), at=AT)
    assert lateness(seconds, looks) <= max(0.5, 0.01 * seconds)
    assert count(seconds, looks) <= 9


@pytest.mark.parametrize("before", [60.0, 300.0, 3600.0])
def test_jobs_that_become_short_are_noticed_soon_again(before: float) -> None:
    known = learn(before, jobs=100)
    assert lateness(2, plan(known, (), at=AT)) < before / 2
    assert lateness(2, plan(learn(2, jobs=10, known=known), (), at=AT)) <= 1


def test_what_is_known_roughly_says_nothing_of_where_in_it_a_job_ended() -> None:
    known = [took(0, 46)] * OWN_INTERVALS
    assert lateness(2, plan(known, known, at=AT)) < 4


def test_looks_are_closest_where_jobs_have_ended_so_far() -> None:
    looks = plan([took(40 + n, 50 + n) for n in range(20)], (), at=AT)
    _, start = min((later - earlier, earlier) for earlier, later in pairwise(looks))
    assert 40 <= start <= 70


def test_a_connection_counts_for_more_than_its_provider() -> None:
    looks = plan([took(1.9, 2)] * OWN_INTERVALS, [took(59, 60)] * PROVIDER_INTERVALS, at=AT)
    assert lateness(2, looks) < 0.2


def test_a_new_connection_is_looked_at_as_its_provider_s_others_are() -> None:
    looks = plan((), [took(59, 60)] * PROVIDER_INTERVALS, at=AT)
    assert lateness(60, looks) < 0.5
    assert count(60, looks) < count(60, ()) / 2


def test_the_latest_jobs_count_for_more_than_those_before() -> None:
    short, long = [took(0, 20)] * 12, [took(20, 60)] * 12
    assert count(20, plan([*long, *short], (), at=AT)) > count(20, plan([*short, *long], (), at=AT))


def test_what_is_old_is_forgotten() -> None:
    old = [took(59, 60, day=TODAY - REFRESH_DAYS - 1)] * 10
    assert plan(old, old, at=AT) == ()
    assert plan([took(59, 60, day=TODAY - REFRESH_DAYS)], (), at=AT) != ()


def test_no_more_is_counted_than_is_kept() -> None:
    own, others = [took(9, 10)] * OWN_INTERVALS, [took(20, 21)] * PROVIDER_INTERVALS
    far = [took(500, 501)] * 1000
    assert plan([*far, *own], [*others, *far], at=AT) == plan(own, others, at=AT)


def test_a_plan_never_outgrows_its_ticket() -> None:
    wide = [took(0, 21_600)] * PROVIDER_INTERVALS
    assert len(plan(wide[:OWN_INTERVALS], wide, at=AT)) == MAX_LOOKS


@pytest.mark.parametrize(
    ("after", "at"),
    [
        pytest.param(-1, 2, id="before-the-first"),
        pytest.param(1.5, 2, id="just-before-the-first"),
        pytest.param(2, 5.5, id="at-the-first"),
        pytest.param(2.04, 5.5, id="a-look-takes-its-time"),
        pytest.param(4, 5.5, id="between-two"),
        pytest.param(8, 12, id="past-the-last-as-if-nothing-were-known"),
    ],
)
def test_the_next_look_is_the_next_that_is_planned(after: float, at: float) -> None:
    assert find_next((2, 5.5), after=after) == at


def test_a_look_may_be_planned_for_the_trigger_itself() -> None:
    assert find_next((0.0,), after=-1) == 0
    assert find_next((0.0,), after=0) == pause(0)


@pytest.mark.parametrize(
    ("elapsed", "at"),
    [(0, 2), (1.99, 2), (2, 5.5), (5.5, 5.5 + pause(5.5))],
    ids=["at-the-trigger", "before-the-first", "at-the-first", "past-the-plan"],
)
def test_the_look_to_come_is_predicted_from_the_plan_and_what_follows_it(
    elapsed: float, at: float
) -> None:
    assert predict((2, 5.5), elapsed=elapsed) == at


def test_where_nothing_is_planned_looks_are_predicted_one_after_the_other() -> None:
    seen = sorted({predict((), elapsed=at / 10) for at in range(6000)})

    assert seen[0] == find_next((), after=-1)
    assert [find_next((), after=at) for at in seen[:-1]] == seen[1:]


def test_faults_in_a_row_are_met_with_doubling_waits_up_to_a_minute() -> None:
    assert [backoff(faults) for faults in range(9)] == [1, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff(10**6) == 60
