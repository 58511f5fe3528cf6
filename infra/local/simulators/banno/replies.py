"""Banno's Error object.

Banno's account aggregation reference defines the Error object: a required integer `errorCode` and a
string `messages`. Its troubleshooting page names the `x-request-id` header. Which code means what
is not published; 40 with 403 has been seen, the others are invented.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from infra.local.simulators import replies

if TYPE_CHECKING:
    from werkzeug.exceptions import HTTPException
    from werkzeug.wrappers import Response


def read_instant(text: str) -> float:
    """Reads an ISO 8601 instant as seconds since 1970.

    Raises:
        ValueError: not a date with a time, or without an offset from UTC.
    """
    instant = datetime.fromisoformat(text)
    if "T" not in text or instant.tzinfo is None:
        raise ValueError("an instant has a date, a time and an offset")
    return instant.timestamp()


_CODES = {400: 10, 401: 30, 403: 40, 404: 20, 405: 21}
_OTHER_CODE = 50


def error_body(status: int, message: str | None = None) -> dict[str, object]:
    """The Error object for a status, by default with the status's own name as its message."""
    code = _CODES.get(status, _OTHER_CODE)
    return {"errorCode": code, "messages": message or HTTPStatus(status).phrase}


class ApiError(Exception):
    """Ends a call to the Consumer API with an Error object."""

    def __init__(self, status: int, message: str, *, challenge: str | None = None) -> None:
        """Takes the HTTP status, the message, and what `WWW-Authenticate` says, if anything."""
        super().__init__(message)
        self.status = status
        self.challenge = challenge


def refuse(problem: ApiError) -> Response:
    """The answer that an `ApiError` stands for."""
    response = replies.reply(error_body(problem.status, str(problem)), status=problem.status)
    if problem.challenge is not None:
        response.headers["WWW-Authenticate"] = problem.challenge
    return _traceable(response)


def refuse_http(problem: HTTPException) -> Response:
    """Unknown paths, wrong methods and the like, as Error objects with their usual headers."""
    return _traceable(replies.refuse_http(problem, error_body))


def _traceable(response: Response) -> Response:
    response.headers["x-request-id"] = str(uuid.uuid4())
    return response
