"""When to look at a provider next: arithmetic on seconds, nothing else.

A look costs something and so does noticing late. Where jobs end with hazard ``h`` (ends per
second among those still running), the gap that balances the two is ``sqrt(2 c / h)``, with
``c`` the price of a look in seconds of lateness. The hazard comes from the durations seen so
far for this provider, blended with a prior that knows nothing, so that a first refresh is
looked at sensibly and an unusual one is never forgotten.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, log2, sqrt
from typing import TYPE_CHECKING, Final

from functions.core.contract import MAX_LOOKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BUCKETS: Final = 40
"""Durations are counted in buckets that grow by the square root of two, from one second on."""

LOOK_PRICE: Final = 0.5
"""Seconds of lateness that one look is worth."""

SHORTEST_PAUSE: Final = 0.5
"""Seconds between two looks at least, at a provider that has no long poll."""

PRIOR_WEIGHT: Final = 3.0
"""How many durations seen the prior counts for."""

_GROWTH: Final = sqrt(2)
_KEPT: Final = MAX_LOOKS // 2


def bucket(duration: float) -> int:
    """The bucket that counts this duration (seconds)."""
    return min(BUCKETS - 1, max(0, ceil(2 * log2(max(duration, 1)))))


def upper(index: int) -> float:
    """The longest duration (seconds) in a bucket."""
    return float(_GROWTH**index)


def plan(seen: Mapping[int, float], *, horizon: float) -> tuple[int, ...]:
    """Whole seconds after the trigger at which a look pays, ascending, at most ``MAX_LOOKS``.

    Where there are more, the late ones are thinned out, however far the horizon is: a job that
    ends soon is noticed soon.

    Args:
        seen: how many jobs ended in each bucket.
        horizon: the deadline, in seconds after the trigger; it is the last look.
    """
    price = LOOK_PRICE
    looks = _looks(seen, horizon=horizon, price=price)
    first = looks[:_KEPT]
    while len(looks) > MAX_LOOKS:
        price *= 2
        rest = _looks(seen, horizon=horizon, price=price)
        looks = (*first, *(look for look in rest if look > first[-1]))
    return looks


def _looks(seen: Mapping[int, float], *, horizon: float, price: float) -> tuple[int, ...]:
    looks: list[int] = []
    at, due = 0.0, 0.0
    for index, share in enumerate(_hazards(seen)):
        end = min(upper(index), horizon)
        density = sqrt(share / (2 * price))
        while density > 0 and at + (1 - due) / density <= end:
            at += (1 - due) / density
            due = 0.0
            looks.append(ceil(at))
        due += max(0.0, end - at) * density
        at = max(at, end)
    return tuple(sorted({look for look in looks if look < horizon} | {int(horizon)}))


def _hazards(seen: Mapping[int, float]) -> list[float]:
    """Ends per second among the jobs still running, for each bucket."""
    weights = [seen.get(index, 0.0) + PRIOR_WEIGHT / BUCKETS for index in range(BUCKETS)]
    hazards: list[float] = []
    for index, weight in enumerate(weights):
        width = upper(index) - (upper(index - 1) if index else 0.0)
        hazards.append(weight / (sum(weights[index:]) * width))
    return hazards


def next_wait(looks: Sequence[int], *, elapsed: float) -> float:
    """Seconds until the next planned look; after the last one, that last gap again."""
    for look in looks:
        if look > elapsed:
            return look - elapsed
    gaps = [later - earlier for earlier, later in pairwise(looks)]
    return float(gaps[-1] if gaps else 1)


def pause(elapsed: float) -> float:
    """Seconds between two looks while waiting inside a call, where a look costs no transition.

    A tenth of the time that has passed: lateness stays in proportion to what was waited for.
    """
    return max(SHORTEST_PAUSE, elapsed / 10)


def backoff(faults: int) -> int:
    """Seconds to stay away after so many faults in a row (from 1 on): 1, 2, 4 … 60."""
    return min(60, 1 << min(max(faults - 1, 0), 6))
