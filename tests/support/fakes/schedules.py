"""The fake of EventBridge Scheduler, under the conditions of the adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.errors import InvalidRequest

if TYPE_CHECKING:
    from functions.core.contract import Schedule


class Schedules:
    """Fake of ``functions.aws.schedules.Schedules``."""

    def __init__(self) -> None:
        self.firing: dict[str, Schedule] = {}

    def get(self, connection_id: str) -> Schedule | None:
        return self.firing.get(connection_id)

    def put(self, connection_id: str, schedule: Schedule) -> None:
        if schedule.expression.startswith("cron") and "?" not in schedule.expression:
            raise InvalidRequest
        self.firing[connection_id] = schedule

    def remove(self, connection_id: str) -> None:
        self.firing.pop(connection_id, None)
