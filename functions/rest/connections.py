"""Routes: connections."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from functions.aws.runtime import runtime
from functions.connectors.registry import REGISTRY
from functions.core.errors import InvalidRequest
from functions.core.model import CONNECTION_PREFIX, Connection, Credentials
from functions.rest.models import (
    ConnectionIn,
    ConnectionsOut,
    CredentialsIn,
    body,
    connection_out,
)
from functions.rest.service import (
    Call,
    Reply,
    connection_of,
    limit_of,
    only,
    plausible,
    snapshots,
)


def create(call: Call) -> Reply:
    """Register a connection with its credentials."""
    only(call)
    given = body(call.body, ConnectionIn)
    _check_settings(given)
    connection = Connection(
        connection_id=CONNECTION_PREFIX + secrets.token_hex(16),
        tenant=call.tenant,
        provider=given.provider,
        subject=given.subject,
        settings=given.settings,
        created_at=runtime().clock(),
    )
    runtime().connections.create(connection, _credentials(given.credentials))
    return Reply(
        status=HTTPStatus.CREATED,
        model=connection_out(connection),
        headers={"Location": f"/v1/connections/{connection.connection_id}"},
    )


def listed(call: Call) -> Reply:
    """The tenant's connections, page by page."""
    only(call, "limit", "cursor")
    found, cursor = runtime().connections.page(
        call.tenant,
        limit=limit_of(call, default=50, most=200),
        after=_cursor(call),
    )
    model = ConnectionsOut(connections=[connection_out(one) for one in found], next_cursor=cursor)
    return Reply(status=HTTPStatus.OK, model=model)


def read(call: Call, connection_id: str) -> Reply:
    """One connection."""
    only(call)
    return Reply(status=HTTPStatus.OK, model=connection_out(connection_of(call, connection_id)))


def erase(call: Call, connection_id: str) -> Reply:
    """Erase a connection and everything of it. Repeated after a fault, it goes on."""
    only(call)
    stores = runtime()
    if stores.connections.erasing(plausible(connection_id)) != call.tenant:
        running = connection_of(call, connection_id).running
        stores.connections.begin_erasing(connection_id)
        if running is not None:
            # So young that the index may not list it yet.
            stores.refreshes.delete(running.refresh_id)
    snapshots().erase(connection_id)
    for refresh_id in stores.refreshes.ids(connection_id):
        stores.refreshes.delete(refresh_id)
    stores.connections.delete(connection_id)
    return Reply(status=HTTPStatus.NO_CONTENT)


def replace_credentials(call: Call, connection_id: str) -> Reply:
    """Put new credentials in place, after the end user has signed in again."""
    only(call)
    connection = connection_of(call, connection_id)
    given = body(call.body, CredentialsIn)
    runtime().connections.replace(connection, _credentials(given))
    return Reply(status=HTTPStatus.NO_CONTENT)


def _cursor(call: Call) -> str | None:
    cursor = call.query.get("cursor")
    if cursor is not None and not cursor.startswith(CONNECTION_PREFIX):
        raise InvalidRequest("cursor must be a next_cursor that this address gave.")
    return cursor


def _check_settings(given: ConnectionIn) -> None:
    entry = REGISTRY.get(given.provider)
    if entry is None:
        raise InvalidRequest(f"No such provider. There are: {', '.join(REGISTRY)}.")
    if given.settings.keys() != entry.settings:
        needed = ", ".join(sorted(entry.settings)) or "none"
        raise InvalidRequest(f"This provider's settings are: {needed}.")


def _credentials(given: CredentialsIn) -> Credentials:
    return Credentials(
        access_token=given.access_token,
        refresh_token=given.refresh_token,
        expires_at=given.expires_at.timestamp() if given.expires_at else 0,
        session_key=given.session_key,
    )
