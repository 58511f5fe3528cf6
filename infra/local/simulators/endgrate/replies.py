"""Endgrate's Error object: a required `message`, and `errors` where they help.

Endgrate's API description types one error only, the 400 of a transfer that has not completed. Its
examples show two more messages; the others here are invented.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Response

INVALID_SESSION = "Invalid or expired session."
NOT_CONFIGURED = "Session not yet configured."
NOT_COMPLETED = "Transfer has not yet completed."


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
