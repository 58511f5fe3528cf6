"""Expressions: everything by the grammar passes, anything else is refused, and none too often."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.errors import InvalidRequest
from functions.core.schedules import FIELDS, FLOOR_MINUTES, Field, check

MINUTES, HOURS, DAY, MONTH, WEEKDAY, YEAR = FIELDS
HOUR, DAY_MINUTES = 60, 24 * 60


def one(field: Field) -> st.SearchStrategy[str]:
    """A value, as a number or by its name."""
    numbers = st.integers(field.low, field.high).map(str)
    return numbers | st.sampled_from(field.names) if field.names else numbers


@st.composite
def span(draw: st.DrawFn, field: Field) -> str:
    low, high = sorted(draw(st.tuples(*[st.integers(field.low, field.high)] * 2)))
    return f"{low}-{high}"


def stepped(field: Field) -> st.SearchStrategy[str]:
    steps = st.integers(1, field.high).map(str)
    return st.builds("{}/{}".format, st.just("*") | one(field) | span(field), steps)


def listed(field: Field) -> st.SearchStrategy[str]:
    items = one(field) | span(field)
    if "/" in field.signs:
        items |= stepped(field)
    return st.just("*") | st.lists(items, min_size=1, max_size=4).map(",".join)


MONTHDAYS = listed(DAY) | st.sampled_from(["L", "LW"]) | one(DAY).map("{}W".format)
NTH = st.builds("{}#{}".format, one(WEEKDAY), st.integers(1, 5))
WEEKDAYS = listed(WEEKDAY) | st.just("L") | one(WEEKDAY).map("{}L".format) | NTH
BY_DAY = st.tuples(MONTHDAYS, listed(MONTH), st.just("?")) | st.tuples(
    st.just("?"), listed(MONTH), WEEKDAYS
)


@given(one(MINUTES), listed(HOURS), BY_DAY, listed(YEAR))
def test_everything_by_the_grammar_is_taken(
    minute: str, hours: str, days: tuple[str, str, str], year: str
) -> None:
    try:
        check(f"cron({' '.join([minute, hours, *days, year])})", at=0)
    except InvalidRequest as refused:
        assert "never comes" in str(refused)  # noqa: PT017 - only where there is one


@given(
    st.text(max_size=40) | st.text("0123456789,-*/?LW# MONJAN()ratecronhoursminutes", max_size=40)
)
def test_any_text_at_all_is_taken_or_refused(text: str) -> None:
    for expression in (text, f"rate({text})", f"cron({text})", f"cron({text} * * ? *)"):
        try:
            check(expression, at=0)
        except InvalidRequest:
            continue


@given(
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=4),
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=4),
)
def test_no_two_firings_of_a_day_or_over_midnight_are_too_close(
    minutes: set[int], hours: set[int]
) -> None:
    row = sorted(HOUR * hour + minute for hour in hours for minute in minutes)
    gaps = [after - one for one, after in pairwise([*row, row[0] + DAY_MINUTES])]
    expression = f"cron({','.join(map(str, minutes))} {','.join(map(str, hours))} * * ? *)"
    if min(gaps) >= FLOOR_MINUTES:
        check(expression, at=0)
    else:
        with pytest.raises(InvalidRequest, match="minutes at the most"):
            check(expression, at=0)
