"""When to look at a provider next: arithmetic on seconds, nothing else.

A look has a price, in seconds of lateness. What is known of earlier jobs are intervals: from the
last look that found the job running to the one that found it done. A plan is the series of looks
with the least expected sum of lateness and price, for jobs that end where those ended.

A job of which nothing is known is taken to end with the chance ``t / (t + HALF)`` within ``t``
seconds. That counts as one job more in each plan, so that a job that ends sooner than all before
is looked at now and then, and is soon believed.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from math import ceil, sqrt
from typing import TYPE_CHECKING, Final

from functions.core.contract import MAX_DEADLINE_SECONDS, MAX_LOOKS, REFRESH_DAYS
from functions.core.model import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.core.contract import Ticket

LOOK_PRICE: Final = 0.5
"""Seconds of lateness that one look is worth."""

HALF: Final = 8.0
"""Seconds within which half of the jobs end of which nothing is known."""

OWN_INTERVALS: Final = 24
"""How many intervals are kept of a connection."""

OWN_FADING: Final = 0.93
"""What a connection's interval counts after each later one, as a share of what it counted."""

PROVIDER_INTERVALS: Final = 40
"""How many intervals are kept of a provider. A new one takes the place of any one."""

PROVIDER_WEIGHT: Final = 8.0
"""How many jobs of the connection's own all the intervals of its provider count for at most."""

DAY_SECONDS: Final = 24 * 60 * 60

_SPREAD: Final = 0.02
"""The least width of an interval, as a share of its end: no two jobs take the same time."""

_LEAST: Final = 0.1
"""The least width of an interval in seconds, which is also how exactly looks are planned."""

_GRID: Final = tuple(2 ** (step / 2) / 4 for step in range(34))
_FINENESS: Final = 5
_FINEST: Final = 16


def measure(ticket: Ticket, *, synchronous: bool) -> Interval | None:
    """How long the job took; None where no look tells, as it was done when it was triggered."""
    if synchronous or ticket.noticed_at <= max(ticket.triggered_at, ticket.running_at):
        return None
    after, by = (at - ticket.triggered_at for at in (ticket.running_at, ticket.noticed_at))
    return Interval(round(max(after, 0.0), 1), round(by, 1), int(ticket.noticed_at // DAY_SECONDS))


def remember(own: Sequence[Interval], latest: Interval | None) -> tuple[Interval, ...]:
    """What is kept of a connection after its latest job."""
    return (*own, *([latest] if latest else []))[-OWN_INTERVALS:]


def plan(own: Sequence[Interval], others: Sequence[Interval], *, at: float) -> tuple[float, ...]:
    """Seconds after the trigger at which a look pays, ascending, at most ``MAX_LOOKS``.

    It ends with the longest job known; ``find_next`` goes on from there.

    Args:
        own: the connection's intervals, the newest last.
        others: its provider's, in no order.
        at: now. What is older than ``REFRESH_DAYS`` is not counted.
    """
    first_day = int(at // DAY_SECONDS) - REFRESH_DAYS
    known = [
        (OWN_FADING**age, each)
        for age, each in enumerate(reversed(own[-OWN_INTERVALS:]))
        if each.day >= first_day
    ]
    recent = [each for each in others[:PROVIDER_INTERVALS] if each.day >= first_day]
    share = PROVIDER_WEIGHT / max(PROVIDER_WEIGHT, len(recent))
    known += [(share, each) for each in recent]
    return _choose(*_spread(known))[:MAX_LOOKS] if known else ()


def find_next(looks: Sequence[float], *, after: float) -> float:
    """When to look next, after a look at ``after``; all are seconds after the trigger.

    Past the plan, it is after a pause for a job of which nothing else is known.
    """
    planned = bisect_left(looks, after + _LEAST / 2)
    if planned < len(looks):
        return looks[planned]
    return max(after, 0.0) + pause(after)


def predict(looks: Sequence[float], *, elapsed: float) -> float:
    """The first look after so many seconds, if each so far was at its time; from the trigger."""
    following = find_next(looks, after=-1)
    while following <= elapsed:
        following = find_next(looks, after=following)
    return following


def pause(elapsed: float) -> float:
    """Seconds between two looks at a job of which only is known how long it has run."""
    return sqrt(2 * LOOK_PRICE * (max(elapsed, 0.0) + HALF))


def backoff(faults: int) -> int:
    """Seconds to stay away after so many faults in a row (from 1 on): 1, 2, 4 … 60."""
    return min(60, 1 << min(max(faults - 1, 0), 6))


def _prior(seconds: float) -> float:
    """The share of jobs of which nothing is known that end within so many seconds."""
    return seconds / (seconds + HALF)


def _spread(known: Sequence[tuple[float, Interval]]) -> tuple[list[float], list[float]]:
    """Moments, ascending from 0, and the share of jobs that have ended by each.

    Within its interval a job ends as one of which nothing is known. Moments are the closer the
    more jobs end there.
    """
    rises: dict[float, float] = {}
    end = 0.0
    for weight, interval in known:
        by = round(min(max(interval.by, _LEAST), MAX_DEADLINE_SECONDS), 1)
        after = round(max(0.0, min(interval.after, by * (1 - _SPREAD), by - _LEAST)), 1)
        rise = weight / (_prior(by) - _prior(after))
        rises[after] = rises.get(after, 0.0) + rise
        rises[by] = rises.get(by, 0.0) - rise
        end = max(end, by)
    total = 1 + sum(weight for weight, _ in known)
    edges = sorted({0.0, *rises, *(each for each in _GRID if each < end)})
    moments, shares, height = [0.0], [0.0], 1.0
    for start, stop in pairwise(edges):
        height += rises.get(start, 0.0)
        mass = max(0.0, height) * (_prior(stop) - _prior(start)) / total
        steps = min(_FINEST, max(1, ceil(_FINENESS * sqrt((stop - start) * mass))))
        for step in range(1, steps + 1):
            moments.append(start + (stop - start) * step / steps)
            shares.append(shares[-1] + mass / steps)
    return moments, shares


def _choose(moments: Sequence[float], shares: Sequence[float]) -> tuple[float, ...]:
    """The moments whose looks cost least together with the lateness, the last one among them.

    Backwards: ``costs`` are what is to come after a look at each moment, counted from the first.
    The earlier a look, the earlier the best one after it, so few need to be compared.
    """
    costs = [0.0]
    for (start, stop), (before, by) in zip(pairwise(moments), pairwise(shares), strict=True):
        costs.append(costs[-1] + (before + by) / 2 * (stop - start))
    last = len(moments) - 1
    following = [last] * (last + 1)
    for here in range(last - 1, -1, -1):
        share = shares[here]
        cost, following[here] = min(
            (costs[then] - share * moments[then], then)
            for then in range(here + 1, following[here + 1] + 1)
        )
        costs[here] = cost + share * moments[here] + LOOK_PRICE * (1 - share)
    looks, here = list[float](), 0
    while here < last:
        here = following[here]
        looks.append(max(_LEAST, round(moments[here], 1)))
    return tuple(sorted(set(looks)))
