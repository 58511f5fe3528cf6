"""An expression is refused for never coming exactly where a calendar, read day by day, says so."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.errors import InvalidRequest
from functions.core.schedules import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Meant = Callable[[date], bool]
    Days = tuple[str, str, Meant]
    """The two fields for days, and which days they mean."""

DAY = timedelta(days=1)
YEARS = range(2023, 2030)
INSTANTS = st.datetimes(datetime(2023, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - its zone comes with it
LATEST = timezone(timedelta(hours=-12))


def listed(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[list[int]]:
    return st.lists(numbers, min_size=1, max_size=3)


def written(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))


def weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def days_of(start: date) -> Iterator[date]:
    """The days of its month."""
    day = start.replace(day=1)
    while day.month == start.month:
        yield day
        day += DAY


def nearest(number: int) -> Meant:
    """The weekday nearest to a day of the month, in the same month."""

    def meant(day: date) -> bool:
        month = list(days_of(day))
        if number > len(month):
            return False
        working = [one for one in month if one.isoweekday() < 6]
        return day == min(working, key=lambda one: abs(one.day - number))

    return meant


def by_number(numbers: list[int]) -> Days:
    return written(numbers), "?", lambda day: day.day in numbers


def by_weekday(numbers: list[int]) -> Days:
    return "?", written(numbers), lambda day: weekday(day) in numbers


def by_last(number: int) -> Days:
    return (
        "?",
        f"{number}L",
        lambda day: day == max(one for one in days_of(day) if weekday(one) == number),
    )


def by_nth(number: int, nth: int) -> Days:
    def meant(day: date) -> bool:
        same = [one for one in days_of(day) if weekday(one) == number]
        return len(same) >= nth and day == same[nth - 1]

    return "?", f"{number}#{nth}", meant


WEEKDAYS = st.integers(1, 7)
CERTAIN = (
    listed(st.integers(1, 31) | st.integers(28, 31)).map(by_number)
    | listed(WEEKDAYS).map(by_weekday)
    | WEEKDAYS.map(by_last)
    | st.builds(by_nth, WEEKDAYS, st.integers(1, 5) | st.just(5))
)
NEAREST = st.integers(1, 31).map(lambda number: (f"{number}W", "?", nearest(number)))
MONTHS = listed(st.integers(1, 12) | st.just(2))
SOME_YEARS = listed(st.sampled_from(YEARS))


def comes(meant: Meant, *, months: list[int], years: list[int], since: date) -> bool:
    day = since
    while day.year <= max(YEARS):
        if day.year in years and day.month in months and meant(day):
            return True
        day += DAY
    return False


@given(CERTAIN, MONTHS, SOME_YEARS, INSTANTS)
def test_what_is_refused_is_what_no_day_from_now_on_is(
    days: Days, months: list[int], years: list[int], now: datetime
) -> None:
    day, week, meant = days
    expression = f"cron(0 3 {day} {written(months)} {week} {written(years)})"
    if comes(meant, months=months, years=years, since=now.astimezone(LATEST).date()):
        check(expression, at=now.timestamp())
    else:
        with pytest.raises(InvalidRequest, match="never comes"):
            check(expression, at=now.timestamp())


@given(NEAREST, MONTHS, SOME_YEARS, INSTANTS)
def test_what_may_come_near_a_day_is_never_refused(
    days: Days, months: list[int], years: list[int], now: datetime
) -> None:
    day, week, meant = days
    if comes(meant, months=months, years=years, since=now.astimezone(LATEST).date()):
        check(f"cron(0 3 {day} {written(months)} {week} {written(years)})", at=now.timestamp())


@given(CERTAIN | NEAREST, INSTANTS, st.integers(-12, 14), st.times())
def test_nothing_that_fires_later_anywhere_is_refused(
    days: Days, now: datetime, offset: int, clock: time
) -> None:
    """A single day by the clocks of a zone, however far from UTC."""
    day, week, meant = days
    zone = timezone(timedelta(hours=offset))
    local = now.astimezone(zone).date()
    for date_ in (local, local + DAY):
        fires = datetime.combine(date_, clock, tzinfo=zone)
        if fires > now and meant(date_):
            check(f"cron(0 3 {day} {date_.month} {week} {date_.year})", at=now.timestamp())
