"""What was delivered to an endpoint; having it delivered again, and trying the endpoint."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from functions.core.delivery.endpoints import event_of_endpoint
from functions.core.delivery.model import DeliveryStatus, Health, SendError
from functions.core.delivery.replay import Only, replay
from functions.core.errors import InvalidRequest, NotFound, Superseded
from functions.core.events.model import EventType
from functions.core.model import instant, iso, when
from functions.rest import cursors
from functions.rest.call import MAX_ID, Call, Reply
from functions.rest.calls.events.endpoints import endpoint_of
from functions.rest.calls.events.log import read_place
from functions.rest.route import Answer, Parameter, Route, Tag, limit, one_of

if TYPE_CHECKING:
    from functions.core.delivery.model import Attempt, Delivery, Endpoint
    from functions.core.events.model import OutboxEvent

LIMIT: Final = 50
MAX_LIMIT: Final = 100

MAX_NAMED: Final = 100
"""How many events a replay may name."""

MAX_PAGES: Final = 5
"""How many pages of ``MAX_LIMIT`` events a replay goes through in one call."""

BOTH_OR_NEITHER: Final = "Give event_ids, or since and what else narrows it down, and not both."

DeliveryPlace = Annotated[str, Meta(min_length=1, max_length=200)]
"""Where a reader of deliveries goes on."""

Instant = Annotated[datetime, Meta(tz=True)]
EventId = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]


class AttemptOut(msgspec.Struct, frozen=True, kw_only=True):
    """One try: the ``status`` that the endpoint answered with, or the ``error`` that came first."""

    at: str
    status: int | None
    error: SendError | None
    milliseconds: int


class DeliveryOut(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to an endpoint.

    It is ``pending`` until it was ``delivered`` or has ``failed`` for three days; where its
    connection was erased before, it is ``gone``. ``attempts`` are the last 12. It is tried again at
    ``next_attempt_at``, or as soon as the endpoint gets anything after that.
    """

    event_id: str
    type: EventType
    time: str
    status: DeliveryStatus
    attempts: list[AttemptOut]
    next_attempt_at: str | None


class DeliveriesOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of deliveries; ``next_cursor`` null on the last."""

    deliveries: list[DeliveryOut]
    next_cursor: str | None


class PingOut(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint has answered: with a ``status``, or not at all, for an ``error``."""

    event_id: str
    status: int | None
    error: SendError | None
    milliseconds: int


class ReplayIn(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Events to deliver again: those that are named, or those ``since`` a time, ``until`` another.

    ``only`` those whose delivery has ``failed``, those that are ``missing`` since the endpoint was
    not there yet or did not want them then, or ``all`` that it wants. ``cursor`` is the
    `next_cursor` of the answer before.
    """

    event_ids: Annotated[tuple[EventId, ...], Meta(min_length=1, max_length=MAX_NAMED)] = ()
    since: Instant | UnsetType = UNSET
    until: Instant | UnsetType = UNSET
    only: Only = Only.FAILED
    cursor: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


class ReplayOut(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries are due now for that.

    Where ``next_cursor`` is not null there are more events: send the same body again with it.
    """

    queued: int
    next_cursor: str | None


def delivery_out(delivery: Delivery) -> DeliveryOut:
    """Render a delivery."""
    return DeliveryOut(
        event_id=delivery.event_id,
        type=delivery.event_type,
        time=iso(delivery.event_at),
        status=delivery.status,
        attempts=[_attempt_out(each) for each in delivery.log],
        next_attempt_at=when(delivery.due_at),
    )


def _attempt_out(attempt: Attempt) -> AttemptOut:
    return AttemptOut(
        at=iso(attempt.at),
        status=attempt.status or None,
        error=attempt.error,
        milliseconds=attempt.milliseconds,
    )


@Route(
    "GET /v1/endpoints/<endpoint_id>/deliveries",
    Tag.ENDPOINTS,
    (Answer("A page of them.", DeliveriesOut),),
    query=(
        one_of("status", DeliveryStatus, example=DeliveryStatus.FAILED),
        limit(LIMIT, MAX_LIMIT),
        Parameter(
            "cursor",
            "The `next_cursor` of the page before, of this endpoint.",
            "WyI1OGNkYzVjYTQ0ZDMxNDE0IiwiMjAyNi0xMS0yMlQwMzowMTowNC4yNTBaI2V2dF8zZjlhMWM1ZTdiMmQ0ZjZhOGMwZTFiM2Q1ZjdhOWMyZSJd",
        ),
    ),
)
def list_deliveries(
    call: Call,
    endpoint_id: str,
    *,
    status: DeliveryStatus | None,
    limit: int,
    cursor: str | None,
) -> Reply:
    """See what was delivered to an endpoint, and what was not.

    The newest events come first, for 30 days. With a `status`, a page may be short, or empty: go
    on until `next_cursor` is null.
    """
    here = ("deliveries", endpoint_id, status)
    after = cursors.read(cursor, DeliveryPlace, of=here)
    endpoint_of(call, endpoint_id)
    page, following = call.here.deliveries.page(endpoint_id, limit=limit, after=after)
    return Reply(
        DeliveriesOut(
            deliveries=[delivery_out(each) for each in page if status in {None, each.status}],
            next_cursor=cursors.write(following, of=here) if following else None,
        )
    )


@Route(
    "POST /v1/endpoints/<endpoint_id>/replay",
    Tag.ENDPOINTS,
    (Answer("They are due now.", ReplayOut, status=202),),
    body=ReplayIn,
    problems=(Superseded,),
)
def replay_events(call: Call, endpoint_id: str, *, body: ReplayIn) -> Reply:
    """Have events delivered again.

    Each keeps its id. What fails then says nothing of the endpoint, and an endpoint that is not
    enabled gets it when it is. Those that are named are delivered whatever the endpoint's `types`
    are; a call goes through 500 of the others.
    """
    span = (body.since, body.until, body.cursor)
    if any(span) if body.event_ids else not body.since:
        raise InvalidRequest(BOTH_OR_NEITHER)
    at, following = call.here.clock(), None
    endpoint = endpoint_of(call, endpoint_id).endpoint
    if body.event_ids:
        queued = _replay(call, endpoint_id, _read_named(call, body.event_ids), at=at)
    else:
        queued, following = _replay_since(call, endpoint, body, at=at)
    if queued:
        call.here.lanes.send(endpoint_id, reason=f"replay-{secrets.token_hex(8)}")
    return Reply(ReplayOut(queued=queued, next_cursor=following), 202)


@Route(
    "POST /v1/endpoints/<endpoint_id>/ping",
    Tag.ENDPOINTS,
    (Answer("It was called; its answer may be any.", PingOut, linked=False),),
)
def ping_endpoint(call: Call, endpoint_id: str) -> Reply:
    """Try an endpoint.

    One `endpoint.ping` is sent now, signed as any other event, also where it is not enabled. It is
    told nowhere else, and changes nothing of the endpoint's state.
    """
    here, at = call.here, call.here.clock()
    endpoint = endpoint_of(call, endpoint_id).endpoint
    event = event_of_endpoint(
        endpoint, EventType.ENDPOINT_PING, version=secrets.token_hex(16), at=at, health=Health()
    )
    headers = here.keyring.sign(endpoint, event_id=event.event_id, body=event.document, at=at)
    sent = here.sender.send(endpoint.url, headers=headers, body=event.document)
    return Reply(
        PingOut(
            event_id=event.event_id,
            status=sent.status or None,
            error=sent.error,
            milliseconds=sent.milliseconds,
        )
    )


def _clamp(instant: datetime | UnsetType, *, at: float) -> float:
    """An instant of a body, between the epoch and now, which stands for one that is not given."""
    return min(max(0, instant.timestamp()), at) if instant else at


def _read_named(call: Call, event_ids: tuple[str, ...]) -> list[OutboxEvent]:
    """The tenant's events of these ids.

    Raises:
        NotFound: one of them is not there, or is another tenant's. Nothing was done.
    """
    found = [call.here.events.get(event_id) for event_id in dict.fromkeys(event_ids)]
    own = [event for event in found if event is not None and event.tenant == call.tenant]
    if len(own) < len(found):
        raise NotFound("One of these events is not there.")
    return own


def _replay(
    call: Call,
    endpoint_id: str,
    events: list[OutboxEvent],
    *,
    at: float,
    only: Only | None = None,
) -> int:
    return replay(
        endpoint_id,
        events,
        endpoints=call.here.endpoints,
        deliveries=call.here.deliveries,
        at=at,
        only=only,
    )


def _replay_since(
    call: Call, endpoint: Endpoint, asked: ReplayIn, *, at: float
) -> tuple[int, str | None]:
    """Deliver again what is meant of some pages of the tenant's events.

    Returns:
        How many are due for that, and the cursor to go on with.

    Raises:
        InvalidRequest: the time ends before it begins.
    """
    since, until = (_clamp(each, at=at) for each in (asked.since, asked.until))
    if since > until:
        raise InvalidRequest("until must not be before since.")
    of = ("replay", endpoint.endpoint_id, asked.only, iso(since))
    after = read_place(asked.cursor, of=of)
    if after and not asked.until:
        until = max(until, instant(after.occurred_at))  # another clock may have been ahead
    if after and not iso(since) <= after.occurred_at <= iso(until):
        raise InvalidRequest(cursors.REFUSED)  # as DynamoDB does, but for what looks like a defect
    line, queued = call.here.events.of_tenant(endpoint.tenant), 0
    for _ in range(MAX_PAGES):
        page, after = line(since=since, until=until, limit=MAX_LIMIT, after=after)
        wanted = [event for event in page if endpoint.wants(event)]
        queued += _replay(call, endpoint.endpoint_id, wanted, at=at, only=asked.only)
        if after is None:
            return queued, None
    return queued, cursors.write(after, of=of)
