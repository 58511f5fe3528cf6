"""Routes: connections that there are; how they come to be stands in ``registrations``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final

from functions.aws.telemetry import logger
from functions.connectors.registry import REGISTRY
from functions.core.errors import InvalidRequest, NotFound
from functions.core.model import CONNECTION_PREFIX
from functions.rest import cursors
from functions.rest.connection_models import (
    ConfigurationOut,
    ConnectionsOut,
    CredentialsIn,
    connection_out,
    credentials_of,
)
from functions.rest.models import body
from functions.rest.registrations import NO_CREDENTIALS
from functions.rest.service import (
    MAX_ID,
    Call,
    Reply,
    connection_of,
    limit_of,
    only,
    opener,
    plausible,
)

LIMIT: Final = 50
MAX_LIMIT: Final = 200

DELETES: Final = 8
"""How many items of a connection's history are deleted at a time."""


def configuration(call: Call, connection_id: str) -> Reply:
    """What the end user has chosen at the provider, asked there and now."""
    only(call)
    connection = connection_of(call, connection_id)
    if not REGISTRY[connection.provider].opens:
        raise NotFound
    found = opener(call, connection.provider, owner=connection_id).configuration(connection)
    model = ConfigurationOut(
        configured=found.chosen is not None,
        sign_in_url=found.url,
        configuration=found.chosen,
    )
    return Reply(status=HTTPStatus.OK, model=model)


def listed(call: Call) -> Reply:
    """The tenant's connections, page by page."""
    only(call, "limit", "cursor")
    found, cursor = call.here.connections.page(
        call.tenant,
        limit=limit_of(call, default=LIMIT, most=MAX_LIMIT),
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
    here = call.here
    if here.connections.erasing(plausible(connection_id)) != call.tenant:
        connection = connection_of(call, connection_id)
        here.schedules.remove(connection_id)  # first, for what follows may break off
        if not REGISTRY[connection.provider].credentials:
            here.subjects.release(connection)
        running = here.connections.begin_erasing(connection_id)
        if running is not None:
            here.refreshes.delete(running)
    here.schedules.remove(connection_id)  # it may have been put meanwhile
    here.snapshots.erase(connection_id)
    with ThreadPoolExecutor(DELETES) as workers:
        deleted = [
            *workers.map(here.refreshes.delete, here.refreshes.ids(connection_id)),
            *workers.map(here.pushes.delete, here.pushes.ids(connection_id)),
        ]
    logger().info("erased", items=len(deleted))
    here.connections.delete(connection_id)
    return Reply(status=HTTPStatus.NO_CONTENT)


def replace_credentials(call: Call, connection_id: str) -> Reply:
    """Put new credentials in place, after the end user has signed in again."""
    only(call)
    connection = connection_of(call, connection_id)
    if not REGISTRY[connection.provider].credentials:
        raise InvalidRequest(NO_CREDENTIALS)
    given = body(call.body, CredentialsIn)
    call.here.connections.replace(connection, credentials_of(given))
    return Reply(status=HTTPStatus.NO_CONTENT)


def allow(call: Call, connection_id: str) -> Reply:
    """Let a connection be refreshed again, though its provider wanted a pause."""
    only(call)
    connection_of(call, connection_id)
    call.here.connections.allow(connection_id)
    return Reply(status=HTTPStatus.NO_CONTENT)


def _cursor(call: Call) -> str | None:
    cursor = call.query.get("cursor")
    sound = cursor is None or (cursor.startswith(CONNECTION_PREFIX) and len(cursor) <= MAX_ID)
    if not sound:
        raise InvalidRequest(cursors.REFUSED)
    return cursor
