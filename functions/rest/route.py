"""What a call of the API is: the function that answers it, and all that a caller must know."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from functions.core.contract import MAX_BODY_BYTES
from functions.core.errors import FreshetError
from functions.rest.headers import KEY
from functions.rest.service import Reply


class Tag(StrEnum):
    """Under which heading a call stands."""

    CONNECTIONS = "connections"
    SCHEDULES = "schedules"
    REFRESHES = "refreshes"
    PUSHES = "pushes"
    BULK_REFRESHES = "bulk refreshes"
    DATASETS = "datasets"
    DESCRIPTION = "description"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A query parameter or a header. ``type`` carries its bounds, as a model's field does."""

    name: str
    about: str
    type: Any
    example: Any
    default: Any = UNSET
    required: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a call succeeds. Without a ``model`` the answer has no body.

    ``content_type`` is for what is not JSON.
    """

    status: HTTPStatus
    about: str
    model: Any = None
    content_type: str = "application/json"
    headers: tuple[Parameter, ...] = ()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A call.

    ``call`` gets a ``Call`` and the ids of the address, by name. ``name`` is the operation's id,
    for generated clients. ``api`` are those that this call's own: what any may answer
    (400, 404 where the address has an id, 413 where there is a body, 500, and the gateway's)
    is added to all. Whoever has no token may call what is ``open``, and it is told no tenant.
    ``most`` is how many bytes the body may have.
    """

    call: Callable[..., Reply]
    name: str
    summary: str
    tag: Tag
    answers: tuple[Answer, ...]
    about: str = ""
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    body: Any = None
    most: int = MAX_BODY_BYTES
    problems: tuple[type[FreshetError], ...] = ()
    open: bool = False


def limit(*, default: int, most: int) -> Parameter:
    """How many there may be on a page, as ``service.limit_of`` reads it."""
    return Parameter(
        name="limit",
        about="How many there may be on a page.",
        type=Annotated[int, Meta(ge=1, le=most)],
        example=default,
        default=default,
    )


def idempotency_key(*, about: str, example: str, required: bool = False) -> Parameter:
    """The caller's own name for a request, as ``headers.idempotency_key`` reads it."""
    return Parameter(
        name="Idempotency-Key",
        about=about,
        type=Annotated[str, Meta(pattern=f"^{KEY}$")],
        example=example,
        required=required,
    )


REPLAYED = Parameter(
    name="Idempotency-Replayed",
    about="`true` where this request had come before.",
    type=str,
    example="true",
)
LOCATION = Parameter(
    name="Location",
    about="Where what was made or found is, seen from the address of the request (RFC 9110).",
    type=str,
    example="refreshes/ref_1f0c5a4be2d84d0f9a6b7c8d9e0f1a2b",
)
