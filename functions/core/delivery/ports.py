"""What delivering events needs from outside, as protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from functions.core.delivery.model import Endpoint, EndpointState, Health, SendError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.delivery.model import Delivery
    from functions.core.events.model import OutboxEvent
    from functions.core.idempotency import Key


class StoredEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint, its health, and how often it was woken."""

    endpoint: Endpoint
    health: Health
    wakes: int = 0

    @property
    def tenant(self) -> str:
        """The name of the tenant that it belongs to."""
        return self.endpoint.tenant

    @property
    def state(self) -> EndpointState:
        """What it gets."""
        if self.health.disabled_at:
            return EndpointState.DISABLED
        if self.endpoint.paused:
            return EndpointState.PAUSED
        return EndpointState.FAILING if self.health.is_failing else EndpointState.ENABLED


class Endpoints(Protocol):
    """Stores endpoints. The application writes the endpoint, and the deliverer its health."""

    def get(self, endpoint_id: str) -> StoredEndpoint | None:
        """Read one with a consistent read; None when there is none."""

    def of_tenant(self, tenant: str) -> list[StoredEndpoint]:
        """Read those of a tenant, the oldest first, with consistent reads."""

    def create(self, endpoint: Endpoint, *, key: Key | None = None) -> None:
        """Store a new one.

        Raises:
            Superseded: the key is noted already.
            TooManyEndpoints: its tenant has as many as it may have.
        """

    def save(self, endpoint: Endpoint, *, at: float, health: Health | None = None) -> None:
        """Write it where the version before it is stored, and wake it.

        Args:
            at: the time.
            health: is written, too, where the version before it is stored; None leaves it alone.

        Raises:
            Superseded: another writer was faster, or it is deleted.
        """

    def delete(self, endpoint_id: str, *, tenant: str) -> None:
        """Delete it; a repetition changes nothing. Its deliveries are kept until they expire."""

    def wake(self, endpoint_id: str, *, at: float) -> bool:
        """Note that it has deliveries that are due.

        Returns:
            True if it was at rest, so that its deliveries have to be made by a message. False where
            it is awake, as one is on its way, or is deleted.
        """

    def rest(self, stored: StoredEndpoint, *, look_at: float | None) -> bool:
        """Note when to look at it again, None for not at all.

        Returns:
            False if it was woken since it was read, or is deleted: nothing is noted then.
        """

    def save_health(self, endpoint_id: str, health: Health, *, event: OutboxEvent | None) -> None:
        """Write its health where the version before it is stored, and an event at once.

        Raises:
            Superseded: another writer was faster, or it is deleted.
        """


class Deliveries(Protocol):
    """Stores deliveries."""

    def offer(self, delivery: Delivery) -> None:
        """Store a new one; one that is there stays as it is."""

    def get(self, endpoint_id: str, event_id: str, *, event_at: float) -> Delivery | None:
        """Read one with a consistent read."""

    def due(self, endpoint_id: str, *, at: float, most: int) -> list[Delivery]:
        """Read those that are due, the longest due first, with a consistent read."""

    def next_due(self, endpoint_id: str) -> float | None:
        """When the next one is due, with a consistent read; None where none is."""

    def save(self, delivery: Delivery) -> None:
        """Write it where the version before it is stored.

        Raises:
            Superseded: another writer was faster, or it is deleted.
        """

    def page(
        self, endpoint_id: str, *, limit: int, after: str | None
    ) -> tuple[list[Delivery], str | None]:
        """Read a page, the newest events first, and the place to go on after."""


class Events(Protocol):
    """Reads stored events."""

    def get(self, event_id: str) -> OutboxEvent | None:
        """Read one; None where it is no longer kept."""


class Outbox(Protocol):
    """The events that are owed: stored, and not announced yet."""

    def owed(self, event_id: str) -> OutboxEvent | None:
        """Read one with a consistent read; None where it is announced, or no longer kept."""

    def note_announced(self, event_id: str) -> None:
        """Note that it is announced; one that is no longer kept stays away."""


class Bus(Protocol):
    """Tells events to what listens in the operator's own AWS account."""

    def put(self, event: OutboxEvent) -> None:
        """Put one on the bus. A repetition puts it there again, with the same id."""


class Lanes(Protocol):
    """The queue of endpoints whose deliveries are to be made, one call at a time for each.

    A message is a hint and may be lost or doubled: what is due is in the stored deliveries.
    """

    def send(self, endpoint_id: str, *, reason: str) -> None:
        """Have its deliveries made soon. What comes again within five minutes may be ignored.

        Args:
            reason: why; the same reason for the same endpoint is the same message.
        """


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint answered a request: a status, 0 for no answer, or an error.

    ``retry_after`` is how many seconds it wants to be left alone; None where it does not say.
    """

    milliseconds: int
    status: int = 0
    error: SendError | None = None
    retry_after: float | None = None


class Sender(Protocol):
    """Sends signed requests to endpoints."""

    def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Sent:
        """Send one request, at most 20 seconds long; no answer and no address raises."""


class Signer(Protocol):
    """Signs requests to endpoints."""

    def sign(
        self, endpoint: Endpoint, *, event_id: str, body: bytes, at: float
    ) -> Mapping[str, str]:
        """The headers of a request at this time, with a signature by each key in use then."""
