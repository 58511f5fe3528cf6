"""What the routes stand on, and the shape of a call and of a reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from functions.core import idempotency
from functions.core.errors import InvalidRequest, NotFound
from functions.wiring import Wiring

if TYPE_CHECKING:
    from functions.core.idempotency import Claim, Key
    from functions.core.model import Connection
    from functions.core.ports import Opener

T = TypeVar("T")

MAX_ID = 80

OPEN_SECONDS = 20
"""How long a provider may take to begin or tell of a connection: the gateway waits 29."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request as a route sees it; ``tenant`` is from the authorizer, never from the caller.

    It is empty only for a route that is ``open``, see ``rest.route``. ``path`` is as it was
    asked for. The names of the headers are in lower case. ``asked_at`` is when the gateway took
    the request, in seconds since the epoch: it counts from there, also while a function starts.
    ``here`` has the stage's services.
    """

    here: Wiring
    tenant: str
    path: str
    body: bytes
    query: dict[str, str]
    headers: Mapping[str, str]
    asked_at: float = inf


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A status, a model to render or a text as it is, and headers."""

    status: int
    model: Any = None
    text: str = ""
    content_type: str = "application/json"
    headers: dict[str, str] = {}


def once(
    call: Call, key: Key | None, *, create: Callable[[], T], replay: Callable[[Claim], T]
) -> tuple[T, bool]:
    """Answer a request once under its key, see ``core.idempotency.once``."""
    return idempotency.once(
        key,
        find=lambda key: call.here.keys.get(key.name, at=call.here.clock()),
        create=create,
        replay=replay,
    )


def opener(call: Call, provider: str, *, owner: str) -> Opener:
    """A connector that can begin connections.

    What speaks to a provider is loaded here and not with the door: hardly a call needs it.
    """
    from functions.providers import connector  # noqa: PLC0415 - see above

    clock = call.here.clock
    until = clock() + OPEN_SECONDS
    made = connector(call.here, provider, owner=owner, left=lambda: until - clock())
    return cast("Opener", made)


def connection_of(call: Call, connection_id: str) -> Connection:
    """The tenant's connection.

    Raises:
        NotFound: there is none, or it is another tenant's.
    """
    connection = call.here.connections.get(connection_id) if _plausible(connection_id) else None
    if connection is None or connection.tenant != call.tenant:
        raise NotFound
    return connection


def plausible(id_: str) -> str:
    """The id, if it could be one at all.

    Raises:
        NotFound: it could not.
    """
    if not _plausible(id_):
        raise NotFound
    return id_


def limit_of(call: Call, *, default: int, most: int) -> int:
    """The ``limit`` query parameter.

    Raises:
        InvalidRequest: it is not a whole number from 1 to ``most``.
    """
    return whole(call, "limit", least=1, most=most) if "limit" in call.query else default


def whole(call: Call, name: str, *, least: int, most: int) -> int:
    """A query parameter that is there and is a whole number.

    Raises:
        InvalidRequest: it is none from ``least`` to ``most``.
    """
    text = call.query[name]
    digits = text.isascii() and text.isdigit() and len(text) <= MAX_ID
    if not (digits and least <= int(text) <= most):
        raise InvalidRequest(f"{name} must be a whole number from {least} to {most}.")
    return int(text)


def only(call: Call, *names: str) -> None:
    """Refuse query parameters that a route does not know.

    Raises:
        InvalidRequest: there is one.
    """
    if unknown := set(call.query) - set(names):
        raise InvalidRequest(f"Unknown query parameter: {min(unknown)[:MAX_ID]}.")


def _plausible(id_: str) -> bool:
    return 0 < len(id_) <= MAX_ID and id_.isascii()
