"""In-memory ports of deliveries, under the conditions of the adapters in ``functions.aws.events``.

``support/stores/delivery/endpoints.py`` is one suite for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from functions.core.delivery.model import MAX_ENDPOINTS, Delivery, Endpoint, Health
from functions.core.delivery.ports import Sent, StoredEndpoint
from functions.core.errors import Superseded, TooManyEndpoints
from functions.core.events.model import EventType
from functions.core.idempotency import Claim
from functions.core.model import instant, iso
from tests.support.fakes.stores import Tables
from tests.support.scripted_connector import TENANT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.events.model import OutboxEvent
    from functions.core.idempotency import Key

ENDPOINT = "end_1"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as it is kept; ``look_at`` is None where there is no need to look at it."""

    stored: StoredEndpoint
    look_at: str | None = None
    awake: bool = False


class Endpoints:
    """Fake of ``EndpointTable``."""

    def __init__(self, tables: Tables | None = None) -> None:
        self._tables = tables or Tables()
        self.items: dict[str, Item] = {}

    def get(self, endpoint_id: str) -> StoredEndpoint | None:
        item = self.items.get(endpoint_id)
        return item.stored if item else None

    def of_tenant(self, tenant: str) -> list[StoredEndpoint]:
        mine = [one.stored for one in self.items.values() if one.stored.endpoint.tenant == tenant]
        return sorted(mine, key=lambda one: one.endpoint.created_at)

    def create(self, endpoint: Endpoint, *, key: Key | None = None) -> None:
        id_, at = endpoint.endpoint_id, endpoint.created_at
        with self._tables.lock:
            if item := self.items.get(id_):
                if item.stored.endpoint == endpoint:
                    return
                raise Superseded
            if key and self._tables.claim(key.name, at=at):
                raise Superseded
            if len(self.of_tenant(endpoint.tenant)) >= MAX_ENDPOINTS:
                raise TooManyEndpoints
            self.items[id_] = Item(stored=StoredEndpoint(endpoint=endpoint, health=Health()))
            if key:
                claim = Claim(digest=key.digest, resource_id=id_)
                self._tables.keep(key.name, claim, at=at)

    def save(self, endpoint: Endpoint, *, at: float, health: Health | None = None) -> None:
        with self._tables.lock:
            stored = self.get(endpoint.endpoint_id)
            if stored is not None and stored.endpoint == endpoint:
                return
            if stored is None or stored.endpoint.version != endpoint.version - 1:
                raise Superseded
            if health is not None and stored.health.version != health.version - 1:
                raise Superseded
            written = replace(stored, endpoint=endpoint, health=health or stored.health)
            self._wake(written, at=at)

    def delete(self, endpoint_id: str, *, tenant: str) -> None:
        if endpoint_id in self.items:
            assert self.items[endpoint_id].stored.endpoint.tenant == tenant
            del self.items[endpoint_id]

    def wake(self, endpoint_id: str, *, at: float) -> bool:
        with self._tables.lock:
            item = self.items.get(endpoint_id)
            if item is not None:
                self._wake(item.stored, at=at)
        return item is not None and not item.awake

    def _wake(self, stored: StoredEndpoint, *, at: float) -> None:
        woken = replace(stored, wakes=stored.wakes + 1)
        self.items[stored.endpoint.endpoint_id] = Item(stored=woken, look_at=iso(at), awake=True)

    def rest(self, stored: StoredEndpoint, *, look_at: float | None) -> bool:
        id_ = stored.endpoint.endpoint_id
        with self._tables.lock:
            item = self.items.get(id_)
            if item is None or item.stored.wakes != stored.wakes:
                return False
            look = None if look_at is None else iso(look_at)
            self.items[id_] = replace(item, look_at=look, awake=False)
        return True

    def save_health(self, endpoint_id: str, health: Health, *, event: OutboxEvent | None) -> None:
        with self._tables.lock:
            item = self.items.get(endpoint_id)
            if item is not None and item.stored.health == health:
                return
            if item is None or item.stored.health.version != health.version - 1:
                raise Superseded
            written = replace(item.stored, health=health)
            self.items[endpoint_id] = replace(item, stored=written)
            self._tables.tell(event)


class Deliveries:
    """Fake of ``DeliveryTable``."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Delivery]] = {}

    def offer(self, delivery: Delivery) -> None:
        self._of(delivery.endpoint_id).setdefault(_entry(delivery), delivery)

    def get(self, endpoint_id: str, event_id: str, *, event_at: float) -> Delivery | None:
        return self._of(endpoint_id).get(f"{iso(event_at)}#{event_id}")

    def due(self, endpoint_id: str, *, at: float, most: int) -> list[Delivery]:
        return [one for one in self._pending(endpoint_id) if iso(one.due_at) <= iso(at)][:most]

    def next_due(self, endpoint_id: str) -> float | None:
        pending = self._pending(endpoint_id)
        return instant(iso(pending[0].due_at)) if pending else None

    def save(self, delivery: Delivery) -> None:
        mine, entry = self._of(delivery.endpoint_id), _entry(delivery)
        stored = mine.get(entry)
        if stored is None or (stored.version != delivery.version - 1 and stored != delivery):
            raise Superseded
        mine[entry] = delivery

    def page(
        self, endpoint_id: str, *, limit: int, after: str | None
    ) -> tuple[list[Delivery], str | None]:
        line = sorted(self._of(endpoint_id).items(), reverse=True)
        left = [(entry, one) for entry, one in line if after is None or entry < after]
        page = left[:limit]
        return [one for _, one in page], page[-1][0] if len(left) > limit else None

    def _of(self, endpoint_id: str) -> dict[str, Delivery]:
        return self.stored.setdefault(endpoint_id, {})

    def _pending(self, endpoint_id: str) -> list[Delivery]:
        """Those that have a time at which they are due, in its order, as the index gives them."""
        pending = [one for one in self._of(endpoint_id).values() if one.due_at]
        return sorted(pending, key=lambda one: iso(one.due_at))


def _entry(delivery: Delivery) -> str:
    return f"{iso(delivery.event_at)}#{delivery.event_id}"


class Lanes:
    """Fake of ``LaneQueue``. ``sent`` are the messages, each an endpoint and a reason."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, endpoint_id: str, *, reason: str) -> None:
        self.sent.append((endpoint_id, reason))


class Receivers:
    """Fake of a sender: each answer in its turn, the last one again and again.

    ``got`` are the addresses, headers and bodies of the requests.
    """

    def __init__(self, *answers: Sent) -> None:
        self.answers = list(answers or [Sent(milliseconds=5, status=204)])
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []

    def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Sent:
        self.got.append((url, headers, body))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Signer:
    """Fake of what signs: the headers say what was signed, and when. Fails so many times."""

    def __init__(self, *, faults: int = 0) -> None:
        self.faults = faults

    def sign(self, endpoint: Endpoint, *, event_id: str, body: bytes, at: float) -> dict[str, str]:
        assert endpoint.endpoint_id
        assert event_id.encode() in body
        if self.faults:
            self.faults -= 1
            raise ConnectionError
        return {"webhook-id": event_id, "at": iso(at)}


def an_endpoint(endpoint_id: str = ENDPOINT, *, at: float, **changes: object) -> Endpoint:
    """An endpoint that wants all events of its tenant."""
    made = Endpoint(
        endpoint_id=endpoint_id,
        tenant=TENANT,
        url="https://app.example.com/events",
        created_at=at,
    )
    return replace(made, **changes)


def a_delivery(event_id: str = "evt_1", *, at: float, **changes: object) -> Delivery:
    """The delivery of an event that has just happened, due at once."""
    made = Delivery(
        endpoint_id=ENDPOINT,
        event_id=event_id,
        event_type=EventType.REFRESH_PUBLISHED,
        event_at=at,
        due_at=at,
    )
    return replace(made, **changes)
