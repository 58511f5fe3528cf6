"""A stage over fakes, with endpoints, events and a receiver that answers as it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from functions import api
from functions.core.errors import EndpointRefused
from functions.core.events.model import EventType
from functions.outbound.sign import Keyring
from tests.support.api_gateway import call
from tests.support.fakes.delivery.endpoints import Deliveries, Endpoints, Lanes, Receivers
from tests.support.fakes.events import Events, an_event
from tests.support.fakes.idempotency import Keys
from tests.support.fakes.stores import Clock, Tables

if TYPE_CHECKING:
    from functions.core.events.model import OutboxEvent

LIST = "/v1/endpoints"
URL = "https://app.example/hooks"
CLOSED = "https://intern.example/"


class Vault:
    """Seals so that a reader sees for what; what was sealed for another does not open."""

    def seal_for_endpoint(self, plain: bytes, *, tenant: str, endpoint_id: str) -> bytes:
        return f"{tenant} {endpoint_id} ".encode() + plain[::-1]

    def open_for_endpoint(self, sealed: bytes, *, tenant: str, endpoint_id: str) -> bytes:
        mark = f"{tenant} {endpoint_id} ".encode()
        assert sealed.startswith(mark)
        return sealed.removeprefix(mark)[::-1]


def check_url(url: str) -> None:
    if url == CLOSED:
        raise EndpointRefused


class Stage:
    """The services that calls of endpoints need, and requests to the API."""

    def __init__(self) -> None:
        self.clock, self.tables = Clock(), Tables()
        self.endpoints, self.deliveries = Endpoints(self.tables), Deliveries()
        self.events, self.keys = Events(self.tables), Keys(self.tables)
        self.keyring, self.sender, self.lanes = Keyring(Vault()), Receivers(), Lanes()  # type: ignore[arg-type] # a fake
        self.check_url = check_url

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        tenant: str = "acme",
        key: str = "",
        **query: str,
    ) -> tuple[int, Any]:
        """The status and body of an answer."""
        answer = call(
            method,
            path,
            body=None if body is None else msgspec.json.encode(body).decode(),
            headers={"idempotency-key": key} if key else {},
            queryStringParameters=query or None,
            requestContext={"authorizer": {"tenant": tenant}, "requestTimeEpoch": 0},
        )
        text = answer["body"]
        return answer["statusCode"], msgspec.json.decode(text) if text else None

    def create(self, tenant: str = "acme", **given: Any) -> dict[str, Any]:
        """A new endpoint, as its creation tells of it."""
        status, told = self.send("POST", LIST, {"url": URL} | given, tenant=tenant)
        assert status == 201, told
        found: dict[str, Any] = told
        return found

    def happen(
        self,
        number: int = 0,
        type_: EventType = EventType.REFRESH_PUBLISHED,
        *,
        tenant: str = "acme",
        **about: str,
    ) -> OutboxEvent:
        """An event, so many seconds after the first."""
        at = self.clock() - 1000 + number
        event = an_event(f"ref_{number}", type_, at=at, tenant=tenant, **about)
        self.tables.events[event.event_id] = event
        return event


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage()
    monkeypatch.setattr(api, "wiring", lambda: made)
    return made
