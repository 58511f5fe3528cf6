"""Connections, their schedules and objectives, and what providers have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from freshet_client.methods import Calls, List, Operation
from freshet_client.models import (
    ConfigurationOut,
    ConnectionOut,
    ConnectionsOut,
    ErasedOut,
    FreshnessOut,
    IntegrationsOut,
    ObjectiveOut,
    ScheduleOut,
    Services,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freshet_client.flows.effects import Flow
    from freshet_client.lists import Listing


class Connections(Calls):
    """Calls about connections."""

    @List
    def list_connections(
        self,
        *,
        external_id: str | None = None,
        provider: str | None = None,
        subject: str | None = None,
        reauth_required: bool | None = None,
        paused: bool | None = None,
        older_than_seconds: int | None = None,
        label: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Listing[ConnectionsOut, ConnectionOut]:
        """List your connections. ``label`` is ``NAME:VALUE``; filters are joined by AND."""
        return self._list(
            "GET /connections", ConnectionsOut, locals(), items=lambda page: page.connections
        )

    @Operation
    def create_connection(
        self,
        provider: str,
        *,
        settings: Mapping[str, str] | None = None,
        datasets: Sequence[str] | None = None,
        params: Mapping[str, Mapping[str, Any]] | None = None,
        external_id: str | None = None,
        labels: Mapping[str, str] | None = None,
        subject: str | None = None,
        credentials: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[ConnectionOut]:
        """Register a connection."""
        return self._call("POST /connections", ConnectionOut, locals())

    @Operation
    def read_connection(self, connection_id: str) -> Flow[ConnectionOut]:
        """Read a connection."""
        return self._call("GET /connections/{connection_id}", ConnectionOut, locals())

    @Operation
    def change_connection(
        self,
        connection_id: str,
        *,
        external_id: str | UnsetType | None = UNSET,
        labels: Mapping[str, str] | UnsetType = UNSET,
        params: Mapping[str, Mapping[str, Any]] | UnsetType = UNSET,
        paused: bool | UnsetType = UNSET,
    ) -> Flow[ConnectionOut]:
        """Change what you say of a connection, or pause it; what is left out stays."""
        return self._call("PATCH /connections/{connection_id}", ConnectionOut, locals())

    @Operation
    def erase_connection(self, connection_id: str, *, revoke: str | None = None) -> Flow[ErasedOut]:
        """Erase a connection with all its data; ``NotFound`` where an attempt before has."""
        return self._call("DELETE /connections/{connection_id}", ErasedOut, locals())

    @Operation
    def read_configuration(self, connection_id: str) -> Flow[ConfigurationOut]:
        """Read what the user has chosen at the provider."""
        return self._call(
            "GET /connections/{connection_id}/configuration", ConfigurationOut, locals()
        )

    @Operation
    def replace_credentials(
        self,
        connection_id: str,
        *,
        access_token: str,
        refresh_token: str | None = None,
        expires_at: str | None = None,
        session_key: str | None = None,
    ) -> Flow[None]:
        """Replace the credentials, after the user has signed in at the provider again."""
        return self._call("PUT /connections/{connection_id}/credentials", type(None), locals())

    @Operation
    def read_freshness(
        self, connection_id: str, *, max_age_seconds: int | None = None
    ) -> Flow[FreshnessOut]:
        """Learn how fresh a connection's data are, and why they are not."""
        return self._call("GET /connections/{connection_id}/freshness", FreshnessOut, locals())

    @Operation
    def lift_pause(self, connection_id: str) -> Flow[None]:
        """Let a connection be refreshed before its ``next_allowed_at``."""
        return self._call("DELETE /connections/{connection_id}/pause", type(None), locals())

    @Operation
    def put_schedule(
        self,
        connection_id: str,
        *,
        expression: str,
        time_zone: str | None = None,
        jitter_minutes: int | None = None,
        max_age_seconds: int | None = None,
        datasets: Sequence[str] | None = None,
    ) -> Flow[ScheduleOut]:
        """Refresh a connection by a schedule, such as ``rate(1 day)``."""
        return self._call("PUT /connections/{connection_id}/schedule", ScheduleOut, locals())

    @Operation
    def remove_schedule(self, connection_id: str) -> Flow[None]:
        """Refresh a connection only when it is asked for."""
        return self._call("DELETE /connections/{connection_id}/schedule", type(None), locals())

    @Operation
    def put_objective(self, connection_id: str, *, max_age_seconds: int) -> Flow[ObjectiveOut]:
        """Say how old a connection's data may be."""
        return self._call("PUT /connections/{connection_id}/objective", ObjectiveOut, locals())

    @Operation
    def remove_objective(self, connection_id: str) -> Flow[None]:
        """Take a connection's own objective away."""
        return self._call("DELETE /connections/{connection_id}/objective", type(None), locals())

    @Operation
    def put_tenant_objective(self, *, max_age_seconds: int) -> Flow[ObjectiveOut]:
        """Say how old the data of all your connections may be."""
        return self._call("PUT /objective", ObjectiveOut, locals())

    @Operation
    def read_tenant_objective(self) -> Flow[ObjectiveOut]:
        """Read how old the data of all your connections may be."""
        return self._call("GET /objective", ObjectiveOut, locals())

    @Operation
    def remove_tenant_objective(self) -> Flow[None]:
        """Take the objective for all your connections away; their own stay."""
        return self._call("DELETE /objective", type(None), locals())

    @Operation
    def list_digime_services(self) -> Flow[Services]:
        """List the services that users of digi.me can add."""
        return self._call("GET /providers/digime/services", Services, locals())

    @Operation
    def list_endgrate_types(self) -> Flow[IntegrationsOut]:
        """List the types of record that Endgrate has."""
        return self._call("GET /providers/endgrate/types", IntegrationsOut, locals())
