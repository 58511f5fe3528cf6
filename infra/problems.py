"""The gateway's own answers, as the same kind of problem document (RFC 9457) as the door's."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from aws_cdk.aws_apigateway import ResponseType

from functions.core.errors import Defect, InvalidRequest, NotFound, TooLarge

if TYPE_CHECKING:
    from aws_cdk.aws_apigateway import RestApi


class Problem(NamedTuple):
    """What the gateway says; ``name`` becomes the end of the problem's type."""

    response: ResponseType
    status: HTTPStatus
    name: str
    detail: str


PROBLEMS: Final = (
    Problem(
        ResponseType.UNAUTHORIZED,
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "A valid access token is needed.",
    ),
    Problem(
        ResponseType.ACCESS_DENIED,
        HTTPStatus.FORBIDDEN,
        "forbidden",
        "This access token does not open this address.",
    ),
    Problem(
        ResponseType.MISSING_AUTHENTICATION_TOKEN,  # what the gateway calls an unknown address
        HTTPStatus.NOT_FOUND,
        "not-found",
        NotFound.text,
    ),
    Problem(
        ResponseType.REQUEST_TOO_LARGE,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        TooLarge.text,
    ),
    Problem(
        ResponseType.THROTTLED,
        HTTPStatus.TOO_MANY_REQUESTS,
        "throttled",
        "Too many requests. Try again later.",
    ),
    Problem(
        ResponseType.INTEGRATION_FAILURE,
        HTTPStatus.BAD_GATEWAY,
        "unavailable",
        "The API could not answer. Try again later.",
    ),
    Problem(
        ResponseType.INTEGRATION_TIMEOUT,
        HTTPStatus.GATEWAY_TIMEOUT,
        "timeout",
        "The API did not answer in time. What was asked for may have been done.",
    ),
    Problem(
        ResponseType.DEFAULT_4_XX,
        HTTPStatus.BAD_REQUEST,
        "invalid-request",
        InvalidRequest.text,
    ),
    Problem(
        ResponseType.DEFAULT_5_XX,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "defect",
        Defect.text,
    ),
)

HEADERS: Final = {"Content-Type": "'application/problem+json'", "Cache-Control": "'no-store'"}
MORE_HEADERS: Final = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "'Bearer'"},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": "'1'"},
}


def answer_with_problems(api: RestApi) -> None:
    """Replace every answer of the gateway's own."""
    for response, status, name, detail in PROBLEMS:
        problem = {
            "type": f"urn:freshet:problem:{name}",
            "title": status.phrase,
            "status": status,
            "detail": detail,
        }
        api.add_gateway_response(
            response.response_type.title().replace("_", ""),
            type=response,
            status_code=str(int(status)),
            response_headers=HEADERS | MORE_HEADERS.get(status, {}),
            # The gateway looks for this key; what the body is, the header says.
            templates={"application/json": json.dumps(problem, separators=(",", ":"))},
        )
