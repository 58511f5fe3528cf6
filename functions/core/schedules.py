"""A connection's schedule, kept in two places: in its own item, and in EventBridge Scheduler.

What fires is never without a word of it in the connection: that is written before Scheduler
is told, and cleared after Scheduler has forgotten. Whoever dies in between leaves at most a
connection that shows a schedule which does not fire yet, or no more; the same call again puts
that right. And whoever has written to one place looks at the other once more, so that however
many calls come at the same moment, the last word counts in both places. What is left firing where
whoever should have looked died, and the connection was erased meanwhile, goes with its next firing.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from functions.core.errors import InvalidRequest, Superseded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from functions.core.contract import Schedule
    from functions.core.model import Connection
    from functions.core.refresh.stores import Connections

LATEST_ZONE: Final = timedelta(hours=12)
"""How far behind UTC the last zone is in which a day ends."""


def today(at: float) -> date:
    """The date in the zone where it is earliest: any before it is over everywhere."""
    return (datetime.fromtimestamp(at, UTC) - LATEST_ZONE).date()


def has_any(
    *,
    years: Collection[int],
    months: Collection[int],
    days: Collection[int],
    weekdays: Collection[int],
    since: date,
) -> bool:
    """Whether any day from ``since`` on is one of these; ``weekdays`` count from Sunday, 1."""
    return any(
        date(year, month, day) >= since and _weekday(date(year, month, day)) in weekdays
        for year in years
        if year >= since.year
        for month in months
        for day in range(1, monthrange(year, month)[1] + 1)
        if day in days
    )


def _weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


FLOOR_MINUTES: Final = 5
"""How far apart two firings are at least: each is an execution, and a call to the provider."""

_TOO_OFTEN: Final = f"A schedule fires every {FLOOR_MINUTES} minutes at the most"
_DIGITS: Final = 6


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One of cron's six fields.

    ``names`` stand for the numbers from ``low`` on. ``signs`` are those that the guide lists
    for the field, and ``alone`` is a pattern of what must be the whole of it, ``v`` a value.
    """

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    signs: str = ", - * /"
    alone: str = ""

    def wrong(self) -> InvalidRequest:
        """What may be written, for whoever has written something else."""
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        values = f"{self.low}-{self.high}{names}"
        return InvalidRequest(f"cron's {self.name} must be {values}, with {self.signs} as signs.")


_MONTHS: Final = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

FIELDS: Final = (
    Field(name="minutes", low=0, high=59),
    Field(name="hours", low=0, high=23),
    Field(name="day-of-month", low=1, high=31, signs=", - * ? / L W", alone=r"\?|L|LW|vW"),
    Field(name="month", low=1, high=12, names=_MONTHS),
    Field(
        name="day-of-week",
        low=1,
        high=7,
        names=_DAYS,
        signs=", - * ? L #",
        alone=r"\?|L|vL|v#[1-5]",
    ),
    Field(name="year", low=1970, high=2199),
)


def check(expression: str, *, at: float) -> None:
    """Refuse what is no ``rate(…)`` or ``cron(…)``, would fire too often, or never after ``at``.

    Raises:
        InvalidRequest: the text says what is wrong, and what would be right.
    """
    found = re.fullmatch(r"(rate|cron)\((.*)\)", expression, re.ASCII)
    if found is None or not expression.isascii():
        raise InvalidRequest("expression must be like rate(1 hour) or cron(0 3 * * ? *).")
    if found[1] == "rate":
        _check_rate(found[2])
    else:
        _check_cron(found[2].split(" "), at=at)


def _check_rate(text: str) -> None:
    found = re.fullmatch(r"([0-9]+) (minute|hour|day)(s?)", text)
    if found is None or not _whole(found[1]) or int(found[1]) < 1:
        raise InvalidRequest(
            "rate takes a whole number from 1 on and a unit, as in rate(12 hours)."
        )
    value, unit, many = int(found[1]), found[2], bool(found[3])
    if unit == "minute" and value < FLOOR_MINUTES:
        raise InvalidRequest(f"{_TOO_OFTEN}.")
    if many != (value > 1):
        raise InvalidRequest(f"rate takes 1 {unit}, or more {unit}s.")


def _check_cron(texts: list[str], *, at: float) -> None:
    if len(texts) != len(FIELDS) or "" in texts:
        names = ", ".join(field.name for field in FIELDS)
        raise InvalidRequest(f"cron takes six fields with one blank between two: {names}.")
    minutes, hours, days, months, weekdays, years = [
        _values(text, field) for text, field in zip(texts, FIELDS, strict=True)
    ]
    if texts.count("?") != 1:
        raise InvalidRequest("Exactly one of cron's day-of-month and day-of-week must be ?.")
    _check_minutes(sorted(minutes), through=any((hour + 1) % 24 in hours for hour in hours))
    if nth := texts[4].partition("#")[2]:
        days = set(range(7 * int(nth) - 6, 7 * int(nth) + 1))
    since = today(at)
    if not has_any(years=years, months=months, days=days, weekdays=weekdays, since=since):
        raise InvalidRequest(
            "This never comes: cron's days, month and year name no day from now on."
        )


def _check_minutes(minutes: list[int], *, through: bool) -> None:
    """Refuse minutes that lie too close; ``through`` says that an hour follows another."""
    row = [*minutes, minutes[0] + 60] if through else minutes
    if any(after - one < FLOOR_MINUTES for one, after in pairwise(row)):
        raise InvalidRequest(
            f"{_TOO_OFTEN}: cron's minutes must lie so far apart, also from one hour to the next."
        )


def _values(text: str, field: Field) -> set[int]:
    """The numbers that a field may stand for; where that depends on the month, all that can be."""
    alone = re.fullmatch(field.alone.replace("v", "([A-Z0-9]+)"), text.upper())
    if alone is None:
        return {number for item in text.split(",") for number in _item(item, field)}
    named = {_value(value, field) for value in alone.groups() if value}
    near = alone[0].endswith("W")  # the weekday nearest to a day is another day at times
    return named if named and not near else set(range(field.low, field.high + 1))


def _item(text: str, field: Field) -> range:
    """What one member of a list stands for: ``*``, a value or a range, in steps or not."""
    span, slash, step = text.partition("/")
    if slash and not ("/" in field.signs and _whole(step) and 1 <= int(step) <= field.high):
        raise field.wrong()
    first, dash, last = span.partition("-")
    low = field.low if span == "*" else _value(first, field)
    open_end = field.high if slash or span == "*" else low
    high = _value(last, field) if dash else open_end
    if low > high:
        raise InvalidRequest(f"A range of cron's {field.name} must run upwards; list two instead.")
    return range(low, high + 1, int(step or 1))


def _value(text: str, field: Field) -> int:
    if text.upper() in field.names:
        return field.low + field.names.index(text.upper())
    if not (_whole(text) and field.low <= int(text) <= field.high):
        raise field.wrong()
    return int(text)


def _whole(text: str) -> bool:
    return text.isdigit() and len(text) <= _DIGITS


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
