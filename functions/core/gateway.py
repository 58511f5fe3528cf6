"""What API Gateway answers by itself, before or instead of a door, as problems."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from functions.core.errors import Action, Defect, NotFound, PlatformFault, TooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping

UNAVAILABLE: Final = "unavailable"
"""How the type of a problem ends that AWS has: the gateway's with a door, or a door's with AWS."""

UNAVAILABLE_SECONDS: Final = 5
"""When to come again then."""

CHALLENGE: Final = (
    'Bearer error="invalid_token", error_description="The access token is not good for this API."'
)
"""RFC 6750's challenge to a token that was refused. A gateway response's headers are fixed; its
body says more."""

NOT_CHECKED: Final = "The access token cannot be checked now. Try again later."


class GatewayProblem(NamedTuple):
    """One answer. ``response`` is the gateway's name for it, ``kind`` ends the problem's type.

    ``status`` None leaves each of several cases its own status.
    """

    response: str
    status: HTTPStatus | None
    kind: str
    action: Action
    detail: str
    headers: Mapping[str, str] = MappingProxyType({})

    @property
    def body(self) -> dict[str, str | int]:
        """The problem document."""
        told = {
            "type": f"urn:freshet:problem:{self.kind}",
            "detail": self.detail,
            "action": self.action,
        }
        if self.status is None:
            return {**told, "title": "Refused by the gateway"}
        return {**told, "title": self.status.phrase, "status": int(self.status)}


GATEWAY_PROBLEMS: Final = (
    GatewayProblem(
        "UNAUTHORIZED",
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        Action.FIX_REQUEST,
        "A valid access token is needed.",
        headers={"WWW-Authenticate": "Bearer"},
    ),
    GatewayProblem(
        "ACCESS_DENIED",  # what the gateway calls a denial by ``authorize``, which says why
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        Action.FIX_REQUEST,
        "$context.authorizer.detail",
        headers={"WWW-Authenticate": CHALLENGE},
    ),
    GatewayProblem(
        "AUTHORIZER_FAILURE",
        HTTPStatus.SERVICE_UNAVAILABLE,
        UNAVAILABLE,
        Action.RETRY,
        NOT_CHECKED,
        headers={"Retry-After": str(UNAVAILABLE_SECONDS)},
    ),
    GatewayProblem(
        "AUTHORIZER_CONFIGURATION_ERROR",
        HTTPStatus.SERVICE_UNAVAILABLE,
        UNAVAILABLE,
        Action.RETRY,
        NOT_CHECKED,
        headers={"Retry-After": str(UNAVAILABLE_SECONDS)},
    ),
    GatewayProblem(
        "MISSING_AUTHENTICATION_TOKEN",  # what the gateway calls an unknown address
        HTTPStatus.NOT_FOUND,
        "not-found",
        Action.FIX_REQUEST,
        NotFound.text,
    ),
    GatewayProblem(
        "REQUEST_TOO_LARGE",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        Action.FIX_REQUEST,
        TooLarge.text,
    ),
    GatewayProblem(
        "THROTTLED",
        HTTPStatus.TOO_MANY_REQUESTS,
        "throttled",
        Action.RETRY,
        "Too many requests. Try again later.",
        headers={"Retry-After": "1"},
    ),
    GatewayProblem(
        "INTEGRATION_FAILURE",
        HTTPStatus.SERVICE_UNAVAILABLE,
        UNAVAILABLE,
        Action.RETRY,
        PlatformFault.text,
        headers={"Retry-After": str(UNAVAILABLE_SECONDS)},
    ),
    GatewayProblem(
        "INTEGRATION_TIMEOUT",
        HTTPStatus.GATEWAY_TIMEOUT,
        "timeout",
        Action.RETRY,
        "The API did not answer in time. What was asked for may have been done.",
    ),
    GatewayProblem(
        "WAF_FILTERED",
        HTTPStatus.FORBIDDEN,
        "filtered",
        Action.CONTACT_OPERATOR,
        "A filter before the API refuses this request. The operator knows its rules.",
    ),
    GatewayProblem(
        "UNSUPPORTED_MEDIA_TYPE",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        Action.FIX_REQUEST,
        "The API takes bodies of application/json.",
    ),
    GatewayProblem(
        "QUOTA_EXCEEDED",
        HTTPStatus.TOO_MANY_REQUESTS,
        "throttled",
        Action.RETRY,
        "The quota of requests is used up. Try again later.",
    ),
    GatewayProblem("DEFAULT_4XX", None, "refused", Action.FIX_REQUEST, "The status says why."),
    GatewayProblem("DEFAULT_5XX", None, "defect", Defect.action, Defect.text),
)
