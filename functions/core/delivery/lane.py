"""Delivers what is due at one endpoint, for as long as a call has time.

A lane is the line of an endpoint's deliveries. The queue lets one call at a time drain it; where
two do all the same, each delivery is tried by the one whose claim is written. Any step may be the
last of a call: what was claimed is due again two minutes later.

The endpoint rests only where it was not woken since it was read, and after nothing was found due.
A call that stores a delivery wakes the endpoint after that. So either the delivery is found, or the
endpoint does not rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec

from functions.core.contract import Clock, Sleep
from functions.core.delivery.endpoints import event_of_endpoint
from functions.core.delivery.model import Delivery, Endpoint, EndpointState
from functions.core.delivery.ports import Deliveries, Endpoints, Events, Sender, Sent, Signer
from functions.core.delivery.schedule import Draw, apply_answer, claim, drop, judge
from functions.core.errors import Superseded
from functions.core.events.model import EventType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.core.delivery.model import Health
    from functions.core.delivery.ports import StoredEndpoint
    from functions.core.events.model import OutboxEvent

HOLD_SECONDS: Final = 10
"""A call waits for a delivery that is due so soon: the first gap of the schedule is 5 seconds."""

LOOK_SECONDS: Final = 1
"""While it waits, it looks so often for others."""

Report: TypeAlias = Callable[[Endpoint, Delivery, Sent], None]
"""Is told how an endpoint answered a delivery."""

T = TypeVar("T")
R = TypeVar("R")


class Each(Protocol):
    """Calls a function for each of some things, maybe at the same time."""

    def __call__(self, function: Callable[[T], R], things: Iterable[T], /) -> list[R]:
        """Return the results in the order of the things."""


class LanePorts(msgspec.Struct, frozen=True, kw_only=True):
    """What delivering needs from outside; ``report`` is told of each attempt."""

    endpoints: Endpoints
    deliveries: Deliveries
    events: Events
    signer: Signer
    sender: Sender
    each: Each
    clock: Clock
    sleep: Sleep
    draw: Draw
    report: Report


class Drained(NamedTuple):
    """How a call ended: whether its time ran out, and whether it has disabled the endpoint."""

    again: bool = False
    disabled: bool = False


class _Tried(NamedTuple):
    """A delivery as it was claimed, and the answer."""

    claimed: Delivery
    sent: Sent


def drain(endpoint_id: str, ports: LanePorts, *, until: float) -> Drained:
    """Deliver what is due at an endpoint, then let it rest until the next is.

    Args:
        endpoint_id: the endpoint's; one that is deleted gets nothing.
        ports: the outside.
        until: when the last requests may begin.
    """
    disabled = False
    while (at := ports.clock()) < until:
        stored = ports.endpoints.get(endpoint_id)
        if stored is None:
            return Drained(disabled=disabled)
        look_at = _find_opening(stored, at=at)
        if look_at == at:
            most = 1 if stored.health.is_failing else stored.health.in_flight
            if due := ports.deliveries.due(endpoint_id, at=at, most=most):
                disabled = _deliver(due, stored, ports) or disabled
                continue
            look_at = ports.deliveries.next_due(endpoint_id)
            if look_at is not None and look_at - at <= HOLD_SECONDS:
                ports.sleep(min(max(look_at - at, 0), LOOK_SECONDS))
                continue
        if ports.endpoints.rest(stored, look_at=look_at):
            return Drained(disabled=disabled)
    return Drained(again=True, disabled=disabled)


def _find_opening(stored: StoredEndpoint, *, at: float) -> float | None:
    """From when on the endpoint takes deliveries; None where its application has to say so."""
    if stored.state in {EndpointState.PAUSED, EndpointState.DISABLED}:
        return None
    return max(stored.health.blocked_until, at)


def _deliver(due: Iterable[Delivery], stored: StoredEndpoint, ports: LanePorts) -> bool:
    """Try these deliveries, and write what came of them; return whether the endpoint is disabled.

    What another call or the application has written meanwhile stands.
    """
    answers = ports.each(lambda each: _try(each, stored, ports), due)
    tried = [each for each in answers if each is not None]
    if not tried:
        return False
    for claimed, sent in tried:
        ports.report(stored.endpoint, claimed, sent)
    at, most = ports.clock(), stored.endpoint.max_in_flight
    health = judge(stored.health, tried, most=most, at=at)

    def note(one: _Tried) -> bool:
        done = apply_answer(one.claimed, one.sent, health=health, at=at, draw=ports.draw)
        return _save(done, ports)

    ports.each(note, tried)
    try:
        ports.endpoints.save_health(
            stored.endpoint.endpoint_id, health, event=_event_of(stored.endpoint, health)
        )
    except Superseded:
        return False
    return health.disabled_at > 0


def _try(delivery: Delivery, stored: StoredEndpoint, ports: LanePorts) -> _Tried | None:
    """Claim a delivery and send it; None where its event is gone, or another call has it."""
    event = ports.events.get(delivery.event_id)
    if event is None:
        _save(drop(delivery), ports)
        return None
    at, body = ports.clock(), event.document
    signed = ports.signer.sign(stored.endpoint, event_id=event.event_id, body=body, at=at)
    claimed = claim(delivery, at=at)
    if not _save(claimed, ports):
        return None
    return _Tried(claimed, ports.sender.send(stored.endpoint.url, headers=signed, body=body))


def _save(delivery: Delivery, ports: LanePorts) -> bool:
    try:
        ports.deliveries.save(delivery)
    except Superseded:
        return False
    return True


def _event_of(endpoint: Endpoint, health: Health) -> OutboxEvent | None:
    """The event of an endpoint that is disabled by this health; None where it is not."""
    if not health.disabled_at:
        return None
    return event_of_endpoint(
        endpoint,
        EventType.ENDPOINT_DISABLED,
        version=health.version,
        at=health.disabled_at,
        health=health,
    )
