"""The states and errors of single accounts in a file list, in each of the shapes in circulation.

Of the codes only `ServiceAuthorizationError` is documented, with its status (the Node SDK's guide
Reauthorizing Account); the others are invented. `retryAfter` is taken to be an instant in
milliseconds since 1970, as the iOS SDK reads a date there, which in v1.6 must not be missing from
the nested shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from infra.local.simulators.digime.people import Failure
from infra.local.simulators.digime.settings import ErrorShape
from infra.local.simulators.digime.sync import State

if TYPE_CHECKING:
    from infra.local.simulators.digime.settings import Settings
    from infra.local.simulators.digime.sync import Sync


_TEXTS = {
    Failure.REAUTHORISE: ("ServiceAuthorizationError", 511, "Service authorization required"),
    Failure.RATE_LIMITED: ("RateLimitExceeded", 429, "The service allows no more for now"),
    Failure.UNAVAILABLE: ("ServiceUnavailable", 503, "The service can't be reached"),
}


@dataclass(frozen=True, slots=True)
class _Error:
    failure: Failure
    retry_after: int

    def shown(self, shape: ErrorShape) -> dict[str, object]:
        code, status, message = _TEXTS[self.failure]
        match shape:
            case ErrorShape.FLAT:
                flat = {"code": code, "statusCode": status, "message": message}
                return flat | self._hint()
            case ErrorShape.WIKI:
                return {"status": code, "statusCode": status, "message": message}
            case ErrorShape.NESTED:
                wants_user = {"reauth": True} if self.failure is Failure.REAUTHORISE else {}
                nested = {"message": message, **wants_user, "retryafter": self.retry_after}
                return {"code": code, "statuscode": status, "error": nested}
            case _:
                assert_never(shape)

    def _hint(self) -> dict[str, object]:
        match self.failure:
            case Failure.REAUTHORISE:
                return {"reauth": True}
            case Failure.RATE_LIMITED:
                return {"retryAfter": self.retry_after}
            case Failure.UNAVAILABLE:
                return {}
            case _:
                assert_never(self.failure)


def account_details(sync: Sync, now: float, *, settings: Settings) -> dict[str, object]:
    """`status.details`: by account id how far it is, and why it is `partial`."""
    retry_after = int((sync.ends + settings.retry_after_seconds) * 1000)
    details: dict[str, object] = {}
    for account in sync.accounts:
        state, failure = sync.account_state(account, now), sync.failure(account)
        detail: dict[str, object] = {"state": state}
        if state is State.PARTIAL and failure is not None:
            error = _Error(failure, retry_after)
            detail["error"] = error.shown(settings.error_shape)
        details[account.id] = detail
    return details
