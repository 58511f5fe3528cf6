"""A connection's schedule."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from msgspec.structs import asdict, replace

from functions.connectors.registry import DATASETS
from functions.core import schedules as scheduling
from functions.core.contract import Schedule
from functions.core.errors import InvalidRequest, Superseded
from functions.core.model import when
from functions.core.refresh.admission import require_known
from functions.core.schedules import find_next_run
from functions.rest.call import Call, Reply, connection_of
from functions.rest.route import Answer, Route, Tag

if TYPE_CHECKING:
    from functions.core.model import Connection


class ScheduleIn(Schedule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A schedule to put in place."""


class ScheduleOut(Schedule, frozen=True, kw_only=True):
    """A schedule, and its runs.

    ``next_run_at`` is when it begins the next refresh, without the jitter. It is null while the
    connection is paused, and where it is not known: of a rate that has begun none yet, and of a
    cron expression with a year, ``L``, ``W`` or ``#``. ``last_run_at`` is when the last refresh was
    requested that it has begun since it was set.
    """

    next_run_at: str | None
    last_run_at: str | None


def schedule_out(connection: Connection, *, at: float) -> ScheduleOut | None:
    """Render the schedule of a connection, if it has one, with its runs as known then."""
    if connection.schedule is None:
        return None
    return ScheduleOut(
        **asdict(connection.schedule),
        next_run_at=when(find_next_run(connection, at=at)),
        last_run_at=when(connection.scheduled_at),
    )


@Route(
    "PUT /v1/connections/<connection_id>/schedule",
    Tag.SCHEDULES,
    (
        Answer("It replaced another.", ScheduleOut),
        Answer("It is the first.", ScheduleOut, status=201),
    ),
    body=ScheduleIn,
    problems=(Superseded,),
)
def put_schedule(call: Call, connection_id: str, *, body: ScheduleIn) -> Reply:
    """Refresh a connection by a schedule."""
    connection = connection_of(call, connection_id)
    schedule = Schedule(**asdict(body))
    _check(schedule, connection)
    scheduling.put(
        connection_id, schedule, connections=call.here.connections, schedules=call.here.schedules
    )
    told = schedule_out(
        replace(connection, schedule=schedule, scheduled_at=0), at=call.here.clock()
    )
    return Reply(told, 200 if connection.schedule else 201)


@Route(
    "DELETE /v1/connections/<connection_id>/schedule",
    Tag.SCHEDULES,
    (Answer("There is no schedule.", status=204),),
)
def remove_schedule(call: Call, connection_id: str) -> Reply:
    """Refresh a connection only when it is asked for."""
    connection_of(call, connection_id)
    scheduling.remove(
        connection_id, connections=call.here.connections, schedules=call.here.schedules
    )
    return Reply(status=204)


def _check(schedule: Schedule, connection: Connection) -> None:
    scheduling.check(schedule.expression)
    if schedule.time_zone not in _time_zones():
        raise InvalidRequest("time_zone must be an IANA name, such as UTC or Europe/Berlin.")
    known = connection.datasets or DATASETS[connection.provider]
    require_known(schedule.datasets or (), known=known)


@cache
def _time_zones() -> frozenset[str]:
    """The names of the pinned release of the database, the same on every machine."""
    return frozenset(files("tzdata").joinpath("zones").read_text().split())
