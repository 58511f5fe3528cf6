"""Routes: connections."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from functions.aws.runtime import logger, runtime
from functions.connectors.registry import REGISTRY
from functions.core import hints
from functions.core.errors import InvalidRequest, NotFound, ProviderRefusesConnection
from functions.core.model import CONNECTION_PREFIX, Connection, Credentials
from functions.rest.connection_models import (
    ConfigurationOut,
    ConnectionIn,
    ConnectionsOut,
    CredentialsIn,
    connection_out,
)
from functions.rest.models import body
from functions.rest.service import (
    MAX_ID,
    Call,
    Reply,
    connection_of,
    limit_of,
    only,
    opener,
    plausible,
    schedules,
    snapshots,
)

NO_CREDENTIALS: Final = "This provider has no credentials of a user's own; leave them out."

DELETES: Final = 8
"""How many items of a connection's history are deleted at a time."""


def create(call: Call) -> Reply:
    """Register a connection with its credentials, or begin one at a provider that lets us."""
    only(call)
    given = body(call.body, ConnectionIn)
    _check(given)
    connection = Connection(
        connection_id=CONNECTION_PREFIX + secrets.token_hex(16),
        tenant=call.tenant,
        provider=given.provider,
        subject=given.subject or "",
        settings=given.settings,
        datasets=given.datasets or (),
        params=given.params,
        created_at=runtime().clock(),
    )
    url: str | UnsetType = UNSET
    if given.subject is None:
        connection, url = _begun(connection)
    credentials = _credentials(given.credentials) if given.credentials else None
    if credentials is None and not runtime().claims().claim(connection):
        raise ProviderRefusesConnection
    runtime().connections.create(connection, credentials)
    return Reply(
        status=HTTPStatus.CREATED,
        model=connection_out(connection, sign_in_url=url),
        headers={"Location": f"/v1/connections/{connection.connection_id}"},
    )


def _begun(connection: Connection) -> tuple[Connection, str]:
    """The connection with the subject that its provider gave it, and where its user goes on."""
    id_ = connection.connection_id
    token = hints.token(id_, rest=secrets.token_urlsafe(32))
    opened = opener(connection.provider, owner=id_).open(connection, token=token)
    return replace(connection, subject=opened.subject, hook=hints.digest(token)), opened.url


def configuration(call: Call, connection_id: str) -> Reply:
    """What the end user has chosen at the provider, asked there and now."""
    only(call)
    connection = connection_of(call, connection_id)
    if not REGISTRY[connection.provider].opens:
        raise NotFound
    found = opener(connection.provider, owner=connection_id).configuration(connection)
    model = ConfigurationOut(
        configured=found.chosen is not None,
        sign_in_url=found.url,
        configuration=found.chosen,
    )
    return Reply(status=HTTPStatus.OK, model=model)


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
        connection = connection_of(call, connection_id)
        schedules().remove(connection_id)  # first, for what follows may break off
        if not REGISTRY[connection.provider].credentials:
            stores.claims().disclaim(connection)
        running = stores.connections.begin_erasing(connection_id)
        if running is not None:
            stores.refreshes.delete(running)
    schedules().remove(connection_id)  # it may have been put meanwhile
    snapshots().erase(connection_id)
    with ThreadPoolExecutor(DELETES) as workers:
        deleted = [
            *workers.map(stores.refreshes.delete, stores.refreshes.ids(connection_id)),
            *workers.map(stores.pushes().delete, stores.pushes().ids(connection_id)),
        ]
    logger().info("erased", items=len(deleted))
    stores.connections.delete(connection_id)
    return Reply(status=HTTPStatus.NO_CONTENT)


def replace_credentials(call: Call, connection_id: str) -> Reply:
    """Put new credentials in place, after the end user has signed in again."""
    only(call)
    connection = connection_of(call, connection_id)
    if not REGISTRY[connection.provider].credentials:
        raise InvalidRequest(NO_CREDENTIALS)
    given = body(call.body, CredentialsIn)
    runtime().connections.replace(connection, _credentials(given))
    return Reply(status=HTTPStatus.NO_CONTENT)


def _cursor(call: Call) -> str | None:
    cursor = call.query.get("cursor")
    sound = cursor is None or (cursor.startswith(CONNECTION_PREFIX) and len(cursor) <= MAX_ID)
    if not sound:
        raise InvalidRequest("cursor must be a next_cursor that this address gave.")
    return cursor


def _check(given: ConnectionIn) -> None:
    """Refuse what does not fit the provider."""
    entry = REGISTRY.get(given.provider)
    if entry is None:
        raise InvalidRequest(f"No such provider. There are: {', '.join(REGISTRY)}.")
    if given.settings.keys() != entry.settings:
        needed = ", ".join(sorted(entry.settings)) or "none"
        raise InvalidRequest(f"This provider's settings are: {needed}.")
    if given.subject is None and not entry.opens:
        raise InvalidRequest("This provider needs the subject: the user's id there.")
    if entry.credentials and given.credentials is None:
        raise InvalidRequest("This provider needs credentials: the user's tokens.")
    if not entry.credentials and given.credentials is not None:
        raise InvalidRequest(NO_CREDENTIALS)
    _check_datasets(given, fixed=entry.datasets)


def _check_datasets(given: ConnectionIn, *, fixed: tuple[str, ...]) -> None:
    wanted = given.datasets or ()
    if fixed and (wanted or given.params):
        raise InvalidRequest(f"This provider's datasets are always: {', '.join(fixed)}.")
    if not fixed and not wanted:
        raise InvalidRequest("This provider needs datasets: the names of what to fetch there.")
    if len(set(wanted)) < len(wanted):
        raise InvalidRequest("A dataset is named twice.")
    if unknown := set(given.params) - set(wanted):
        raise InvalidRequest(f"params are for datasets of the connection, not: {min(unknown)}.")


def _credentials(given: CredentialsIn) -> Credentials:
    return Credentials(
        access_token=given.access_token,
        refresh_token=given.refresh_token,
        expires_at=given.expires_at.timestamp() if given.expires_at else 0,
        session_key=given.session_key,
    )
