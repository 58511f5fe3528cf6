"""The call that erases a connection, and revokes it at its provider."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.telemetry import logger
from functions.connectors.registry import REGISTRY
from functions.core.errors import FreshetError, InvalidRequest, LoginShared, ReauthRequired
from functions.core.events.model import EventType, event_of_connection
from functions.core.ports import Revoke, Revoked
from functions.rest.call import Call, Reply, check_id, connection_of
from functions.rest.call import revoke as revoke_at_provider
from functions.rest.calls.connections import ASKS_PROVIDER
from functions.rest.route import Answer, Route, Tag, one_of

if TYPE_CHECKING:
    from functions.core.model import Connection

DELETES: Final = 8
"""How many items of a connection's history are deleted at a time."""

FIRST: Final = frozenset({Revoke.REQUIRED, Revoke.LIBRARY})
"""The wishes that are fulfilled before anything is erased."""


class RevocationOut(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of the connection at its provider; ``error`` is why it has ``failed``."""

    revoked: Revoked
    error: str | None = None


class ErasedOut(msgspec.Struct, frozen=True, kw_only=True):
    """A connection of which nothing is left here."""

    connection_id: str
    erased: bool
    provider: RevocationOut


@Route(
    "DELETE /v1/connections/<connection_id>",
    Tag.CONNECTIONS,
    (Answer("Nothing of it is left here.", ErasedOut),),
    query=(
        one_of(
            "revoke",
            Revoke,
            example=Revoke.TRUE,
            about="Whether to revoke it at the provider, too. `library`, at digi.me only, deletes"
            " the user's library there.",
            default=Revoke.TRUE,
        ),
    ),
    problems=(*ASKS_PROVIDER, LoginShared, ReauthRequired),
)
def erase_connection(call: Call, connection_id: str, *, revoke: Revoke) -> Reply:
    """Erase a connection with all its data.

    Credentials, snapshots in every version, and the history of its refreshes. Its provider is asked
    once, for 8 seconds at the most, to revoke it, unless another connection stands on the same
    login.
    """
    here = call.here
    erasing = here.connections.erasing(check_id(connection_id))
    told: RevocationOut | None = None
    if erasing is None or erasing.tenant != call.tenant:
        erasing = connection_of(call, connection_id)
        if revoke is Revoke.LIBRARY and revoke not in REGISTRY[erasing.provider].revokes:
            raise InvalidRequest("This provider has no library: leave out revoke, or give another.")
        if revoke in FIRST:
            told = RevocationOut(
                revoked=revoke_at_provider(
                    call,
                    erasing,
                    load=lambda: here.connections.load(connection_id).credentials,
                    wish=revoke,
                )
            )
        here.schedules.remove(connection_id)  # first, as what follows may break off
        running = here.connections.begin_erasing(connection_id)
        if running is not None:
            here.refreshes.delete(running)
        erasing = here.connections.erasing(connection_id) or erasing
    told = told or _try_to_revoke(call, erasing, revoke)
    here.schedules.remove(connection_id)  # it may have been put meanwhile
    here.snapshots.erase(connection_id)
    last = event_of_connection(erasing, EventType.CONNECTION_ERASED, version=0, at=here.clock())
    events = (id_ for id_ in here.events.ids(connection_id) if id_ != last.event_id)
    with ThreadPoolExecutor(DELETES) as workers:
        deleted = [
            *workers.map(here.refreshes.delete, here.refreshes.ids(connection_id)),
            *workers.map(here.pushes.delete, here.pushes.ids(connection_id)),
            *workers.map(here.events.delete, events),
        ]
    here.lookups.release(erasing)
    here.connections.delete(connection_id, event=last)
    logger().info("erased", items=len(deleted), revoked=told.revoked)
    return Reply(ErasedOut(connection_id=connection_id, erased=True, provider=told))


def _try_to_revoke(call: Call, erasing: Connection, wish: Revoke) -> RevocationOut:
    """Revoke a connection that is erased in any case."""
    try:
        revoked = revoke_at_provider(
            call,
            erasing,
            load=lambda: call.here.connections.load_erasing(erasing.connection_id),
            wish=wish,
        )
    except FreshetError as error:
        logger().warning("not revoked", provider=erasing.provider, error=error.name())
        return RevocationOut(revoked=Revoked.FAILED, error=error.name())
    return RevocationOut(revoked=revoked)
