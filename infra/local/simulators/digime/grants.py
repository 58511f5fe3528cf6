"""Consents of users, the codes in between, and the tokens that come of them."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from infra.local.simulators.digime.replies import ApiError
from infra.local.simulators.oauth import challenge_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.simulators.digime.claims import AuthorizeClaims, CodeClaims
    from infra.local.simulators.digime.people import Person
    from infra.local.simulators.digime.sessions import Session
    from infra.local.simulators.digime.settings import Settings


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    person: Person
    expires: int

    def to_json(self) -> dict[str, object]:
        return {"value": self.value, "expires_on": self.expires}


@dataclass(frozen=True, slots=True)
class Pair:
    """An access token and the refresh token that goes with it."""

    access: _Token
    refresh: _Token

    def claims(self) -> dict[str, object]:
        """As the JWT of a token reply tells them; `expires_on` in seconds since 1970."""
        person = self.access.person
        return {
            "access_token": self.access.to_json(),
            "refresh_token": self.refresh.to_json(),
            "identifier": {"id": person.id},
            "consentid": person.consent_id,
            "token_type": "Bearer",
        }


class Tokens:
    """All tokens that are still of use, by their values."""

    def __init__(self, settings: Callable[[], Settings], *, clock: Callable[[], float]) -> None:
        """Starts with none; `clock` tells the seconds since 1970."""
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._access: dict[str, _Token] = {}
        self._refresh: dict[str, _Token] = {}

    def issue(self, person: Person) -> Pair:
        """New tokens for a user; those from before stay of use."""
        with self._lock:
            return self._issue(person, refresh=self._new_refresh(person))

    def renew(self, refresh_token: str) -> Pair:
        """New tokens for a refresh token; with `rotate_refresh` the old one is spent.

        Raises:
            ApiError: 401; the refresh token is unknown, spent or expired.
        """
        with self._lock:
            held = self._refresh.get(refresh_token)
            if held is None or held.expires <= self._clock():
                message = "The refresh token is not valid"
                raise ApiError(401, self._settings().refresh_error_code, message=message)
            if not self._settings().rotate_refresh:
                return self._issue(held.person, refresh=held)
            del self._refresh[refresh_token]
            return self._issue(held.person, refresh=self._new_refresh(held.person))

    def holder(self, access_token: str) -> Person:
        """The user of an access token.

        Raises:
            ApiError: 401, it is unknown or has expired.
        """
        held = self._access.get(access_token)
        if held is None or held.expires <= self._clock():
            raise ApiError(401, "InvalidToken", message="The access token is not valid")
        return held.person

    def is_good(self, access_token: str | None, *, person: Person) -> bool:
        """True if it is a user's access token and has not expired."""
        held = self._access.get(access_token or "")
        return held is not None and held.person is person and held.expires > self._clock()

    def drop(self, kind: Literal["access", "refresh"], *, person: Person) -> int:
        """Makes all tokens of a kind void for a user; answers how many those are."""
        held = self._access if kind == "access" else self._refresh
        with self._lock:
            dropped = [value for value, token in held.items() if token.person is person]
            for value in dropped:
                del held[value]
        return len(dropped)

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._access.clear()
            self._refresh.clear()

    def _issue(self, person: Person, *, refresh: _Token) -> Pair:
        access = self._make(person, seconds=self._settings().access_seconds)
        self._access[access.value] = access
        return Pair(access, refresh)

    def _new_refresh(self, person: Person) -> _Token:
        refresh = self._make(person, seconds=self._settings().refresh_seconds)
        self._refresh[refresh.value] = refresh
        return refresh

    def _make(self, person: Person, *, seconds: int) -> _Token:
        return _Token(secrets.token_urlsafe(48), person, int(self._clock()) + seconds)


_CODE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Request:
    """A request of an application to a user, which waits for consent.

    Attributes:
        asked: the claims of an authorization; None where a service is to be added.
        person: the user, where the application knows already which one it asks.
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

    def find(self, code: str) -> Request | None:
        """The request that a code stands for."""
        with self._lock:
            return self._if_good(self._requests.get(code))

    def visit(self, code: str) -> Request | None:
        """Spend a code and return its request."""
        with self._lock:
            return self._if_good(self._requests.pop(code, None))

    def _if_good(self, request: Request | None) -> Request | None:
        return request if request and request.expires > self._clock() else None

    def consent(self, asked: AuthorizeClaims, *, person: Person) -> str:
        """A code that can be exchanged for tokens."""
        code = secrets.token_urlsafe(32)
        with self._lock:
            self._consents[code] = _Consent(asked, person, self._clock() + _CODE_SECONDS)
        return code

    def redeem(self, claims: CodeClaims) -> Person:
        """Spend a code and return the user who consented, even where the verifier does not fit.

        Raises:
            ApiError: 400; the code, the verifier or the redirect URI is wrong.
        """
        with self._lock:
            consent = self._consents.pop(claims.code, None)
        if consent is None or consent.expires <= self._clock():
            raise _refusal("code is unknown, used or expired")
        if challenge_of(claims.code_verifier) != consent.asked.code_challenge:
            raise _refusal("code_verifier does not fit the code_challenge")
        if claims.redirect_uri != consent.asked.redirect_uri:
            raise _refusal("redirect_uri is not that of the authorization")
        return consent.person

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._requests.clear()
            self._consents.clear()


def _refusal(message: str) -> ApiError:
    return ApiError(400, "InvalidRequest", message=message)
