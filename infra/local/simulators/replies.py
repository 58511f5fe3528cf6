"""JSON answers of every simulator: its provider's endpoints, and those that control it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from werkzeug.exceptions import HTTPException

    ErrorBody = Callable[[int], Mapping[str, object]]


def stamp(instant: float) -> str:
    """Writes seconds since 1970 as `2026-01-31T23:59:59.123Z`; fractions of a ms are cut off."""
    return f"{datetime.fromtimestamp(instant, UTC).isoformat(timespec='milliseconds')[:-6]}Z"


def reply(payload: object, *, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(payload), status=status, content_type="application/json")


def refuse_http(problem: HTTPException, error_body: ErrorBody) -> Response:
    """Unknown paths, wrong methods and the like, with their usual headers and that error body."""
    response = Response.force_type(problem.get_response())
    response.set_data(msgspec.json.encode(error_body(response.status_code)))
    response.content_type = "application/json"
    return response
