"""A handler's request and reply, and the steps that several handlers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import msgspec

from functions.core import idempotency
from functions.core.errors import NotFound
from functions.core.wait import ANSWER_SECONDS, Versioned, wait
from functions.wiring.services import Wiring

if TYPE_CHECKING:
    from functions.core.connect.flow import Flow
    from functions.core.idempotency import Claim, Key
    from functions.core.model import Connection, Credentials
    from functions.core.ports import Catalogue, Connector, Opener, Revoke, Revoked

MAX_ID = 80

OPEN_SECONDS = 20
"""How long a provider may take to begin or tell of a connection: the gateway waits 29."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request.

    ``tenant`` is from the authorizer, never from the caller, and empty for a route that is
    ``open``. So is ``caller``, who asks; it is also empty where the token does not say. ``path`` is
    as it was asked for. The names of the headers are in lower case. ``asked_at`` is when the
    gateway took the request, in seconds since the epoch: it counts from there, also while a
    function starts. ``here`` has the stage's services.
    """

    here: Wiring
    tenant: str
    path: str
    body: bytes
    query: dict[str, str]
    headers: Mapping[str, str]
    asked_at: float = inf
    caller: str = ""


class Reply(msgspec.Struct, frozen=True):
    """A model to render or a text as it is, a status, and headers.

    ``location`` is a path from ``/v1`` on. ``replayed`` says that the request had come before.
    """

    model: Any = None
    status: int = 200
    text: str = ""
    content_type: str = "application/json"
    location: str = ""
    replayed: bool = False
    headers: dict[str, str] = {}


class Owned(Protocol):
    """A thing of a tenant, or of none."""

    @property
    def tenant(self) -> str | None:
        """The tenant's name."""
        ...


T = TypeVar("T")
Own = TypeVar("Own", bound=Owned)
Waited = TypeVar("Waited", bound=Versioned)


def once(
    call: Call,
    key: str | None,
    body: msgspec.Struct,
    *,
    create: Callable[[Key | None], T],
    replay: Callable[[Claim], T],
) -> tuple[T, bool]:
    """Answer a request once under its ``Idempotency-Key``, see ``core.idempotency.once``."""
    named = idempotency.key_of(key, tenant=call.tenant, body=body) if key else None
    return idempotency.once(
        named,
        find=lambda key: call.here.keys.get(key.name, at=call.here.clock()),
        create=lambda: create(named),
        replay=replay,
    )


def opener(call: Call, provider: str, *, owner: str) -> Opener:
    """A connector that can begin connections."""
    return cast("Opener", _connector(call, provider, owner=owner))


def lister(call: Call, provider: str) -> Catalogue:
    """A connector that lists what connections can have."""
    return cast("Catalogue", _connector(call, provider, owner="catalogue"))


def _connector(call: Call, provider: str, *, owner: str) -> Connector:
    # Imported here: few calls need it, and every cold start would pay for it.
    from functions.wiring.providers import connector  # noqa: PLC0415 - see above

    clock = call.here.clock
    until = clock() + OPEN_SECONDS
    return connector(call.here, provider, owner=owner, left=lambda: until - clock())


def revoke(
    call: Call, connection: Connection, *, load: Callable[[], Credentials], wish: Revoke
) -> Revoked:
    """End a connection at its provider; see ``wiring.revocation``."""
    from functions.wiring import revocation  # noqa: PLC0415 - as in ``_connector``

    return revocation.revoke(call.here, connection, load=load, wish=wish)


def connect_flow(call: Call) -> Flow:
    """The flow of connect sessions."""
    from functions.wiring import connect  # noqa: PLC0415 - as in ``_connector``

    return connect.connect_flow(call.here)


def hold(
    call: Call, thing: Waited, look: Callable[[], Waited], *, until: float, since: int | None = None
) -> Waited:
    """Hold the answer until a thing has moved on, see ``core.wait``, or the gateway gives up."""
    return wait(
        thing,
        look,
        until=min(until, call.asked_at + ANSWER_SECONDS),
        since=since,
        clock=call.here.clock,
        sleep=call.here.sleep,
    )


def connection_of(call: Call, connection_id: str) -> Connection:
    """The tenant's connection.

    Raises:
        NotFound: there is none, or it is another tenant's.
    """
    return own(call, connection_id, lambda here: here.connections.get(connection_id))


def own(call: Call, id_: str, get: Callable[[Wiring], Own | None]) -> Own:
    """Read a thing of the tenant by its id.

    Raises:
        NotFound: the id could be none, there is nothing, or it is another tenant's.
    """
    check_id(id_)
    found = get(call.here)
    if found is None or found.tenant != call.tenant:
        raise NotFound
    return found


def check_id(id_: str) -> str:
    """The id, if it could be one.

    Raises:
        NotFound: it could not.
    """
    if not (0 < len(id_) <= MAX_ID and id_.isascii()):
        raise NotFound
    return id_
