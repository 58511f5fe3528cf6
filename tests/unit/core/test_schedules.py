"""Expressions of EventBridge Scheduler: what is taken, and what a refusal says."""

from __future__ import annotations

from datetime import datetime

import pytest

from functions.core.errors import InvalidRequest
from functions.core.schedules import check

NOW = datetime.fromisoformat("2026-11-22T06:00:00Z").timestamp()


@pytest.mark.parametrize(
    "expression",
    [
        "rate(5 minutes)",
        "rate(90 minutes)",
        "rate(1 hour)",
        "rate(12 hours)",
        "rate(1 day)",
        "rate(7 days)",
        "cron(0 3 * * ? *)",
        "cron(15 10 ? * * *)",
        "cron(00 03 * * ? *)",
        "cron(0/5 * * * ? *)",
        "cron(*/15 8-18/2 ? * MON-FRI *)",
        "cron(5,35 14 * * ? *)",
        "cron(0,57 3,5 * * ? *)",
        "cron(30-30 13-13 ? * 2,4,6 *)",
        "cron(0 8 1 * ? *)",
        "cron(0 8 1,15 JAN,MAR-MAY ? *)",
        "cron(0 8 1/10 2/3 ? 2026-2030)",
        "cron(0 8 L * ? *)",
        "cron(0 8 LW * ? *)",
        "cron(0 8 3W * ? *)",
        "cron(0 8 ? * L *)",
        "cron(0 8 ? * 6L 2026)",
        "cron(0 8 ? * FRIL *)",
        "cron(0 8 ? * 3#2 *)",
        "cron(0 8 ? * tue#5 *)",
        "cron(0 8 ? 1-12 sun-sat 1970,2199)",
    ],
)
def test_what_the_guide_describes_is_taken(expression: str) -> None:
    check(expression, at=NOW)


LIKE = "expression must be like rate(1 hour) or cron(0 3 * * ? *)."
SIX = "cron takes six fields with one blank between two"
DAYS = "Exactly one of cron's day-of-month and day-of-week must be ?."
OFTEN = "every 5 minutes at the most"
WHOLE = "rate takes a whole number from 1 on and a unit"


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        pytest.param("", LIKE, id="nothing"),
        pytest.param("0 3 * * ? *", LIKE, id="bare"),
        pytest.param("at(2026-11-22T03:00:00)", LIKE, id="once"),
        pytest.param("Rate(1 hour)", LIKE, id="in-capitals"),
        pytest.param("rate(1 hour) ", LIKE, id="a-blank-behind"),
        pytest.param("rate(1 hour)\n", LIKE, id="a-line-end"),
        pytest.param("cron(0 3 * * ? *", LIKE, id="not-closed"),
        pytest.param("cron(٣ 3 * * ? *)", LIKE, id="another-script-s-digit"),
        pytest.param("cron(0 3 ? * \u017fun *)", LIKE, id="a-letter-that-only-looks-right"),
        pytest.param("rate()", WHOLE, id="rate-of-nothing"),
        pytest.param("rate(0 hours)", WHOLE, id="rate-zero"),
        pytest.param("rate(-1 hours)", WHOLE, id="rate-negative"),
        pytest.param("rate(1.5 hours)", WHOLE, id="rate-broken"),
        pytest.param("rate(5  hours)", WHOLE, id="rate-two-blanks"),
        pytest.param("rate(10 weeks)", WHOLE, id="rate-unknown-unit"),
        pytest.param(f"rate({'9' * 99} days)", WHOLE, id="rate-huge"),
        pytest.param("rate(1 hours)", "rate takes 1 hour, or more hours.", id="one-hours"),
        pytest.param("rate(2 day)", "rate takes 1 day, or more days.", id="two-day"),
        pytest.param("rate(4 minutes)", OFTEN, id="rate-below-the-floor"),
        pytest.param("rate(1 minute)", OFTEN, id="rate-every-minute"),
        pytest.param("rate(1 minutes)", OFTEN, id="rate-below-the-floor-in-other-words"),
        pytest.param("cron(* * * * ? *)", OFTEN, id="cron-every-minute"),
        pytest.param("cron(0,4 3 * * ? *)", OFTEN, id="cron-below-the-floor"),
        pytest.param("cron(0/7 * * * ? *)", OFTEN, id="cron-over-the-full-hour"),
        pytest.param("cron(1,58 23,0 * * ? *)", OFTEN, id="cron-over-midnight"),
        pytest.param("cron(0 3 * * ?)", SIX, id="five-fields"),
        pytest.param("cron(0 0 3 * * ? *)", SIX, id="seven-fields"),
        pytest.param("cron(0 3 * *  ? *)", SIX, id="two-blanks"),
        pytest.param("cron(0\t3 * * ? *)", SIX, id="a-tab"),
        pytest.param("cron(0 3 * * * *)", DAYS, id="both-days"),
        pytest.param("cron(0 3 ? * ? *)", DAYS, id="no-day"),
        pytest.param("cron(60 3 * * ? *)", "cron's minutes must be 0-59", id="minute-60"),
        pytest.param("cron(0 24 * * ? *)", "cron's hours must be 0-23", id="hour-24"),
        pytest.param("cron(0 3 0 * ? *)", "cron's day-of-month must be 1-31", id="day-0"),
        pytest.param("cron(0 3 32W * ? *)", "cron's day-of-month must be", id="weekday-near-32"),
        pytest.param("cron(0 3 L,5 * ? *)", "cron's day-of-month must be", id="last-in-a-list"),
        pytest.param("cron(0 3 L-3 * ? *)", "cron's day-of-month must be", id="before-the-last"),
        pytest.param("cron(0 3 * 13 ? *)", "cron's month must be 1-12 or JAN-DEC", id="month-13"),
        pytest.param("cron(0 3 * JANUARY ? *)", "cron's month must be", id="month-s-long-name"),
        pytest.param("cron(0 3 * MON ? *)", "cron's month must be", id="a-day-for-a-month"),
        pytest.param("cron(0 3 ? * 0 *)", "cron's day-of-week must be 1-7 or SUN-SAT", id="day-0-of-the-week"),
        pytest.param("cron(0 3 ? * 8L *)", "cron's day-of-week must be", id="last-of-day-8"),
        pytest.param("cron(0 3 ? * 3#6 *)", "cron's day-of-week must be", id="the-sixth"),
        pytest.param("cron(0 3 ? * 3#1,6#3 *)", "cron's day-of-week must be", id="two-of-those"),
        pytest.param("cron(0 3 ? * 2/2 *)", "cron's day-of-week must be", id="steps-of-days"),
        pytest.param("cron(0 3 * * ? 1969)", "cron's year must be 1970-2199", id="year-1969"),
        pytest.param("cron(0 3 * * ? 2200)", "cron's year must be 1970-2199", id="year-2200"),
        pytest.param("cron(? 3 * * ? *)", "cron's minutes must be", id="any-minute"),
        pytest.param("cron(0 3 * * ? L)", "cron's year must be", id="last-year"),
        pytest.param("cron(0/0 3 * * ? *)", "cron's minutes must be", id="steps-of-0"),
        pytest.param("cron(0/60 3 * * ? *)", "cron's minutes must be", id="steps-of-an-hour"),
        pytest.param("cron(0/ 3 * * ? *)", "cron's minutes must be", id="steps-of-nothing"),
        pytest.param("cron(/5 3 * * ? *)", "cron's minutes must be", id="steps-from-nothing"),
        pytest.param("cron(0,,30 3 * * ? *)", "cron's minutes must be", id="a-gap-in-a-list"),
        pytest.param("cron(*-5 3 * * ? *)", "cron's minutes must be", id="a-range-from-all"),
        pytest.param("cron(0-10-20 3 * * ? *)", "cron's minutes must be", id="a-range-of-three"),
        pytest.param("cron(+5 3 * * ? *)", "cron's minutes must be", id="a-sign"),
        pytest.param("cron(0 22-2 * * ? *)", "A range of cron's hours must run upwards", id="downwards"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_is_wrong(expression: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(expression, at=NOW)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("cron(0 3 * * ? 2020)", id="a-year-that-is-over"),
        pytest.param("cron(0 3 L * ? 1970-2025)", id="the-last-days-of-such-years"),
        pytest.param("cron(0 3 1 1 ? 2026)", id="a-day-of-this-year-that-is-over"),
        pytest.param("cron(0 3 ? JAN-OCT * 2026)", id="months-that-are-over"),
        pytest.param("cron(0 3 30 2 ? *)", id="the-30th-of-february"),
        pytest.param("cron(0 3 31 2,4,6,9,11 ? *)", id="a-31st-of-short-months"),
        pytest.param("cron(0 3 29 2 ? 2027)", id="a-leap-day-of-no-leap-year"),
        pytest.param("cron(0 3 29 2 ? 2100)", id="a-leap-day-of-a-century"),
        pytest.param("cron(0 3 ? 2 3#5 2027)", id="a-fifth-tuesday-of-four-weeks"),
        pytest.param("cron(0 3 ? 11 SAT 2020,2025)", id="weekdays-of-years-that-are-over"),
        pytest.param("cron(0 3 ? 11 1#3 2026)", id="the-sunday-a-week-ago"),
    ],
)
def test_what_never_comes_is_refused(expression: str) -> None:
    with pytest.raises(InvalidRequest, match="This never comes"):
        check(expression, at=NOW)


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("cron(0 3 29 2 ? *)", id="a-leap-day"),
        pytest.param("cron(0 3 29 2 ? 2027-2028)", id="a-leap-day-of-one-of-two"),
        pytest.param("cron(0 3 31 * ? *)", id="a-31st"),
        pytest.param("cron(0 3 * 11 ? 2026)", id="this-month"),
        pytest.param("cron(0 3 21 11 ? 2026)", id="a-day-that-is-not-over-everywhere"),
        pytest.param("cron(0 3 ? 11 1#4 2026)", id="a-sunday-that-is-today"),
        pytest.param("cron(0 3 30W 2 ? *)", id="a-weekday-near-no-day-which-nobody-documents"),
        pytest.param("cron(0 3 20W 11 ? 2026)", id="a-weekday-near-what-is-over"),
        pytest.param("cron(0 3 31 12 ? 2199)", id="the-last-of-all"),
    ],
)
def test_what_may_come_is_taken(expression: str) -> None:
    check(expression, at=NOW)
