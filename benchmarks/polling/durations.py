"""How long jobs take: what is drawn from, with its name."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[Random, int], float]

LONGEST: Final = 700.0
"""Seconds that no job outlasts, so that none meets its deadline of 900."""

TURN: Final = 100
"""The job from which on a provider is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """A way in which jobs take their time, by the number of the job; ``users`` take turns."""

    name: str
    draw: Draw
    users: int = 1

    def take(self, seed: int, jobs: int) -> list[float]:
        """So many durations in seconds, the same ones for the same seed."""
        random = Random(seed)  # noqa: S311 - a simulation
        return [min(LONGEST, self.draw(random, number)) for number in range(jobs)]


def exponential(mean: float) -> Draw:
    """Whether a job ends does not depend on how long it has run."""
    return lambda random, _number: random.expovariate(1 / mean)


def lognormal(median: float, sigma: float) -> Draw:
    """Around a median, the farther the larger ``sigma``."""
    return lambda random, _number: median * exp(sigma * random.gauss(0, 1))


def either(share: float, one: Draw, other: Draw) -> Draw:
    """A share of the jobs like the one, the rest like the other."""
    return lambda random, number: (one if random.random() < share else other)(random, number)


def pareto(median: float, shape: float) -> Draw:
    """Most are short and some very long."""
    scale = median / (2 ** (1 / shape) - 1)
    return lambda random, _number: scale * (random.random() ** (-1 / shape) - 1)


def always(seconds: float) -> Draw:
    """The same each time."""
    return lambda _random, _number: seconds


def change(before: float, after: float) -> Draw:
    """One length until ``TURN`` and another from then on, each by a tenth more or less."""
    old, new = lognormal(before, 0.1), lognormal(after, 0.1)
    return lambda random, number: (old if number < TURN else new)(random, number)


def alternate(one: float, other: float) -> Draw:
    """Two users who take turns, each with a length of its own, by a fifth more or less."""
    first, second = lognormal(one, 0.2), lognormal(other, 0.2)
    return lambda random, number: (second if number % 2 else first)(random, number)


RANDOM: Final = (
    Durations(name="exponential, 10 s", draw=exponential(10)),
    Durations(name="exponential, 60 s", draw=exponential(60)),
    Durations(name="lognormal, 2 s", draw=lognormal(2, 0.5)),
    Durations(name="lognormal, 6 s", draw=lognormal(6, 0.8)),
    Durations(name="lognormal, 45 s", draw=lognormal(45, 1)),
    Durations(
        name="9 of 10 about 3 s, else 90 s",
        draw=either(0.9, lognormal(3, 0.4), lognormal(90, 0.8)),
    ),
    Durations(
        name="4 of 10 about 0.3 s, else 20 s",
        draw=either(0.4, lognormal(0.3, 0.5), lognormal(20, 0.6)),
    ),
    Durations(name="heavy tail, median 8 s", draw=pareto(8, 1.5)),
)
STEADY: Final = (
    *(Durations(name=f"always {seconds} s", draw=always(seconds)) for seconds in (2, 30, 60, 300)),
    Durations(name="two users, 2 s and 120 s", draw=alternate(120, 2), users=2),
)
CHANGING: Final = (
    Durations(name="60 s, then 2 s", draw=change(60, 2)),
    Durations(name="300 s, then 2 s", draw=change(300, 2)),
    Durations(name="2 s, then 60 s", draw=change(2, 60)),
)
