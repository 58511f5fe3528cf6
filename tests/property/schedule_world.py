"""A connection's schedule in both of its places, and workers whose calls interleave."""

from __future__ import annotations

from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any

from functions.core import scheduling
from functions.core.contract import Schedule
from functions.core.errors import InvalidRequest, Superseded
from tests.fake_schedules import Schedules
from tests.fakes import Clock, Tables
from tests.scripted import CONNECTION, stocked

if TYPE_CHECKING:
    from collections.abc import Callable

HOURLY = Schedule(expression="rate(1 hour)")
DAILY = Schedule(expression="rate(1 day)")
REFUSED = Schedule(expression="cron(0 3 * * * *)")

Act = str | Schedule | None
"""A schedule is put, ``None`` takes it away, ``"erase"`` erases the connection."""


class Watched:
    """A store each of whose calls is told before it is made and after."""

    def __init__(self, store: Any, told: Callable[[], None]) -> None:
        self._store, self._told = store, told

    def __getattr__(self, name: str) -> Any:
        def called(*args: Any, **named: Any) -> Any:
            self._told()
            answer = getattr(self._store, name)(*args, **named)
            self._told()
            return answer

        return called


class World:
    """One connection."""

    def __init__(self, before: Schedule | None = None) -> None:
        self.connections, _ = stocked(Tables(), Clock())
        self.schedules = Schedules()
        if before:
            self.do(before)

    @property
    def written(self) -> Schedule | None:
        connection = self.connections.get(CONNECTION)
        return connection.schedule if connection else None

    @property
    def firing(self) -> Schedule | None:
        return self.schedules.get(CONNECTION)

    def do(self, act: Act, *, told: Callable[[], None] = lambda: None) -> None:
        """Do as a route does; its refusals are answers."""
        connections: Any = Watched(self.connections, told)
        schedules: Any = Watched(self.schedules, told)
        try:
            if isinstance(act, Schedule):
                scheduling.put(CONNECTION, act, connections=connections, schedules=schedules)
            elif act is None:
                scheduling.remove(CONNECTION, connections=connections, schedules=schedules)
            else:
                schedules.remove(CONNECTION)
                connections.begin_erasing(CONNECTION)
                schedules.remove(CONNECTION)
        except (InvalidRequest, Superseded):
            return


class Worker:
    """Does one act in a thread that stands still between any two steps."""

    def __init__(self, world: World, act: Act) -> None:
        self.ended = False
        self._go, self._stands = Semaphore(0), Semaphore(0)
        Thread(target=self._work, args=(world, act), daemon=True).start()
        self._stands.acquire()

    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            if not self.ended:
                self._go.release()
                self._stands.acquire()

    def _work(self, world: World, act: Act) -> None:
        self._still()
        world.do(act, told=self._still)
        self.ended = True
        self._stands.release()

    def _still(self) -> None:
        self._stands.release()
        self._go.acquire()
