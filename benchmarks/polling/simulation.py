"""Jobs one after the other, each waited for as planned from what is known of those before it.

Cost is lateness plus ``LOOK_PRICE`` a look. It is told as a ratio to that of an optimum: the best
plan for one who knows the distribution, found from ``KNOWN`` draws, and followed on the same jobs.
"""

from __future__ import annotations

from math import exp, log
from random import Random
from statistics import mean
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.polling.durations import CHANGING, RANDOM, STEADY, TURN
from benchmarks.polling.waiting import (
    PEERS,
    Wait,
    find_optimum,
    wait_as_product,
    wait_at_best,
)
from benchmarks.results import Result
from functions.core.polling import PROVIDER_INTERVALS, measure, plan, remember

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.polling.durations import Durations
    from benchmarks.results import Row
    from functions.core.model import Interval

JOBS: Final = 300
SEEDS: Final = 5
KNOWN: Final = 3000
AT: Final = 0.0


class Window(NamedTuple):
    """The jobs from one number up to another, and what they are called."""

    name: str
    first: int
    last: int


UNKNOWN: Final = Window("jobs 1 to 10", 0, 10)
EARLY: Final = Window("11 to 50", 10, 50)
LATE: Final = Window("101 to 300", 100, 300)
AFTER: Final = (
    Window("first 10 after it", TURN, TURN + 10),
    Window("11 to 50 after it", TURN + 10, TURN + 50),
    Window("51 to 200 after it", TURN + 50, JOBS),
)


def simulate(jobs: Sequence[float], *, users: int, seed: int, holds: bool = False) -> list[Wait]:
    """Wait for each of these jobs; users of one provider take turns."""
    random = Random(seed)  # noqa: S311 - a simulation
    own: list[tuple[Interval, ...]] = [()] * users
    others: dict[int, Interval] = {}
    waits = []
    for number, ends in enumerate(jobs):
        user = number % users
        looks = plan(own[user], list(others.values()), at=AT)
        wait = wait_as_product(ends, looks, holds=holds)
        waits.append(wait)
        if wait.ticket and (took := measure(wait.ticket, synchronous=False)):
            own[user] = remember(own[user], took)
            others[random.randrange(PROVIDER_INTERVALS)] = took
    return waits


class Study:
    """All jobs of one kind: what each seed drew, how they were waited for, and the optimum."""

    def __init__(self, durations: Durations, *, seeds: int, holds: bool = False) -> None:
        self.name = durations.name
        self._users = durations.users
        self._draws = [durations.take(seed, JOBS) for seed in range(seeds)]
        self._known = durations.take(seeds, KNOWN)
        self._waits = [
            simulate(jobs, users=durations.users, seed=seed, holds=holds)
            for seed, jobs in enumerate(self._draws)
        ]

    def of_optimum(self, window: Window, peer: Callable[[float], Wait] | None = None) -> float:
        """The mean cost in a window over the optimum's: the product's, or a peer's."""
        waits = self.waits(window) if peer is None else map(peer, self._ends(window))
        return mean(wait.cost for wait in waits) / self.optimum(window)

    def waits(self, window: Window) -> list[Wait]:
        """The product's waits in a window."""
        return [wait for waits in self._waits for wait in waits[window.first : window.last]]

    def optimum(self, window: Window) -> float:
        """The mean cost of the optimum in a window, in seconds."""
        costs = []
        for user in range(self._users):
            # What changes is another before ``TURN``; an optimum knows that, too.
            since = TURN if window.first >= TURN else 0
            looks = find_optimum(self._known[since + user :: self._users])
            costs += [wait_at_best(ends, looks).cost for ends in self._ends(window, user=user)]
        return mean(costs)

    def _ends(self, window: Window, *, user: int | None = None) -> list[float]:
        numbers = range(window.first, window.last)
        return [
            jobs[number]
            for jobs in self._draws
            for number in numbers
            if user is None or number % self._users == user
        ]


def main(*, quick: bool) -> Result:
    """Simulate everything."""
    seeds = 1 if quick else SEEDS
    random, steady, changing = (
        [Study(each, seeds=seeds) for each in kind] for kind in (RANDOM, STEADY, CHANGING)
    )
    held = [Study(each, seeds=seeds, holds=True) for each in (*RANDOM, *STEADY)]
    compared = [_compare(each) for each in random]
    return Result(
        tables={
            "polling": [
                *compared,
                _average("geometric mean of these", compared),
                *map(_compare, steady),
            ],
            "polling-change": [_compare_change(each) for each in changing],
            "polling-looks": [
                _describe(plain, longer)
                for plain, longer in zip((*random, *steady), held, strict=True)
            ],
        }
    )


def _compare(one: Study) -> Row:
    own = {f"Freshet, {each.name}": one.of_optimum(each) for each in (UNKNOWN, EARLY, LATE)}
    peers = {name: one.of_optimum(LATE, peer) for name, peer in PEERS.items()}
    return {"jobs take": one.name, **own, **peers}


def _compare_change(one: Study) -> Row:
    own = {f"Freshet, {each.name}": one.of_optimum(each) for each in AFTER}
    peers = {name: one.of_optimum(AFTER[-1], peer) for name, peer in PEERS.items()}
    return {"jobs take": one.name, **own, **peers}


def _describe(plain: Study, held: Study) -> Row:
    """How late the end is noticed and how often the provider is asked, in the late jobs."""
    found = {}
    for name, one in (("", plain), (", long poll", held)):
        waits = one.waits(LATE)
        found[f"late, s{name}"] = mean(wait.late for wait in waits)
        found[f"looks{name}"] = mean(float(wait.looks) for wait in waits)
        found[f"turns{name}"] = mean(float(wait.turns) for wait in waits)
    return {"jobs take": plain.name, **found}


def _average(name: str, rows: Iterable[Row]) -> Row:
    first, *others = rows
    columns = [column for column, value in first.items() if isinstance(value, float)]
    logs = {each: mean(log(float(row[each] or 1)) for row in (first, *others)) for each in columns}
    return {"jobs take": name, **{column: exp(value) for column, value in logs.items()}}
