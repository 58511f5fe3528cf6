"""Expressions of EventBridge Scheduler: what is taken, and what a refusal says."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from functions.core.contract import Schedule
from functions.core.errors import InvalidRequest
from functions.core.model import instant, iso
from functions.core.schedules import check, find_next_run, next_firing
from tests.support.scripted_connector import a_connection


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
        "cron(0 8 1,15 JAN,MAR-MAY ? *)",
        "cron(0 8 1/10 2/3 ? 2026-2030)",
        "cron(0 8 LW * ? *)",
        "cron(0 8 3W * ? *)",
        "cron(0 8 ? * 6L 2026)",
        "cron(0 8 ? * tue#5 *)",
        "cron(0 8 ? 1-12 sun-sat 1970,2199)",
    ],
)
def test_what_the_guide_describes_is_taken(expression: str) -> None:
    check(expression)


LIKE = "expression must be like rate(1 hour) or cron(0 3 * * ? *)."
OFTEN = "every 5 minutes at the most"


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
        pytest.param("rate()", LIKE, id="rate-of-nothing"),
        pytest.param("rate(0 hours)", LIKE, id="rate-zero"),
        pytest.param("rate(-1 hours)", LIKE, id="rate-negative"),
        pytest.param("rate(1.5 hours)", LIKE, id="rate-broken"),
        pytest.param("rate(5  hours)", LIKE, id="rate-two-blanks"),
        pytest.param("rate(10 weeks)", LIKE, id="rate-unknown-unit"),
        pytest.param(f"rate({'9' * 99} days)", LIKE, id="rate-huge"),
        pytest.param("rate(4 minutes)", OFTEN, id="rate-below-the-floor"),
        pytest.param("rate(1 minute)", OFTEN, id="rate-every-minute"),
        pytest.param("rate(1 minutes)", OFTEN, id="rate-below-the-floor-in-other-words"),
        pytest.param("cron(* * * * ? *)", OFTEN, id="cron-every-minute"),
        pytest.param("cron(0,4 3 * * ? *)", OFTEN, id="cron-below-the-floor"),
        pytest.param("cron(0/7 * * * ? *)", OFTEN, id="cron-over-the-full-hour"),
        pytest.param("cron(1,58 23,0 * * ? *)", OFTEN, id="cron-over-midnight"),
        pytest.param("cron(0 3 * * ?)", LIKE, id="five-fields"),
        pytest.param("cron(0 0 3 * * ? *)", LIKE, id="seven-fields"),
        pytest.param("cron(0 3 * *  ? *)", LIKE, id="two-blanks"),
        pytest.param("cron(0\t3 * * ? *)", LIKE, id="a-tab"),
        pytest.param("rate(1 hours)", LIKE, id="one-hours"),
        pytest.param("rate(2 day)", LIKE, id="two-day"),
        pytest.param("cron(0 3 * * * *)", LIKE, id="both-days"),
        pytest.param("cron(0 3 ? * ? *)", LIKE, id="no-day"),
        pytest.param("cron(60 3 * * ? *)", LIKE, id="minute-60"),
        pytest.param("cron(0 24 * * ? *)", LIKE, id="hour-24"),
        pytest.param("cron(? 3 * * ? *)", LIKE, id="any-minute"),
        pytest.param("cron(0/0 3 * * ? *)", LIKE, id="steps-of-0"),
        pytest.param("cron(0/ 3 * * ? *)", LIKE, id="steps-of-nothing"),
        pytest.param("cron(/5 3 * * ? *)", LIKE, id="steps-from-nothing"),
        pytest.param("cron(0,,30 3 * * ? *)", LIKE, id="a-gap-in-a-list"),
        pytest.param("cron(0-10-20 3 * * ? *)", LIKE, id="a-range-of-three"),
        pytest.param("cron(+5 3 * * ? *)", LIKE, id="a-sign"),
        pytest.param("cron(0 22-2 * * ? *)", LIKE, id="downwards"),
    ],
)  # fmt: skip
def test_what_has_another_shape_or_fires_too_often_is_refused(expression: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(expression)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "zone", "last", "due"),
    [
        pytest.param("rate(1 hour)", "UTC", "2026-11-22T06:10:00Z", "2026-11-22T09:10", id="rate"),
        pytest.param("rate(1 hour)", "UTC", "2026-11-22T08:30:00Z", "2026-11-22T09:30", id="full-hour"),
        pytest.param("rate(1 hour)", "UTC", None, None, id="rate-that-never-fired"),
        pytest.param("cron(0 3 * * ? *)", "UTC", None, "2026-11-23T03:00", id="tomorrow"),
        pytest.param("cron(0/20 8-9 ? * * *)", "UTC", None, "2026-11-22T08:40", id="today"),
        pytest.param("cron(0 10 * * ? *)", "Europe/Berlin", None, "2026-11-22T09:00", id="by-clock"),
        pytest.param("cron(0 8 * * ? *)", "UTC", None, "2026-11-23T08:00", id="today-is-over"),
        pytest.param("cron(0 9 ? * SUN *)", "UTC", None, "2026-11-22T09:00", id="on-this-weekday"),
        pytest.param("cron(0 8 ? * 1 *)", "UTC", None, "2026-11-29T08:00", id="in-a-week"),
        pytest.param("cron(0 3 ? * MON-FRI *)", "UTC", None, "2026-11-23T03:00", id="weekdays"),
        pytest.param("cron(0 3 ? * wed,7 *)", "UTC", None, "2026-11-25T03:00", id="small-letters"),
        pytest.param("cron(0 3 ? DEC 2-6/2 *)", "UTC", None, "2026-12-02T03:00", id="a-month-s-weekdays"),
        pytest.param("cron(0 3 1,15 * ? *)", "UTC", None, "2026-12-01T03:00", id="dates"),
        pytest.param("cron(0 3 31 2/3 ? *)", "UTC", None, "2027-05-31T03:00", id="steps-of-months"),
        pytest.param("cron(0 3 */10 JAN ? *)", "UTC", None, "2027-01-01T03:00", id="steps-of-dates"),
        pytest.param("cron(0 8 22 11 ? *)", "UTC", None, "2027-11-22T08:00", id="in-a-year"),
        pytest.param("cron(0 0 ? * MON *)", "Asia/Tokyo", None, "2026-11-22T15:00", id="another-day-there"),
        pytest.param("cron(0 3 29 2 ? *)", "UTC", None, None, id="in-more-than-a-year"),
        pytest.param("cron(0 3 ? * * 2027)", "UTC", None, None, id="a-year"),
        pytest.param("cron(0 3 L * ? *)", "UTC", None, None, id="the-last-day"),
        pytest.param("cron(0 3 3W * ? *)", "UTC", None, None, id="the-nearest-weekday"),
        pytest.param("cron(0 3 ? * 6L *)", "UTC", None, None, id="the-last-friday"),
        pytest.param("cron(0 3 ? * TUE#2 *)", "UTC", None, None, id="the-second-tuesday"),
        pytest.param("cron(0 3 ? * FRI-MON *)", "UTC", None, None, id="over-the-weekend"),
        pytest.param("cron(0 3 0 * ? *)", "UTC", None, None, id="what-scheduler-refuses"),
    ],
)  # fmt: skip
def test_the_next_firing_is_known_of_what_fires_by_the_clock(
    expression: str, zone: str, last: str | None, due: str | None
) -> None:
    schedule = Schedule(expression=expression, time_zone=zone)
    after = instant("2026-11-22T08:30:00Z")
    found = next_firing(schedule, after=after, last=instant(last) if last else 0)
    assert (found and iso(found)[:16]) == due


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        pytest.param({}, "2026-11-22T09:10", id="counted-from-the-last"),
        pytest.param({"scheduled_at": 0}, None, id="none-yet"),
        pytest.param({"schedule": None}, None, id="no-schedule"),
        pytest.param({"paused": True}, None, id="paused"),
        pytest.param(
            {"next_allowed_at": instant("2026-11-22T09:15:00Z")},
            "2026-11-22T10:10",
            id="not-while-the-provider-wants-none",
        ),
    ],
)
def test_the_next_run_of_a_connection_is_its_next_firing_that_may_refresh(
    changes: dict[str, Any], due: str | None
) -> None:
    connection = a_connection(
        schedule=Schedule(expression="rate(1 hour)"),
        scheduled_at=instant("2026-11-22T06:10:00Z"),
    )
    found = find_next_run(replace(connection, **changes), at=instant("2026-11-22T08:30:00Z"))
    assert (found and iso(found)[:16]) == (due or 0)
