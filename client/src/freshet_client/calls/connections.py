"""Connections, their schedules and objectives, and what providers have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from freshet_client.exchange import Call, given
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
        query = {
            "external_id": external_id,
            "provider": provider,
            "subject": subject,
            "reauth_required": reauth_required,
            "paused": paused,
            "older_than_seconds": older_than_seconds,
            "label": label,
            "limit": limit,
            "cursor": cursor,
        }
        return self._list(
            "/connections", ConnectionsOut, items=lambda page: page.connections, query=query
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
        body = given(
            provider=provider,
            settings=settings,
            datasets=datasets,
            params=params,
            external_id=external_id,
            labels=labels,
            subject=subject,
            credentials=credentials,
        )
        return self._create("/connections", ConnectionOut, body=body, key=idempotency_key)

    @Operation
    def read_connection(self, connection_id: str) -> Flow[ConnectionOut]:
        """Read a connection."""
        return self._get("/connections/{}", ConnectionOut, connection_id)

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
        body = {"external_id": external_id, "labels": labels, "params": params, "paused": paused}
        return self._change("/connections/{}", ConnectionOut, connection_id, body=body)

    @Operation
    def erase_connection(self, connection_id: str, *, revoke: str | None = None) -> Flow[ErasedOut]:
        """Erase a connection with all its data; ``NotFound`` where an attempt before has."""
        call = Call(
            "DELETE", "/connections/{}", ErasedOut, ids=(connection_id,), query={"revoke": revoke}
        )
        return self.exchange.send(call)

    @Operation
    def read_configuration(self, connection_id: str) -> Flow[ConfigurationOut]:
        """Read what the user has chosen at the provider."""
        return self._get("/connections/{}/configuration", ConfigurationOut, connection_id)

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
        body = given(
            access_token=access_token,
            refresh_token=refresh_token,
            expires_at=expires_at,
            session_key=session_key,
        )
        return self._put("/connections/{}/credentials", type(None), connection_id, body=body)

    @Operation
    def read_freshness(
        self, connection_id: str, *, max_age_seconds: int | None = None
    ) -> Flow[FreshnessOut]:
        """Learn how fresh a connection's data are, and why they are not."""
        query = {"max_age_seconds": max_age_seconds}
        return self._get("/connections/{}/freshness", FreshnessOut, connection_id, query=query)

    @Operation
    def lift_pause(self, connection_id: str) -> Flow[None]:
        """Let a connection be refreshed before its ``next_allowed_at``."""
        return self._delete("/connections/{}/pause", connection_id)

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
        body = given(
            expression=expression,
            time_zone=time_zone,
            jitter_minutes=jitter_minutes,
            max_age_seconds=max_age_seconds,
            datasets=datasets,
        )
        return self._put("/connections/{}/schedule", ScheduleOut, connection_id, body=body)

    @Operation
    def remove_schedule(self, connection_id: str) -> Flow[None]:
        """Refresh a connection only when it is asked for."""
        return self._delete("/connections/{}/schedule", connection_id)

    @Operation
    def put_objective(self, connection_id: str, *, max_age_seconds: int) -> Flow[ObjectiveOut]:
        """Say how old a connection's data may be."""
        body = {"max_age_seconds": max_age_seconds}
        return self._put("/connections/{}/objective", ObjectiveOut, connection_id, body=body)

    @Operation
    def remove_objective(self, connection_id: str) -> Flow[None]:
        """Take a connection's own objective away."""
        return self._delete("/connections/{}/objective", connection_id)

    @Operation
    def put_tenant_objective(self, *, max_age_seconds: int) -> Flow[ObjectiveOut]:
        """Say how old the data of all your connections may be."""
        return self._put("/objective", ObjectiveOut, body={"max_age_seconds": max_age_seconds})

    @Operation
    def read_tenant_objective(self) -> Flow[ObjectiveOut]:
        """Read how old the data of all your connections may be."""
        return self._get("/objective", ObjectiveOut)

    @Operation
    def remove_tenant_objective(self) -> Flow[None]:
        """Take the objective for all your connections away; their own stay."""
        return self._delete("/objective")

    @Operation
    def list_digime_services(self) -> Flow[Services]:
        """List the services that users of digi.me can add."""
        return self._get("/providers/digime/services", Services)

    @Operation
    def list_endgrate_types(self) -> Flow[IntegrationsOut]:
        """List the types of record that Endgrate has."""
        return self._get("/providers/endgrate/types", IntegrationsOut)
