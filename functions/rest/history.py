"""Route: the refreshes there have been."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from functions.connectors.registry import Provider
from functions.core.errors import InvalidRequest
from functions.core.model import Status, instant, iso
from functions.core.refresh import history
from functions.core.refresh.history import Place
from functions.rest import cursors
from functions.rest.models import RefreshesOut, refresh_out
from functions.rest.service import MAX_ID, Call, Reply, connection_of, limit_of, only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from functions.core.model import Refresh
    from functions.core.refresh.history import Line

FILTERS: Final = ("connection_id", "provider", "status")
LIMIT: Final = 50
MAX_LIMIT: Final = 100


def listed(call: Call) -> Reply:
    """The tenant's refreshes, newest first, without their events.

    A page may hold fewer than the limit, even none, although more follow.
    """
    only(call, *FILTERS, "limit", "cursor")
    limit = limit_of(call, default=LIMIT, most=MAX_LIMIT)
    wanted, after = _wanted(call), _place(call)
    found, following = history.list_refreshes(_line(call), wanted=wanted, limit=limit, after=after)
    cursor = cursors.written(following, of=filtered(call.query)) if following else None
    model = RefreshesOut(
        refreshes=[refresh_out(one, events=False) for one in found], next_cursor=cursor
    )
    return Reply(status=HTTPStatus.OK, model=model)


def filtered(query: Mapping[str, str]) -> tuple[str | None, ...]:
    """What tells a list of refreshes from another: its filters."""
    return ("refreshes", *(query.get(name) for name in FILTERS))


def _line(call: Call) -> Line:
    if "connection_id" not in call.query:
        return call.here.history.of_tenant(call.tenant)
    connection = connection_of(call, call.query["connection_id"])
    return call.here.history.of_connection(connection.connection_id)


def _wanted(call: Call) -> Callable[[Refresh], bool] | None:
    provider = _one_of(call, "provider", Provider)
    status = _one_of(call, "status", Status)
    if provider is None and status is None:
        return None
    return lambda one: provider in {None, one.provider} and status in {None, one.status}


def _one_of(call: Call, name: str, values: Iterable[str]) -> str | None:
    value = call.query.get(name)
    if value is not None and value not in set(values):
        raise InvalidRequest(f"{name} must be one of: {', '.join(values)}.")
    return value


def _place(call: Call) -> Place | None:
    if "cursor" not in call.query:
        return None
    place = cursors.read(call.query["cursor"], Place, of=filtered(call.query))
    if not _plausible(place):
        raise InvalidRequest(cursors.REFUSED)
    return place


def _plausible(place: Place) -> bool:
    try:
        timely = iso(instant(place.requested_at)) == place.requested_at
    except ValueError:
        return False
    return timely and 0 < len(place.refresh_id) <= MAX_ID
