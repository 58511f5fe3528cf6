"""Expressions: any text is taken or refused, and none that fires too often is taken."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.errors import InvalidRequest
from functions.core.schedules import MIN_MINUTES, check

HOUR, DAY_MINUTES = 60, 24 * 60


@given(
    st.text(max_size=40) | st.text("0123456789,-*/?LW# MONJAN()ratecronhoursminutes", max_size=40)
)
def test_any_text_at_all_is_taken_or_refused(text: str) -> None:
    for expression in (text, f"rate({text})", f"cron({text})", f"cron({text} * * ? *)"):
        try:
            check(expression)
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
    if min(gaps) >= MIN_MINUTES:
        check(expression)
    else:
        with pytest.raises(InvalidRequest, match="minutes at the most"):
            check(expression)
