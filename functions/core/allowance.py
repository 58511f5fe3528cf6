"""Tokens taken from a shared bucket in advance, so that not every call has to ask for its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.core.errors import RateLimited

if TYPE_CHECKING:
    from functions.core.budget import SharedBudget
    from functions.core.ports import Clock

KEPT_SECONDS: Final = 1.0
"""How long tokens may be kept. So no window of time sees more than what the bucket grants to one
that is longer by this; and what nobody has used by then is forfeited."""


class Allowance:
    """What one process has taken: a token at first, twice as many each time all were used.

    Whoever lets some of them go to waste begins with one again.
    """

    def __init__(self, budget: SharedBudget, *, most: int, clock: Clock) -> None:
        """Take a budget whose patience is 0, and how many tokens may be taken at once."""
        self._budget, self._most, self._clock = budget, most, clock
        self._left, self._size, self._until = 0, 0, 0.0

    def take(self) -> None:
        """Use one token.

        Raises:
            RateLimited: there is none left in the bucket.
        """
        if not self._left or self._clock() >= self._until:
            self._draw()
        self._left -= 1

    def _draw(self) -> None:
        now = self._clock()
        size = min(2 * self._size, self._most) if now < self._until else 1
        try:
            self._budget.take(size)
        except RateLimited:
            if size == 1:
                raise
            size = 1
            self._budget.take()
        self._left = self._size = size
        self._until = now + KEPT_SECONDS
