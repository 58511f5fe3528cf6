"""The grammar of EventBridge Scheduler's recurring expressions, and how often one may fire.

It is that of the page "Schedule types" of Scheduler's user guide, no more: what is wrong by
it is refused before anything is written down, and so is what is right and never comes.
Scheduler itself has the last word.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

import msgspec

from functions.core import firing_days
from functions.core.errors import InvalidRequest

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
    since = firing_days.today(at)
    if not firing_days.comes(years=years, months=months, days=days, weekdays=weekdays, since=since):
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
