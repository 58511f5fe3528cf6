"""A connection's schedule, kept in two places: in its own item, and in EventBridge Scheduler.

What fires is never without a word of it in the connection: that is written before Scheduler
is told, and cleared after Scheduler has forgotten. Whoever dies in between leaves at most a
connection that shows a schedule which does not fire yet, or no more; the same call again puts
that right. And whoever has written to one place looks at the other once more, so that however
many calls come at the same moment, the last word counts in both places. What is left firing where
whoever should have looked died, and the connection was erased meanwhile, goes with its next firing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import UNSET, UnsetType

from functions.core.errors import InvalidRequest, Superseded

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.contract import Schedule
    from functions.core.model import Connection
    from functions.core.stores import Connections


class Scheduled(Protocol):
    """Where a connection's schedule is written down."""

    def get(self, connection_id: str) -> Connection | None:
        """Read a connection with a consistent read; None when it is gone."""
        ...

    def schedule(
        self,
        connection_id: str,
        schedule: Schedule | None,
        *,
        seen: Schedule | UnsetType | None = UNSET,
    ) -> bool:
        """Write its schedule down, or that it has none.

        Args:
            seen: what must stand there still, if that matters; None for no schedule.

        Returns:
            Whether it was written; not where the connection is gone.
        """
        ...


class Schedules(Protocol):
    """What fires. Every write may be repeated."""

    def get(self, connection_id: str) -> Schedule | None:
        """What a connection's firings go by; None when there are none."""
        ...

    def put(self, connection_id: str, schedule: Schedule) -> None:
        """Let it fire by this from now on.

        Raises:
            InvalidRequest: Scheduler refuses it.
        """
        ...

    def remove(self, connection_id: str) -> None:
        """Let it fire no more."""
        ...


def put(
    connection_id: str, schedule: Schedule, *, connections: Scheduled, schedules: Schedules
) -> None:
    """Give a connection this schedule, instead of any that it has.

    Raises:
        InvalidRequest: Scheduler refuses it; the one before stays.
        Superseded: the connection is gone.
    """
    if not connections.schedule(connection_id, schedule):
        raise Superseded
    try:
        _settle(connection_id, connections=connections, schedules=schedules)
    except InvalidRequest:
        _take_back(connection_id, schedule, connections=connections, schedules=schedules)
        raise


def remove(connection_id: str, *, connections: Scheduled, schedules: Schedules) -> None:
    """Take a connection's schedule away, if it has one."""
    schedules.remove(connection_id)
    connections.schedule(connection_id, None)
    _settle(connection_id, connections=connections, schedules=schedules)


def forget(
    connection_id: str, *, connections: Connections, unschedule: Callable[[str], None]
) -> bool:
    """Let fire no more what fires for a connection that is gone; whether it is."""
    gone = connections.get(connection_id) is None
    if gone:
        unschedule(connection_id)
    return gone


def _take_back(
    connection_id: str, refused: Schedule, *, connections: Scheduled, schedules: Schedules
) -> None:
    """Write down what fires in the place of what was refused, until that has not changed."""
    stands: Schedule | None = refused
    while (fires := schedules.get(connection_id)) != stands:
        if not connections.schedule(connection_id, fires, seen=stands):
            return  # another call has had its word since, and settles it
        stands = fires


def _settle(connection_id: str, *, connections: Scheduled, schedules: Schedules) -> None:
    """Tell Scheduler what stands in the connection, until that has not changed meanwhile."""
    wanted = _wanted(connection_id, connections=connections)
    while True:
        if wanted is None:
            schedules.remove(connection_id)
        else:
            schedules.put(connection_id, wanted)
        told, wanted = wanted, _wanted(connection_id, connections=connections)
        if told == wanted:
            return


def _wanted(connection_id: str, *, connections: Scheduled) -> Schedule | None:
    connection = connections.get(connection_id)
    return connection.schedule if connection else None
