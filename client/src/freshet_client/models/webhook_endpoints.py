"""Models: webhook endpoints. ``make tables`` writes them from the OpenAPI document."""

from __future__ import annotations

import msgspec


class EndpointOut(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint.

    ``state``: it is ``failing`` where its last deliveries failed; one of those that wait is tried
    now and then. ``disabled``, and ``why``: it has taken nothing for days, or has said that it is
    gone. While it is ``paused`` or ``disabled`` its deliveries wait, up to 30 days, for you to
    enable it. Before ``blocked_until`` nothing is sent to it. ``previous_secret_until`` is how long
    the secret before the newest signs, too. ``secret`` stands only in the answer to the request
    that created the endpoint. What verifies the asymmetric signature is ``public_key``.
    """

    endpoint_id: str
    url: str
    types: list[str]
    provider: str | None = None
    connection_ids: list[str]
    max_in_flight: int
    state: str
    why: str | None = None
    failing_since: str | None = None
    blocked_until: str | None = None
    last_success_at: str | None = None
    last_status: int | None = None
    created_at: str
    public_key: str | None = None
    previous_secret_until: str | None = None
    secret: str | None = None


class EndpointsOut(msgspec.Struct, frozen=True, kw_only=True):
    """Your endpoints, the oldest first."""

    endpoints: list[EndpointOut]


class DeliveriesOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of deliveries; ``next_cursor`` null on the last."""

    deliveries: list[DeliveryOut]
    next_cursor: str | None = None


class DeliveryOut(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to an endpoint.

    It is ``pending`` until it was ``delivered`` or has ``failed`` for three days; where its
    connection was erased before, it is ``gone``. ``attempts`` are the last 12. It is tried again at
    ``next_attempt_at``, or as soon as the endpoint gets anything after that.
    """

    event_id: str
    type: str
    time: str
    status: str
    attempts: list[AttemptOut]
    next_attempt_at: str | None = None


class AttemptOut(msgspec.Struct, frozen=True, kw_only=True):
    """One try: the ``status`` that the endpoint answered with, or the ``error`` that came first."""

    at: str
    status: int | None = None
    error: str | None = None
    milliseconds: int


class PingOut(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint has answered: with a ``status``, or not at all, for an ``error``."""

    event_id: str
    status: int | None = None
    error: str | None = None
    milliseconds: int


class ReplayOut(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries are due now for that.

    Where ``next_cursor`` is not null there are more events: send the same body again with it.
    """

    queued: int
    next_cursor: str | None = None


class RotatedOut(msgspec.Struct, frozen=True, kw_only=True):
    """The newest secret, and until when the one before it signs; null where it does not."""

    secret: str
    public_key: str | None = None
    previous_secret_until: str | None = None
