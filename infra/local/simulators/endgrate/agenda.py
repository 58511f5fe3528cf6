"""What is due later, and the thread that sees to it while there is anything."""

from __future__ import annotations

import heapq
import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_NAP = 60.0


class Agenda:
    """Does things when their instant has come.

    Everything happens under one lock, `news`, which others share and wait on.
    """

    def __init__(self, news: threading.Condition, *, clock: Callable[[], float]) -> None:
        """Starts with nothing due; `clock` tells the seconds since 1970."""
        self._news = news
        self._clock = clock
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._watched = False

    def at(self, instant: float, action: Callable[[], None]) -> None:
        """Has an action done at an instant, in seconds since 1970."""
        with self._news:
            heapq.heappush(self._due, (instant, next(self._order), action))
            self._news.notify_all()
            if not self._watched:
                self._watched = True
                threading.Thread(target=self._watch, daemon=True).start()

    def settle(self) -> None:
        """Does everything now whose instant has come."""
        with self._news:
            while self._due and self._due[0][0] <= self._clock():
                heapq.heappop(self._due)[2]()
                self._news.notify_all()

    def clear(self) -> None:
        """Forgets everything that is due."""
        with self._news:
            self._due.clear()
            self._news.notify_all()

    def _watch(self) -> None:
        with self._news:
            while self._due:
                self.settle()
                if self._due:
                    left = self._due[0][0] - self._clock()
                    self._news.wait(min(max(left, 0.001), _LONGEST_NAP))
            self._watched = False
