"""Workers that stand still between any two steps, so that their calls can interleave."""

from __future__ import annotations

from itertools import count
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any

from tests.support.scripted_connector import Crash

if TYPE_CHECKING:
    from collections.abc import Callable


class Watched:
    """A store that tells each of its calls before and after it is made."""

    def __init__(self, store: Any, told: Callable[[], object]) -> None:
        self._store, self._told = store, told

    def __getattr__(self, name: str) -> Any:
        def called(*args: Any, **named: Any) -> Any:
            self._told()
            answer = getattr(self._store, name)(*args, **named)
            self._told()
            return answer

        return called


class Worker:
    """Does one thing in a thread that stands still between any two steps.

    What it does is given ``told``, to be called at each step.
    """

    def __init__(self, do: Callable[..., object]) -> None:
        self.ended = self._dies = False
        self._go, self._stands = Semaphore(0), Semaphore(0)
        Thread(target=self._work, args=(do,), daemon=True).start()
        self._stands.acquire()

    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            if not self.ended:
                self._go.release()
                self._stands.acquire()

    def die(self) -> None:
        self._dies = True
        self.go_on(1)

    def _work(self, do: Callable[..., object]) -> None:
        try:
            self._still()
            do(told=self._still)
        except Crash:
            pass
        self.ended = True
        self._stands.release()

    def _still(self) -> None:
        self._stands.release()
        self._go.acquire()
        if self._dies:
            raise Crash


def at(step: int, then: Callable[[], object]) -> Callable[[], object]:
    """Does something at one step, and nothing at the others."""
    steps = count()
    return lambda: then() if next(steps) == step else None


def both(one: Callable[[], object], other: Callable[[], object]) -> Callable[[], None]:
    """Does two things at each step, one after the other."""

    def told() -> None:
        one()
        other()

    return told


def dying() -> None:
    """End the worker that calls it."""
    raise Crash
