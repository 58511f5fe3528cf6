"""The answers that API Gateway gives by itself, before or instead of a function, as problems."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from functions.core.errors import Action, Defect, NotFound, PlatformFault, TooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping

UNAVAILABLE: Final = "unavailable"
"""How the type of a problem ends where AWS is at fault."""

UNAVAILABLE_SECONDS: Final = 5
"""When to try again then."""

CHALLENGE: Final = (
    'Bearer error="invalid_token", error_description="The access token is not good for this API."'
)
"""RFC 6750's challenge to a token that was refused. A gateway response's headers are fixed; its
body says more."""

NOT_CHECKED: Final = "The access token cannot be checked now. Try again later."


class GatewayProblem(NamedTuple):
    """One answer. ``response`` is the gateway's name for it, ``kind`` ends the problem's type.

    Without a ``status``, each of several cases has its own.
    """

    response: str
    status: int | None
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
        return {**told, "title": HTTPStatus(self.status).phrase, "status": self.status}


_FIX, _RETRY, _OPERATOR = Action.FIX_REQUEST, Action.RETRY, Action.CONTACT_OPERATOR
_SIGN_IN: Final = "unauthorized"
_SOON: Final = {"Retry-After": str(UNAVAILABLE_SECONDS)}
_NEEDED: Final = "A valid access token is needed."
_DENIED: Final = "$context.authorizer.detail"
_BUSY: Final = "Too many requests. Try again later."
_SLOW: Final = "The API did not answer in time. What was asked for may have been done."
_FILTERED: Final = "A filter before the API refuses this request. The operator knows its rules."
_NOT_JSON: Final = "The API takes bodies of application/json."
_USED_UP: Final = "The quota of requests is used up. Try again later."

GATEWAY_PROBLEMS: Final = (
    GatewayProblem("UNAUTHORIZED", 401, _SIGN_IN, _FIX, _NEEDED, {"WWW-Authenticate": "Bearer"}),
    # A denial by ``authorize``, which says why.
    GatewayProblem("ACCESS_DENIED", 401, _SIGN_IN, _FIX, _DENIED, {"WWW-Authenticate": CHALLENGE}),
    GatewayProblem("AUTHORIZER_FAILURE", 503, UNAVAILABLE, _RETRY, NOT_CHECKED, _SOON),
    GatewayProblem("AUTHORIZER_CONFIGURATION_ERROR", 503, UNAVAILABLE, _RETRY, NOT_CHECKED, _SOON),
    # An unknown address.
    GatewayProblem("MISSING_AUTHENTICATION_TOKEN", 404, "not-found", _FIX, NotFound.text),
    GatewayProblem("REQUEST_TOO_LARGE", 413, "too-large", _FIX, TooLarge.text),
    GatewayProblem("THROTTLED", 429, "throttled", _RETRY, _BUSY, {"Retry-After": "1"}),
    GatewayProblem("INTEGRATION_FAILURE", 503, UNAVAILABLE, _RETRY, PlatformFault.text, _SOON),
    GatewayProblem("INTEGRATION_TIMEOUT", 504, "timeout", _RETRY, _SLOW),
    GatewayProblem("WAF_FILTERED", 403, "filtered", _OPERATOR, _FILTERED),
    GatewayProblem("UNSUPPORTED_MEDIA_TYPE", 415, "unsupported-media-type", _FIX, _NOT_JSON),
    GatewayProblem("QUOTA_EXCEEDED", 429, "throttled", _RETRY, _USED_UP),
    GatewayProblem("DEFAULT_4XX", None, "refused", _FIX, "The status says why."),
    GatewayProblem("DEFAULT_5XX", None, "defect", Defect.action, Defect.text),
)
