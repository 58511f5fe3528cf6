"""What the routes stand on, and the shape of a call and of a reply."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from functions.aws.executions import Executions
from functions.aws.runtime import runtime, setting
from functions.aws.snapshots import Snapshots
from functions.core.contract import Variable
from functions.core.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from functions.core.model import Connection

MAX_ID = 80


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request as a route sees it; ``tenant`` is from the authorizer, never from the caller."""

    tenant: str
    body: bytes
    query: dict[str, str]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A status, a model to render, and headers."""

    status: int
    model: Any = None
    headers: dict[str, str] = {}


@cache
def snapshots() -> Snapshots:
    """The published snapshots."""
    return Snapshots(runtime().s3(), bucket=setting(Variable.BUCKET))


@cache
def executions() -> Executions:
    """The state machine's executions."""
    return Executions(runtime().states(), machine=setting(Variable.MACHINE))


def connection_of(call: Call, connection_id: str) -> Connection:
    """The tenant's connection.

    Raises:
        NotFound: there is none, or it is another tenant's.
    """
    connection = runtime().connections.get(connection_id) if _plausible(connection_id) else None
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
    text = call.query.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_ID and 1 <= int(text) <= most):
        raise InvalidRequest(f"limit must be a whole number from 1 to {most}.")
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
