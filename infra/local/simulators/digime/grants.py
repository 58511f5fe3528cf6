"""What applications have asked users for, what these consented to, and the codes in between."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.local.simulators.digime.replies import ApiError
from infra.local.simulators.pkce import challenge_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.simulators.digime.claims import AuthorizeClaims, CodeClaims
    from infra.local.simulators.digime.people import Person
    from infra.local.simulators.digime.sessions import Session

_CODE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Request:
    """What an application has asked a user for, and waits for.

    Attributes:
        asked: the claims of an authorization; None where a service is to be added.
        person: the user, where the application knows already whom it asks.
    """

    session: Session
    asked: AuthorizeClaims | None
    person: Person | None
    expires: float


@dataclass(frozen=True, slots=True)
class _Consent:
    asked: AuthorizeClaims
    person: Person
    expires: float


class Grants:
    """All requests for consent, and all consents not yet exchanged for tokens."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Starts with none; `clock` tells the seconds since 1970."""
        self._clock = clock
        self._lock = threading.Lock()
        self._requests: dict[str, Request] = {}
        self._consents: dict[str, _Consent] = {}

    def ask(
        self, session: Session, asked: AuthorizeClaims | None, *, person: Person | None
    ) -> tuple[str, int]:
        """A code with which the web client can be visited, once, and its end in seconds."""
        code, expires = secrets.token_urlsafe(32), self._clock() + _CODE_SECONDS
        with self._lock:
            self._requests[code] = Request(session, asked, person, expires)
        return code, int(expires)

    def visit(self, code: str) -> Request | None:
        """What the code is about; the code is spent with that."""
        with self._lock:
            request = self._requests.pop(code, None)
        return request if request and request.expires > self._clock() else None

    def consent(self, asked: AuthorizeClaims, *, person: Person) -> str:
        """A code that can be exchanged for tokens."""
        code = secrets.token_urlsafe(32)
        with self._lock:
            self._consents[code] = _Consent(asked, person, self._clock() + _CODE_SECONDS)
        return code

    def redeem(self, claims: CodeClaims) -> Person:
        """Whose consent the code stands for; it is spent even where the verifier does not fit.

        Raises:
            ApiError: 400; the code, the verifier or the redirect URI is wrong.
        """
        with self._lock:
            consent = self._consents.pop(claims.code, None)
        if consent is None or consent.expires <= self._clock():
            raise _refused("code is unknown, used or expired")
        if challenge_of(claims.code_verifier) != consent.asked.code_challenge:
            raise _refused("code_verifier does not fit the code_challenge")
        if claims.redirect_uri != consent.asked.redirect_uri:
            raise _refused("redirect_uri is not that of the authorization")
        return consent.person

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._requests.clear()
            self._consents.clear()


def _refused(message: str) -> ApiError:
    return ApiError(400, "InvalidRequest", message=message)
