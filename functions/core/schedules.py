"""A connection's schedule, kept in two places: in its own item, and in EventBridge Scheduler.

The connection's item is written before Scheduler is told, and cleared after Scheduler has deleted
the schedule: no schedule fires that the item does not show. A call that breaks off in between
leaves at most an item whose schedule does not fire yet, or no more; the same call again repairs
that. A call that has written to one place reads the other once more, so that of calls that come at
once the last one counts in both places. A schedule that is left of an erased connection is deleted
at its next firing.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol
from zoneinfo import ZoneInfo

from msgspec import UNSET, UnsetType

from functions.core.errors import InvalidRequest, Superseded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.core.contract import Schedule
    from functions.core.model import Connection

MIN_MINUTES: Final = 5
"""How far apart two firings are at least: each is an execution, and a call to the provider."""

_TOO_OFTEN: Final = f"A schedule fires every {MIN_MINUTES} minutes at the most."
_SHAPE: Final = "expression must be like rate(1 hour) or cron(0 3 * * ? *)."
_RATE: Final = re.compile(r"rate\(([1-9][0-9]{0,5}) (minute|hour|day)(s?)\)")
_CRON: Final = re.compile(r"cron\((\S+) (\S+)" + 4 * r" ([A-Za-z0-9*?/,#-]+)" + r"\)", re.ASCII)
_ITEM: Final = re.compile(r"(\*|[0-9]{1,2})(?:-([0-9]{1,2}))?(?:/([1-9][0-9]?))?")


def check(expression: str) -> None:
    """Refuse what is no ``rate(…)`` or ``cron(…)``, or would fire too often.

    Anything else that is wrong with it, Scheduler refuses itself.

    Raises:
        InvalidRequest: the text says what would be right.
    """
    rate, cron = _RATE.fullmatch(expression), _CRON.fullmatch(expression)
    if rate and rate[2] == "minute" and int(rate[1]) < MIN_MINUTES:
        raise InvalidRequest(_TOO_OFTEN)
    plural_fits = rate and bool(rate[3]) is (int(rate[1]) > 1)
    has_one_day = cron and (cron[3] == "?") is not (cron[5] == "?")
    if not (plural_fits or has_one_day):
        raise InvalidRequest(_SHAPE)
    if cron:
        _check_minutes(_read_field(cron[1], most=59), hours=_read_field(cron[2], most=23))


def _check_minutes(minutes: list[int], *, hours: list[int]) -> None:
    """Refuse minutes that lie too close, also from one hour to the next where both are named."""
    goes_on = any((hour + 1) % 24 in hours for hour in hours)
    row = [*minutes, minutes[0] + 60] if goes_on else minutes
    if any(later - earlier < MIN_MINUTES for earlier, later in pairwise(row)):
        raise InvalidRequest(_TOO_OFTEN)


_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS: Final = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
_DAYS_AHEAD: Final = 368
_SECONDS: Final = {"minute": 60, "hour": 60 * 60, "day": 24 * 60 * 60}


def next_firing(schedule: Schedule, *, after: float, last: float = 0) -> float | None:
    """The first firing after an instant; it may come as late as the jitter.

    None where that is not known: of a rate without a firing from which to count (``last``), and of
    a cron expression with a year, ``L``, ``W`` or ``#``, or that fires less than once a year.
    """
    rate, cron = _RATE.fullmatch(schedule.expression), _CRON.fullmatch(schedule.expression)
    if rate and last:
        period = int(rate[1]) * _SECONDS[rate[2]]
        return last + period * (max(0, after - last) // period + 1)
    fires_on = _read_days(cron) if cron else None
    if not cron or not fires_on:
        return None
    minutes, hours = _read_field(cron[1], most=59), _read_field(cron[2], most=23)
    zone = ZoneInfo(schedule.time_zone)
    today = datetime.fromtimestamp(after, zone).replace(minute=0, second=0, microsecond=0)
    moments = (
        day.replace(hour=hour, minute=minute).timestamp()
        for day in (today + timedelta(days=days) for days in range(_DAYS_AHEAD))
        if fires_on(day)
        for hour in hours
        for minute in minutes
    )
    return next((moment for moment in moments if moment > after), None)


def _read_days(cron: re.Match[str]) -> Callable[[datetime], bool] | None:
    """What tells whether an expression fires on a day; None where it says more than is read."""
    _, _, date, month, weekday, year = cron.groups()
    if year != "*":
        return None
    try:
        months = _read_field(_to_numbers(month, _MONTHS), most=12, least=1)
        if weekday == "?":
            dates = _read_field(date, most=31, least=1)
            return lambda day: day.month in months and day.day in dates
        weekdays = _read_field(_to_numbers(weekday, _WEEKDAYS), most=7, least=1)
    except InvalidRequest:
        return None
    return lambda day: day.month in months and day.isoweekday() % 7 + 1 in weekdays


def _to_numbers(field: str, names: Sequence[str]) -> str:
    """A field with the numbers of its names, from 1 on."""
    for number, name in enumerate(names, start=1):
        field = field.upper().replace(name, str(number))
    return field


def find_next_run(connection: Connection, *, at: float) -> float:
    """When the schedule of a connection begins its next refresh; 0: not known, or never.

    It begins none while the connection is paused, or its provider wants none.
    """
    if connection.schedule is None or connection.paused:
        return 0
    after = max(at, connection.next_allowed_at)
    return next_firing(connection.schedule, after=after, last=connection.scheduled_at) or 0


def _read_field(text: str, *, most: int, least: int = 0) -> list[int]:
    """The values that a field of numbers stands for, ascending."""
    found: set[int] = set()
    for item in map(_ITEM.fullmatch, text.split(",")):
        if item is None:
            raise InvalidRequest(_SHAPE)
        first = least if item[1] == "*" else int(item[1])
        last = most if item[1] == "*" or item[3] else first
        found.update(range(first, int(item[2] or last) + 1, int(item[3] or 1)))
    if not found or min(found) < least or max(found) > most:
        raise InvalidRequest(_SHAPE)
    return sorted(found)


class Scheduled(Protocol):
    """Where a connection's schedule is written down."""

    def get(self, connection_id: str) -> Connection | None:
        """Read a connection with a consistent read; None when it is gone."""

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


class Schedules(Protocol):
    """The schedules that fire. Every write may be repeated."""

    def get(self, connection_id: str) -> Schedule | None:
        """The schedule that fires for a connection; None when there is none."""

    def put(self, connection_id: str, schedule: Schedule) -> None:
        """Create the schedule, or replace the one there is.

        Raises:
            InvalidRequest: Scheduler refuses it.
        """

    def remove(self, connection_id: str) -> None:
        """Delete the schedule."""


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
    connection_id: str, *, connections: Scheduled, unschedule: Callable[[str], None]
) -> bool:
    """Delete the schedule of a connection that is gone; return whether it is gone."""
    gone = connections.get(connection_id) is None
    if gone:
        unschedule(connection_id)
    return gone


def _take_back(
    connection_id: str, refused: Schedule, *, connections: Scheduled, schedules: Schedules
) -> None:
    """Restore the schedule that fires in the item, until the two agree."""
    stands: Schedule | None = refused
    while (fires := schedules.get(connection_id)) != stands:
        if not connections.schedule(connection_id, fires, seen=stands):
            return  # another call has written since, and settles it
        stands = fires


def _settle(connection_id: str, *, connections: Scheduled, schedules: Schedules) -> None:
    """Write the item's schedule to Scheduler, until the item has not changed meanwhile."""
    wanted = _read_wanted(connection_id, connections=connections)
    while True:
        if wanted is None:
            schedules.remove(connection_id)
        else:
            schedules.put(connection_id, wanted)
        told, wanted = wanted, _read_wanted(connection_id, connections=connections)
        if told == wanted:
            return


def _read_wanted(connection_id: str, *, connections: Scheduled) -> Schedule | None:
    connection = connections.get(connection_id)
    return connection.schedule if connection else None
