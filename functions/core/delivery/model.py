"""Endpoints of applications, and the deliveries of events to them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from functions.core.events.model import EventType

if TYPE_CHECKING:
    from functions.core.events.model import OutboxEvent

ENDPOINT_PREFIX: Final = "end_"

MAX_ENDPOINTS: Final = 20
"""How many endpoints a tenant may have."""

MAX_IN_FLIGHT: Final = 32
"""How many deliveries go to an endpoint at once, at most."""

MAX_ATTEMPTS_KEPT: Final = 12

FAILING_AFTER: Final = 5
"""So many deliveries that fail in a row make an endpoint failing."""


class EndpointState(StrEnum):
    """What an endpoint gets. What comes meanwhile waits while it is ``paused`` or ``disabled``.

    ``failing``: its last deliveries failed. One delivery is tried now and then, until one arrives.
    ``disabled``: it has taken nothing for days, or has said that it is gone.
    """

    ENABLED = "enabled"
    FAILING = "failing"
    PAUSED = "paused"
    DISABLED = "disabled"


class SealedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """Keys that sign deliveries, sealed, and until when they do: 0 without end."""

    sealed: bytes
    until: float = 0


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What the latest deliveries to an endpoint tell of it.

    ``failures`` counts those that failed in a row; those that the endpoint has put off do not
    count. ``failing_since`` is since when they have been tried and none has arrived, 0 where the
    latest has. ``last_trouble_at`` is when one failed last, or was put off. Nothing is sent before
    ``blocked_until``: the endpoint has asked for that, or the next probe is due then. ``probes``
    counts those. ``disabled_at`` and ``why`` say when and why it was disabled.
    ``in_flight`` is how many deliveries go at once. Its version counts its writes.
    """

    version: int = 1
    failures: int = 0
    failing_since: float = 0
    last_trouble_at: float = 0
    blocked_until: float = 0
    probes: int = 0
    disabled_at: float = 0
    why: str = ""
    last_success_at: float = 0
    last_status: int = 0
    in_flight: int = 1

    @property
    def is_failing(self) -> bool:
        """Whether only one delivery is tried now and then."""
        return self.failures >= FAILING_AFTER


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An address of an application that gets events. An application writes it, by its version.

    ``types`` are types of events, or ``prefix.*``; none means all. ``provider`` and
    ``connection_ids`` narrow them down. The newest of the ``secrets`` is the first. ``asymmetric``
    adds a signature that can be verified by ``public_key``.
    """

    endpoint_id: str
    tenant: str
    url: str
    created_at: float
    version: int = 1
    types: tuple[str, ...] = ()
    provider: str = ""
    connection_ids: tuple[str, ...] = ()
    asymmetric: bool = False
    public_key: str = ""
    max_in_flight: int = 8
    paused: bool = False
    secrets: tuple[SealedSecret, ...] = ()

    def wants(self, event: OutboxEvent) -> bool:
        """Whether it is to get this event."""
        return (
            event.tenant == self.tenant
            and (not self.types or any(_matches(event.type, each) for each in self.types))
            and self.provider in {"", event.provider}
            and (not self.connection_ids or event.connection_id in self.connection_ids)
        )


class DeliveryStatus(StrEnum):
    """``pending`` until it is ``delivered``, has ``failed`` for days, or its event is ``gone``."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"


class SendError(StrEnum):
    """Why a request to an endpoint has got no answer.

    ``address_refused``: its address is none that is called, or no longer. ``name_not_found``: its
    host has no address. ``not_connected``: it took no connection. ``tls_failed``: its certificate
    does not hold, or it speaks no TLS. ``timed_out``: the answer did not end in time.
    ``answer_broken``: the connection broke off, or what came is no HTTP.
    """

    ADDRESS_REFUSED = "address_refused"
    NAME_NOT_FOUND = "name_not_found"
    NOT_CONNECTED = "not_connected"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    ANSWER_BROKEN = "answer_broken"


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try to deliver: the status that the endpoint answered with, or an error."""

    at: float
    milliseconds: int
    status: int = 0
    error: SendError | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event to one endpoint. Its version counts its writes.

    ``due_at`` is when it is tried next, 0 where it is not. ``attempts`` counts those that its
    schedule goes by, ``log`` has the latest of all. One that is ``replayed`` was asked for again:
    that it fails tells nothing of the endpoint's health.
    """

    endpoint_id: str
    event_id: str
    event_type: EventType
    event_at: float
    status: DeliveryStatus = DeliveryStatus.PENDING
    due_at: float = 0
    attempts: int = 0
    replayed: bool = False
    version: int = 1
    log: tuple[Attempt, ...] = ()


def delivery_of(
    event: OutboxEvent, endpoint_id: str, *, due_at: float, replayed: bool = False
) -> Delivery:
    """A new delivery of an event to an endpoint."""
    return Delivery(
        endpoint_id=endpoint_id,
        event_id=event.event_id,
        event_type=event.type,
        event_at=event.at,
        due_at=due_at,
        replayed=replayed,
    )


def _matches(type_: str, wanted: str) -> bool:
    return type_ == wanted or (wanted.endswith(".*") and type_.startswith(wanted[:-1]))
