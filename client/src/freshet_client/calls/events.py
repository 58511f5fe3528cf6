"""Events, and the endpoints that get them as webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from freshet_client.methods import Calls, List, Operation
from freshet_client.models import (
    CloudEvent,
    DeliveriesOut,
    DeliveryOut,
    EndpointOut,
    EndpointsOut,
    EventsOut,
    PingOut,
    ReplayOut,
    RotatedOut,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freshet_client.flows.effects import Flow
    from freshet_client.lists import Listing


class Events(Calls):
    """Calls about events and endpoints."""

    @List
    def list_events(
        self,
        *,
        connection_id: str | None = None,
        type: str | None = None,  # noqa: A002 - the API's name
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Listing[EventsOut, CloudEvent]:
        """List your events of the last 30 days, oldest first, as far as there are any now.

        Keep the cursor in the ``state`` of what this returns, and come back with it for later ones.
        """
        return self._list("GET /events", EventsOut, locals(), items=lambda page: page.events)

    @Operation
    def read_event(self, event_id: str) -> Flow[CloudEvent]:
        """Read an event of the last 30 days."""
        return self._call("GET /events/{event_id}", CloudEvent, locals())

    @Operation
    def create_endpoint(
        self,
        url: str,
        *,
        types: Sequence[str] | None = None,
        provider: str | None = None,
        connection_ids: Sequence[str] | None = None,
        secret: str | None = None,
        asymmetric: bool | None = None,
        max_in_flight: int | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[EndpointOut]:
        """Have an address told of events. Keep the ``secret``: no other call tells it."""
        return self._call("POST /endpoints", EndpointOut, locals())

    @Operation
    def list_endpoints(self) -> Flow[EndpointsOut]:
        """List your endpoints."""
        return self._call("GET /endpoints", EndpointsOut, locals())

    @Operation
    def read_endpoint(self, endpoint_id: str) -> Flow[EndpointOut]:
        """See how an endpoint stands."""
        return self._call("GET /endpoints/{endpoint_id}", EndpointOut, locals())

    @Operation
    def change_endpoint(
        self,
        endpoint_id: str,
        *,
        url: str | UnsetType = UNSET,
        types: Sequence[str] | UnsetType = UNSET,
        provider: str | UnsetType | None = UNSET,
        connection_ids: Sequence[str] | UnsetType = UNSET,
        max_in_flight: int | UnsetType = UNSET,
        enabled: bool | UnsetType = UNSET,
    ) -> Flow[EndpointOut]:
        """Change an endpoint, pause it, or enable it again; what is left out stays."""
        return self._call("PATCH /endpoints/{endpoint_id}", EndpointOut, locals())

    @Operation
    def delete_endpoint(self, endpoint_id: str) -> Flow[None]:
        """Delete an endpoint, and what waits for it."""
        return self._call("DELETE /endpoints/{endpoint_id}", type(None), locals())

    @List
    def list_deliveries(
        self,
        endpoint_id: str,
        *,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Listing[DeliveriesOut, DeliveryOut]:
        """List what was delivered to an endpoint, and what was not, newest first."""
        return self._list(
            "GET /endpoints/{endpoint_id}/deliveries",
            DeliveriesOut,
            locals(),
            items=lambda page: page.deliveries,
        )

    @Operation
    def ping_endpoint(self, endpoint_id: str) -> Flow[PingOut]:
        """Try an endpoint: one ping is sent now."""
        return self._call("POST /endpoints/{endpoint_id}/ping", PingOut, locals())

    @Operation
    def replay_events(
        self,
        endpoint_id: str,
        *,
        event_ids: Sequence[str] | None = None,
        since: str | None = None,
        until: str | None = None,
        only: str | None = None,
        cursor: str | None = None,
    ) -> Flow[ReplayOut]:
        """Have events delivered again; where there is a ``next_cursor``, call it again with it."""
        return self._call("POST /endpoints/{endpoint_id}/replay", ReplayOut, locals())

    @Operation
    def rotate_secret(
        self,
        endpoint_id: str,
        *,
        overlap_seconds: int | None = None,
        secret: str | None = None,
    ) -> Flow[RotatedOut]:
        """Replace an endpoint's secret; the old one signs beside it for the overlap."""
        return self._call("POST /endpoints/{endpoint_id}/secret", RotatedOut, locals())
