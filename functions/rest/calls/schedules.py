"""A connection's schedule."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from functions.connectors.registry import DATASETS
from functions.core import schedules as scheduling
from functions.core.contract import Schedule
from functions.core.errors import InvalidRequest, Superseded
from functions.core.refresh.admission import require_known
from functions.rest.call import Call, Reply, connection_of
from functions.rest.route import Answer, Route, Tag

if TYPE_CHECKING:
    from functions.core.model import Connection


class ScheduleIn(Schedule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A schedule to put in place."""


@Route(
    "PUT /v1/connections/<connection_id>/schedule",
    Tag.SCHEDULES,
    (
        Answer("It replaced another.", Schedule),
        Answer("It is the first.", Schedule, status=201),
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
    return Reply(schedule, 200 if connection.schedule else 201)


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
