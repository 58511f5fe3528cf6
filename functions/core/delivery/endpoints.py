"""Changes of an endpoint by its application, and the events about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from functions.core.errors import SecretRotating
from functions.core.events.model import EndpointData, build_event
from functions.core.model import when

if TYPE_CHECKING:
    from functions.core.delivery.model import Endpoint, Health, SealedSecret
    from functions.core.events.model import EventType, OutboxEvent

DEFAULT_OVERLAP_SECONDS: Final = 24 * 60 * 60
MAX_OVERLAP_SECONDS: Final = 7 * 24 * 60 * 60
"""How long a secret that has been replaced signs beside the new one."""


def rotate(
    endpoint: Endpoint,
    new: SealedSecret,
    *,
    public_key: str,
    at: float,
    overlap_seconds: int,
) -> Endpoint:
    """The endpoint with a new secret, beside which the old one signs for this long.

    Args:
        overlap_seconds: 0 where the old secret must not sign once more, nor one before it.

    Raises:
        SecretRotating: the secret before the old one still signs.
    """
    if overlap_seconds and signs_until(endpoint, at=at):
        raise SecretRotating
    old = replace(endpoint.secrets[0], until=at + overlap_seconds)
    return replace(
        endpoint,
        version=endpoint.version + 1,
        secrets=(new, old) if overlap_seconds else (new,),
        public_key=public_key,
    )


def signs_until(endpoint: Endpoint, *, at: float) -> float:
    """Until when the secret before the newest signs; 0 where none does any longer."""
    return max((each.until for each in endpoint.secrets[1:] if each.until > at), default=0)


def move(health: Health) -> Health:
    """The health at another address: what the one before has answered counts no longer.

    One that is disabled stays so. A call that waits for an answer of the address before has read
    the health before, and its write is refused.
    """
    return replace(forgive(health), disabled_at=health.disabled_at, why=health.why)


def forgive(health: Health) -> Health:
    """The health of an endpoint that gets deliveries at once again, as if none had failed."""
    return replace(
        health,
        version=health.version + 1,
        failures=0,
        failing_since=0,
        blocked_until=0,
        probes=0,
        disabled_at=0,
        why="",
    )


def event_of_endpoint(
    endpoint: Endpoint, type_: EventType, *, version: object, at: float, health: Health
) -> OutboxEvent:
    """An event about an endpoint, with what its health says of why."""
    return build_event(
        type_,
        tenant=endpoint.tenant,
        subject=endpoint.endpoint_id,
        version=version,
        at=at,
        data=EndpointData(
            endpoint_id=endpoint.endpoint_id,
            why=health.why or None,
            failing_since=when(health.failing_since),
            url=f"/v1/endpoints/{endpoint.endpoint_id}",
        ),
    )
