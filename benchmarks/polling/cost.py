"""What waiting costs, modelled on a virtual clock with list prices, beside other ways to wait.

A refresh of each kind triggers, waits and fetches. Counted are the state transitions, or durable
operations, and the time of the function that looks; the work of the trigger and of the fetch is the
same everywhere and left out. Each call takes ``CALL_SECONDS`` beside what it waits.
"""

from __future__ import annotations

from random import Random
from statistics import mean
from typing import TYPE_CHECKING, Final

from benchmarks.polling.durations import lognormal
from benchmarks.polling.simulation import simulate
from benchmarks.polling.waiting import wait_as_loop, wait_with_backoff
from benchmarks.results import Result
from benchmarks.system.refresh_cost import (
    DOLLARS_A_GB_SECOND,
    DOLLARS_A_TRANSITION,
    DOLLARS_AN_INVOCATION,
    MEMORY_GB,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.polling.waiting import Wait
    from benchmarks.results import Row

DOLLARS_A_DURABLE_OPERATION: Final = 8 / 1e6
"""From AWS's page of Lambda's prices, as it stood on 2026-09-20. What is written and kept of an
execution costs extra, and is left out."""

TASK_SECONDS: Final = (2, 6, 30, 60, 300)
JOBS: Final = 60
LEARNED: Final = 20
"""After so many jobs the rest is counted; before it, the first ten."""

CALL_SECONDS: Final = 0.1
LOOPS: Final = (wait_as_loop, wait_with_backoff)


def main(*, quick: bool) -> Result:
    """Reckon everything."""
    costs: list[Row] = []
    lateness: list[Row] = []
    for seconds in TASK_SECONDS:
        ways = wait_all_ways(seconds, seeds=1 if quick else 5)
        costs.append({"task, s": seconds, **{name: round(way[0]) for name, way in ways.items()}})
        lateness.append({"task, s": seconds, **{name: way[1] for name, way in ways.items()}})
    return Result(tables={"cost": costs, "cost-lateness": lateness})


def wait_all_ways(seconds: float, *, seeds: int) -> dict[str, tuple[float, float]]:
    """By the way to wait: dollars per million refreshes, and seconds late."""
    draw = lognormal(seconds, 0.1)
    randoms = [Random(seed) for seed in range(seeds)]  # noqa: S311 - a simulation
    jobs = [[draw(random, number) for number in range(JOBS)] for random in randoms]
    plain, held = (
        [simulate(ends, users=1, seed=seed, holds=holds) for seed, ends in enumerate(jobs)]
        for holds in (False, True)
    )
    ten, backoff = ([[wait(each) for each in ends] for ends in jobs] for wait in LOOPS)
    first = [waits[:10] for waits in plain]
    later = [waits[LEARNED:] for waits in plain]
    return {
        "Freshet, first ten": reckon(first, cost_of_machine),
        "Freshet, later": reckon(later, cost_of_machine),
        "Freshet, long poll": reckon(held, cost_of_machine),
        "loop, each 10 s": reckon(ten, cost_of_loop),
        "loop, 1 to 30 s": reckon(backoff, cost_of_loop),
        "durable function, 1 to 30 s": reckon(backoff, cost_of_durable),
    }


def reckon(waits: Iterable[Iterable[Wait]], cost: Callable[[Wait], float]) -> tuple[float, float]:
    """Dollars per million refreshes, and seconds late, in the mean of all."""
    found = [wait for some in waits for wait in some]
    return 1e6 * mean(map(cost, found)), mean(wait.late for wait in found)


def cost_of_machine(wait: Wait) -> float:
    """Freshet: four transitions, and three for each turn; the call also waits inside itself."""
    calls = wait.turns + 1
    transitions = (4 + 3 * wait.turns) * DOLLARS_A_TRANSITION
    return transitions + _cost_of_calls(calls, gigabytes=MEMORY_GB["CheckStatus"], held=wait.held)


def cost_of_loop(wait: Wait) -> float:
    """A machine of trigger, wait, look, choice and fetch: three transitions for each look."""
    transitions = (2 + 3 * wait.looks) * DOLLARS_A_TRANSITION
    return transitions + _cost_of_calls(wait.looks)


def cost_of_durable(wait: Wait) -> float:
    """A durable function: its start, trigger and fetch, and a wait and a step for each look."""
    operations = (3 + 2 * wait.looks) * DOLLARS_A_DURABLE_OPERATION
    return operations + _cost_of_calls(wait.looks + 1)


def _cost_of_calls(calls: int, *, gigabytes: float = 0.25, held: float = 0.0) -> float:
    seconds = held + CALL_SECONDS * calls
    return seconds * gigabytes * DOLLARS_A_GB_SECOND + calls * DOLLARS_AN_INVOCATION
