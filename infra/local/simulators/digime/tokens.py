"""Access and refresh tokens: whose they are, and until when."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from infra.local.simulators.digime.replies import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.simulators.digime.people import Person
    from infra.local.simulators.digime.settings import Settings


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    person: Person
    expires: int

    def shown(self) -> dict[str, object]:
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
            "access_token": self.access.shown(),
            "refresh_token": self.refresh.shown(),
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
            return self._issued(person, refresh=self._new_refresh(person))

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
                return self._issued(held.person, refresh=held)
            del self._refresh[refresh_token]
            return self._issued(held.person, refresh=self._new_refresh(held.person))

    def holder(self, access_token: str) -> Person:
        """Whose access token it is.

        Raises:
            ApiError: 401, it is unknown or has expired.
        """
        held = self._access.get(access_token)
        if held is None or held.expires <= self._clock():
            raise ApiError(401, "InvalidToken", message="The access token is not valid")
        return held.person

    def is_good(self, access_token: str | None, *, person: Person) -> bool:
        """Whether it is a user's access token and has not expired."""
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

    def _issued(self, person: Person, *, refresh: _Token) -> Pair:
        access = self._made(person, seconds=self._settings().access_seconds)
        self._access[access.value] = access
        return Pair(access, refresh)

    def _new_refresh(self, person: Person) -> _Token:
        refresh = self._made(person, seconds=self._settings().refresh_seconds)
        self._refresh[refresh.value] = refresh
        return refresh

    def _made(self, person: Person, *, seconds: int) -> _Token:
        return _Token(secrets.token_urlsafe(48), person, int(self._clock()) + seconds)
