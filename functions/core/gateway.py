"""What API Gateway answers by itself, before or instead of a door, as problems."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from functions.core.errors import Defect, InvalidRequest, NotFound, TooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping


class GatewayProblem(NamedTuple):
    """One answer. ``response`` is the gateway's name for it, ``kind`` ends the problem's type."""

    response: str
    status: HTTPStatus
    kind: str
    detail: str
    headers: Mapping[str, str] = MappingProxyType({})

    @property
    def body(self) -> dict[str, str | int]:
        """The problem document."""
        return {
            "type": f"urn:freshet:problem:{self.kind}",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
        }


GATEWAY_PROBLEMS: Final = (
    GatewayProblem(
        "UNAUTHORIZED",
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "A valid access token is needed.",
        headers={"WWW-Authenticate": "Bearer"},
    ),
    GatewayProblem(
        "ACCESS_DENIED",
        HTTPStatus.FORBIDDEN,
        "forbidden",
        "This access token does not open this address.",
    ),
    GatewayProblem(
        "MISSING_AUTHENTICATION_TOKEN",  # what the gateway calls an unknown address
        HTTPStatus.NOT_FOUND,
        "not-found",
        NotFound.text,
    ),
    GatewayProblem(
        "REQUEST_TOO_LARGE",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        TooLarge.text,
    ),
    GatewayProblem(
        "THROTTLED",
        HTTPStatus.TOO_MANY_REQUESTS,
        "throttled",
        "Too many requests. Try again later.",
        headers={"Retry-After": "1"},
    ),
    GatewayProblem(
        "INTEGRATION_FAILURE",
        HTTPStatus.BAD_GATEWAY,
        "unavailable",
        "The API could not answer. Try again later.",
    ),
    GatewayProblem(
        "INTEGRATION_TIMEOUT",
        HTTPStatus.GATEWAY_TIMEOUT,
        "timeout",
        "The API did not answer in time. What was asked for may have been done.",
    ),
    GatewayProblem(
        "DEFAULT_4XX",
        HTTPStatus.BAD_REQUEST,
        "invalid-request",
        InvalidRequest.text,
    ),
    GatewayProblem(
        "DEFAULT_5XX",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "defect",
        Defect.text,
    ),
)
