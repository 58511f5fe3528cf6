"""A connection's schedule in both of its places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core import schedules as scheduling
from functions.core.contract import Schedule
from functions.core.errors import InvalidRequest, Superseded
from tests.support.fakes.schedules import Schedules
from tests.support.fakes.stores import Clock, Tables
from tests.support.interleaving import Watched
from tests.support.scripted_connector import CONNECTION, stocked

if TYPE_CHECKING:
    from collections.abc import Callable

HOURLY = Schedule(expression="rate(1 hour)")
DAILY = Schedule(expression="rate(1 day)")
REFUSED = Schedule(expression="cron(0 3 * * * *)")

Act = str | Schedule | None
"""A schedule is put, ``None`` takes it away, ``"erase"`` erases the connection."""


class ScheduleModel:
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

    def do(self, act: Act, *, told: Callable[[], object] = lambda: None) -> None:
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

    def fire(self) -> None:
        """Do as an execution does that finds nothing to refresh."""
        scheduling.forget(
            CONNECTION, connections=self.connections, unschedule=self.schedules.remove
        )
