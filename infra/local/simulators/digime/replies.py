"""digi.me's error object.

The SDKs read errors in two places: the Node SDK in the body, the Android SDK in the headers
`X-Error-Code`, `X-Error-Message` and `X-Error-Reference`. Both are always there.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

import msgspec
from werkzeug.wrappers import Response

from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.exceptions import HTTPException

ABSENT = "(absent)"
"""What a setting says of a field that is left out."""


def alter(fields: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """The fields with other values by name; `a.b` names the field `b` of the object `a`."""
    after = dict(fields)
    for path, value in changes.items():
        name, _, rest = path.partition(".")
        inner = after.get(name)
        if rest and isinstance(inner, dict):
            after[name] = alter(inner, {rest: value})
        elif value == ABSENT:
            after.pop(name, None)
        else:
            after[name] = value
    return after


# What went wrong, in digi.me's words; the last three are ours, where it has published none.
Code = Literal[
    "InvalidToken",
    "InvalidClient",
    "InvalidRefreshToken",
    "InvalidRequest",
    "InvalidRedirectUri",
    "ValidationErrors",
    "ScopeOutOfBounds",
    "InsufficientScope",
    "SessionInvalid",
    "TooManyRequests",
    "NotFound",
    "MethodNotAllowed",
    "InternalServerError",
]
_BY_STATUS: dict[int, Code] = {
    400: "InvalidRequest",
    401: "InvalidToken",
    403: "InsufficientScope",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "ValidationErrors",
    429: "TooManyRequests",
}


class ApiError(Exception):
    """Ends a call with an error object."""

    def __init__(self, status: int, code: Code, *, message: str) -> None:
        """Takes the HTTP status, the code, and a sentence without anything that was sent."""
        super().__init__(message)
        self.status = status
        self.code = code


def error_body(status: int) -> dict[str, object]:
    """The error object for a status that says no more than its name."""
    code = _BY_STATUS.get(status, "InternalServerError")
    return _body(code, message=HTTPStatus(status).phrase)


def refuse(problem: ApiError) -> Response:
    """The answer that an `ApiError` stands for."""
    return _set_body(reply(None, status=problem.status), _body(problem.code, message=str(problem)))


def refuse_http(problem: HTTPException) -> Response:
    """Unknown paths, wrong methods and the like, as error objects with their usual headers."""
    response = Response.force_type(problem.get_response())
    response.content_type = "application/json"
    return _set_body(response, error_body(response.status_code))


def _body(code: Code, *, message: str) -> dict[str, object]:
    reference = secrets.token_hex(16)
    return {"error": {"code": code, "message": message, "reference": reference}}


def _set_body(response: Response, body: dict[str, object]) -> Response:
    response.set_data(msgspec.json.encode(body))
    error = body["error"]
    if isinstance(error, dict):
        for name, value in error.items():
            response.headers[f"X-Error-{name.title()}"] = value
    return response
