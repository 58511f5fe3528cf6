"""Ends at the provider what a connection, or a consent that is not kept, stands on."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, cast

from functions.aws.tables.dynamodb import MAX_BATCH
from functions.aws.telemetry import logger
from functions.connectors.registry import REGISTRY
from functions.core.errors import FreshetError, LoginShared
from functions.core.ports import Revoke, Revoked
from functions.wiring.providers import connector

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.model import Connection, Credentials
    from functions.core.ports import Revoker
    from functions.wiring.services import Wiring

REVOKE_SECONDS: Final = 8
"""How long a provider may take. The rest of the call's time is for all else that it does."""


def revoke(
    here: Wiring,
    connection: Connection,
    *,
    load: Callable[[], Credentials],
    wish: Revoke = Revoke.TRUE,
) -> Revoked:
    """Ask the provider once, unless nothing is to be done.

    Nothing is where another connection stands on the same login: the provider may end them all.

    Args:
        load: reads the credentials, where the provider has any of a user's own.

    Raises:
        LoginShared: the library is other connections', too.
        FreshetError: the provider has not done it, or did not say so.
    """
    entry = REGISTRY[connection.provider]
    if wish is Revoke.FALSE:
        return Revoked.SKIPPED
    if wish not in entry.revokes:
        return Revoked.UNSUPPORTED
    if others := _find_others(here, connection):
        if wish is not Revoke.LIBRARY:
            return Revoked.SHARED
        own = ", ".join(one.connection_id for one in others if one.tenant == connection.tenant)
        raise LoginShared(own and f"{LoginShared.text} Yours are: {own}.")
    credentials = load() if entry.credentials else None
    return _revoker(here, connection.provider).revoke(connection, credentials, wish=wish)


def drop(here: Wiring, connection: Connection, credentials: Credentials | None) -> bool:
    """Revoke what a sign-in has given and no connection keeps.

    Without a known login nothing is revoked: another connection may stand on it.

    Returns:
        False if it may still be alive at the provider, and can be tried again.
    """
    needs = REGISTRY[connection.provider].credentials
    if not connection.subject or (needs and credentials is None):
        return True
    try:
        revoked = revoke(here, connection, load=lambda: cast("Credentials", credentials))
    except FreshetError as error:
        logger().warning("not revoked", provider=connection.provider, error=error.name())
        return False
    logger().info("consent not kept", provider=connection.provider, revoked=revoked)
    return True


def _revoker(here: Wiring, provider: str) -> Revoker:
    """A connector that can end connections. Its owner is new: each call rotates for itself."""
    until = here.clock() + REVOKE_SECONDS
    owner = f"revocation_{secrets.token_hex(8)}"
    found = connector(here, provider, owner=owner, left=lambda: until - here.clock())
    return cast("Revoker", found)


def _find_others(here: Wiring, connection: Connection) -> list[Connection]:
    """Connections on the same login, of any tenant, that are not being erased."""
    found = here.lookups.ids_of_subject(connection.provider, connection.subject)
    ids = [id_ for id_ in found if id_ != connection.connection_id]
    return [
        one
        for place in range(0, len(ids), MAX_BATCH)
        for one in here.connections.get_many(ids[place : place + MAX_BATCH])
        if one.settings == connection.settings
    ]
