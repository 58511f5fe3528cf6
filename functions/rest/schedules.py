"""Routes: a connection's schedule."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from functions.connectors.registry import DATASETS
from functions.core import schedules as scheduling
from functions.core.contract import Schedule
from functions.core.errors import InvalidRequest
from functions.core.refresh.admission import require_known
from functions.rest.models import body
from functions.rest.service import Call, Reply, connection_of, only

if TYPE_CHECKING:
    from functions.core.model import Connection


class ScheduleIn(Schedule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A schedule to put in place."""


def put(call: Call, connection_id: str) -> Reply:
    """Refresh a connection by itself from now on, by this schedule and no other."""
    only(call)
    connection = connection_of(call, connection_id)
    schedule = Schedule(**asdict(body(call.body, ScheduleIn)))
    _check(schedule, connection)
    scheduling.put(
        connection_id, schedule, connections=call.here.connections, schedules=call.here.schedules
    )
    status = HTTPStatus.OK if connection.schedule else HTTPStatus.CREATED
    return Reply(status=status, model=schedule)


def remove(call: Call, connection_id: str) -> Reply:
    """Refresh a connection only when it is asked for; no matter if it was so before."""
    only(call)
    connection_of(call, connection_id)
    scheduling.remove(
        connection_id, connections=call.here.connections, schedules=call.here.schedules
    )
    return Reply(status=HTTPStatus.NO_CONTENT)


def _check(schedule: Schedule, connection: Connection) -> None:
    scheduling.check(schedule.expression)
    if schedule.time_zone not in _time_zones():
        raise InvalidRequest("time_zone must be an IANA name, such as UTC or Europe/Berlin.")
    known = connection.datasets or DATASETS[connection.provider]
    require_known(schedule.datasets or (), known=known)


@cache
def _time_zones() -> frozenset[str]:
    """The names of the pinned release of the database, the same wherever this runs."""
    return frozenset(files("tzdata").joinpath("zones").read_text().split())
