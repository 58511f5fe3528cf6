"""JSON answers, and Endgrate's Error object: a required `message`, and `errors` where they help.

Endgrate's API description types one error only, the 400 of a transfer that has not completed. Its
examples show two more messages; the others here are invented.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.exceptions import HTTPException

INVALID_SESSION = "Invalid or expired session."
NOT_CONFIGURED = "Session not yet configured."
NOT_COMPLETED = "Transfer has not yet completed."


def reply(payload: object, *, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(payload), status=status, content_type="application/json")


def error_body(status: int) -> dict[str, object]:
    """The Error object for a status that says no more than its name."""
    return {"message": HTTPStatus(status).phrase}


class ApiError(Exception):
    """Ends a call with an Error object."""

    def __init__(
        self, message: str, *, status: int = 400, errors: Mapping[str, str] | None = None
    ) -> None:
        """Takes the message, the HTTP status, and what is wrong by the place where it is."""
        super().__init__(message)
        self.status = status
        self.errors = errors


def refuse(problem: ApiError) -> Response:
    """The answer that an `ApiError` stands for."""
    errors = {"errors": problem.errors} if problem.errors else {}
    return reply({"message": str(problem), **errors}, status=problem.status)


def refuse_http(problem: HTTPException) -> Response:
    """Unknown paths, wrong methods and the like, as Error objects with their usual headers."""
    response = Response.force_type(problem.get_response())
    response.set_data(msgspec.json.encode(error_body(response.status_code)))
    response.content_type = "application/json"
    return response
