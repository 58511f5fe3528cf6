"""The log of events: for applications without an endpoint, and to look one up."""

from __future__ import annotations

from typing import Final

import msgspec

from functions.core.errors import Gone, InvalidRequest
from functions.core.events.log import Place
from functions.core.events.model import KEEP_SECONDS, CloudEvent, EventType
from functions.core.model import instant, iso
from functions.rest import cursors
from functions.rest.call import MAX_ID, Call, Reply, check_id, own
from functions.rest.route import Answer, Parameter, Route, Tag, limit, one_of

LIMIT: Final = 100
"""As many as are read at once."""

LISTED_AFTER_SECONDS: Final = 30
"""How old an event is when it is first listed. Its instant is chosen before it is written, and the
index shows it after that: a reader would step over an event that comes late."""


class EventsOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events, oldest first.

    ``next_cursor`` leads on to what comes after them, also where that is still to come; null where
    nothing has come yet. ``more``: there may be more already.
    """

    events: list[msgspec.Raw]
    next_cursor: str | None
    more: bool


@Route(
    "GET /v1/events",
    Tag.EVENTS,
    (Answer("A page of them.", EventsOut),),
    query=(
        Parameter(
            "connection_id",
            "Only those about this connection.",
            "con_5d2c8a1f4e7b4c0d8a9b0c1d2e3f4a5b",
        ),
        one_of("type", EventType, example=EventType.REFRESH_PUBLISHED),
        limit(LIMIT, LIMIT),
        Parameter(
            "cursor",
            "The `next_cursor` of the page before, of a list with the same filters.",
            "WyJlNGE2MjU5MjA2ZWU3ZTUzIixbIjIwMjYtMTEtMjJUMDk6MzE6MDQuMjUwWiIsImV2dF82NDgyNDY3MzA0ZGQz"
            "N2U2NDRiZDA0NzZlN2Q1NDI2YyJdXQ",
        ),
    ),
    problems=(Gone,),
)
def list_events(
    call: Call,
    *,
    connection_id: str | None,
    type: EventType | None,  # noqa: A002 - as the parameter is called
    limit: int,
    cursor: str | None,
) -> Reply:
    """List your events, oldest first.

    Those of the last 30 days, once they are 30 seconds old. Keep the `next_cursor`, and come back
    with it for what has happened since. A page may hold fewer than the limit, even none, although
    there is `more`. A cursor that has been kept for more than 30 days is gone: begin without one.
    """
    here = ("events", connection_id, type)
    now = call.here.clock()
    since, until = now - KEEP_SECONDS, now - LISTED_AFTER_SECONDS
    after = read_place(cursor, of=here)
    if after and instant(after.occurred_at) < since:
        raise Gone
    if after:  # another clock may have been ahead; DynamoDB refuses a place outside its condition
        until = max(until, instant(after.occurred_at))
    line = (
        call.here.events.of_tenant(call.tenant)
        if connection_id is None
        else call.here.events.of_connection(check_id(connection_id))
    )
    found, following = line(since=since, until=until, limit=limit, after=after)
    if any(one.tenant != call.tenant for one in found):
        # Of another tenant's connection there is nothing, as of one that does not exist.
        found, following = [], None
    last = Place(iso(found[-1].at), found[-1].event_id) if found else after
    place = following or last
    wanted = [one for one in found if type in {None, one.type}]
    return Reply(
        EventsOut(
            events=[msgspec.Raw(one.document) for one in wanted],
            next_cursor=cursors.write(place, of=here) if place else None,
            more=following is not None,
        )
    )


@Route("GET /v1/events/<event_id>", Tag.EVENTS, (Answer("The event.", CloudEvent),))
def read_event(call: Call, event_id: str) -> Reply:
    """Read an event of the last 30 days.

    The same bytes as an endpoint and the bus get.
    """
    found = own(call, event_id, lambda here: here.events.get(event_id))
    return Reply(text=found.document.decode())


def read_place(cursor: str | None, *, of: tuple[str | None, ...]) -> Place | None:
    """The place in the log that a cursor names; None for no cursor.

    Raises:
        InvalidRequest: it names none, or one in another list.
    """
    after = cursors.read(cursor, Place, of=of)
    if after and not _is_plausible(after):
        raise InvalidRequest(cursors.REFUSED)
    return after


def _is_plausible(place: Place) -> bool:
    try:
        timely = iso(instant(place.occurred_at)) == place.occurred_at
    except ValueError:
        return False
    return timely and 0 < len(place.event_id) <= MAX_ID
