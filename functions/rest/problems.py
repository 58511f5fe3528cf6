"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import re
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from functions.core import errors
from functions.core.errors import (
    Action,
    ConnectionExists,
    CoolingDown,
    FreshetError,
    PlatformFault,
    ProviderUnavailable,
    Throttled,
)
from functions.core.gateway import UNAVAILABLE, UNAVAILABLE_SECONDS
from functions.core.model import iso

CONTENT_TYPE: Final = "application/problem+json"
TYPE: Final = "urn:freshet:problem:"
"""How the type of every problem begins."""

STATUS: Final[dict[type[FreshetError], int]] = {
    errors.InvalidRequest: 400,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.BulkRunning: 409,
    errors.Busy: 409,
    errors.ConnectSessionEnded: 409,
    errors.ConnectionExists: 409,
    errors.LoginShared: 409,
    errors.Paused: 409,
    errors.ReauthRequired: 409,
    errors.SecretRotating: 409,
    errors.Superseded: 409,
    errors.TooManyEndpoints: 409,
    errors.Gone: 410,
    errors.TooLarge: 413,
    errors.ConnectCodeInvalid: 422,
    errors.ConnectUserMismatch: 422,
    errors.EndpointRefused: 422,
    errors.KeyReused: 422,
    errors.ProviderRefusesConnection: 422,
    errors.RecordTooLarge: 422,
    errors.CoolingDown: 429,
    errors.Throttled: 429,
    errors.AnswerTooLarge: 502,
    errors.UnexpectedAnswer: 502,
    errors.PlatformFault: 503,
    errors.ProviderPaused: 503,
    errors.ProviderUnavailable: 503,
    errors.RateLimited: 503,
}
"""What the API answers for an error; for any other it is 500."""

KINDS: Final[dict[type[FreshetError], str]] = {PlatformFault: UNAVAILABLE}
"""How a problem's type ends where it is not the error's own name."""


CONSOLE: Final = ContextVar("CONSOLE", default="")
"""Where the console is, by the address of the request that is answered; empty where there is none.
"""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem. ``type`` and ``action``, what to do about it, are safe to compare.

    ``help`` is the error's page in the stage's console, where it has one.
    """

    type: str
    title: str
    status: int
    detail: str
    action: Action
    help: str | msgspec.UnsetType = msgspec.UNSET
    next_allowed_at: str | msgspec.UnsetType = msgspec.UNSET
    connection_id: str | msgspec.UnsetType = msgspec.UNSET


def problem(error: FreshetError) -> Problem:
    """The problem that tells a caller of this error."""
    status = STATUS.get(type(error), 500)
    return Problem(
        type=TYPE + KINDS.get(type(error), _kebab(error.name())),
        title=HTTPStatus(status).phrase,
        status=status,
        detail=str(error),
        action=error.action,
        next_allowed_at=_next_allowed_at(error),
        connection_id=_connection_id(error),
    )


def find_help(error: type[FreshetError] | FreshetError) -> str | None:
    """The address of an error's page in the console; None where there is no console."""
    console = CONSOLE.get()
    return f"{console}#/errors/{error.name()}" if console else None


def retry_after(error: FreshetError) -> dict[str, str]:
    """The header that says when to come again, where that is known."""
    if isinstance(error, PlatformFault):
        return {"Retry-After": str(UNAVAILABLE_SECONDS)}
    known = isinstance(error, CoolingDown | ProviderUnavailable | Throttled) and error.wait_seconds
    return {"Retry-After": str(known)} if known else {}


def refusal(error: FreshetError, **headers: str) -> dict[str, Any]:
    """The gateway's form of an answer that tells of this error."""
    told = replace(problem(error), help=find_help(error) or msgspec.UNSET)
    fixed = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
    return {
        "statusCode": told.status,
        "headers": {**fixed, **retry_after(error), **headers},
        "body": msgspec.json.encode(told).decode(),
    }


def _next_allowed_at(error: FreshetError) -> str | msgspec.UnsetType:
    known = isinstance(error, CoolingDown) and error.next_allowed_at
    return iso(known) if known else msgspec.UNSET


def _connection_id(error: FreshetError) -> str | msgspec.UnsetType:
    known = isinstance(error, ConnectionExists) and error.connection_id
    return known or msgspec.UNSET


def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
