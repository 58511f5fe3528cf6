"""Patches to EventBridge Scheduler: its refusals and its clocks."""

from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ministack.services import eventbridge, scheduler

from infra.local.emulator.patching import expect, rewrite, wrap

LOOK_SECONDS = 1

Answer = tuple[int, dict[str, str], bytes]


def refuse_expression(
    original: Callable[..., Answer], name: str, schedule: Mapping[str, Any]
) -> Answer:
    """Refuses an expression that would never fire, as Scheduler does when it is handed one."""
    events, own, text = vars(eventbridge), vars(scheduler), schedule.get("ScheduleExpression", "")
    readers = (events["_parse_rate_seconds"], events["_parse_cron_fields"], own["_at_time_epoch"])
    if text and all(read(text) is None for read in readers):
        answer: Answer = own["_error"](400, "ValidationException", "Invalid Schedule Expression.")
        return answer
    return original(name, schedule)


def zone_of(schedule: Mapping[str, Any]) -> tzinfo:
    """The time zone of a cron expression; UTC too where this machine knows no zones."""
    try:
        return ZoneInfo(schedule["ScheduleExpressionTimezone"])
    except ZoneInfoNotFoundError:
        return UTC


def apply() -> None:
    """Patches the modules. What is due is looked for every second instead of every ten."""
    functions = vars(scheduler)
    expect(functions["_ticker_loop"], "51e1b1334023", patch="looks often")
    functions["_SCHEDULE_TICK_INTERVAL"] = LOOK_SECONDS
    wrap(functions, "_create_schedule", refuse_expression, digest="5b205607c15c")
    wrap(functions, "_update_schedule", refuse_expression, digest="93f7fec4f7d8")
    rewrite(
        functions["_tick_schedules"],
        patch="time zones",
        old="fromtimestamp(_schedule_last_fired[state_key], tz=timezone.utc)",
        new="fromtimestamp(_schedule_last_fired[state_key], tz=zone_of(sched))",
        zone_of=zone_of,
    )
