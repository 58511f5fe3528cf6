"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

import msgspec

from functions.core.errors import (
    Busy,
    FreshetError,
    Gone,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RecordTooLarge,
    Superseded,
    TooLarge,
)

CONTENT_TYPE: Final = "application/problem+json"

STATUS: Final[dict[type[FreshetError], HTTPStatus]] = {
    InvalidRequest: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    Busy: HTTPStatus.CONFLICT,
    Superseded: HTTPStatus.CONFLICT,
    Gone: HTTPStatus.GONE,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    RecordTooLarge: HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""What the API answers for an error; for any other it is 500."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem. ``type`` is stable and safe to compare."""

    type: str
    title: str
    status: int
    detail: str


def problem(error: FreshetError) -> Problem:
    """The problem that tells a caller of this error."""
    status = STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    return Problem(
        type=f"urn:freshet:problem:{_kebab(error.name())}",
        title=status.phrase,
        status=status,
        detail=str(error),
    )


def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
