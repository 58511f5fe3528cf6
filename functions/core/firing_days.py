"""Days of the calendar, by what cron's fields may name of one."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

LATEST_ZONE: Final = timedelta(hours=12)
"""How far behind UTC the last zone is in which a day ends."""


def today(at: float) -> date:
    """The date in the zone where it is earliest: any before it is over everywhere."""
    return (datetime.fromtimestamp(at, UTC) - LATEST_ZONE).date()


def comes(
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
