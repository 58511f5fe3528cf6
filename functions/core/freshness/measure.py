"""What is measured of all watches: how many there are, how many are breached, and the ages."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.core.freshness.objectives import Watch

MOST_AGES: Final = 99
"""CloudWatch's log format takes 100 values of a metric at a time, and Powertools writes at once
what has so many."""


class Measured(msgspec.Struct):
    """The watches of a provider, counted, and the ages of its data in seconds, where known."""

    watches: int = 0
    breached: int = 0
    ages: list[float] = msgspec.field(default_factory=list)

    def sample_ages(self) -> list[float]:
        """At most ``MOST_AGES`` of the ages, whose percentiles are those of all to about 1 %."""
        ages, count = sorted(self.ages), min(len(self.ages), MOST_AGES)
        return [ages[(2 * number + 1) * len(ages) // (2 * count)] for number in range(count)]


def measure(watches: Iterable[Watch], *, at: float) -> dict[str, Measured]:
    """Measure, by provider, the watches that a look has found to have an objective."""
    found: defaultdict[str, Measured] = defaultdict(Measured)
    for one in watches:
        if one.max_age_seconds:
            here = found[one.provider]
            here.watches += 1
            here.breached += bool(one.breached_at)
            if one.age_from:
                here.ages.append(max(0, at - one.age_from))
    return dict(found)
