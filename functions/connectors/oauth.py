"""OAuth access tokens: which one to use, and how to get the next one without losing it.

Refresh tokens rotate: each may be used once, and a provider that sees one twice may revoke the
whole family. So one worker rotates at a time, by a lease that outlives any worker; what the
provider gives is persisted before it is used; and a version decides who came first.
"""

from __future__ import annotations

from http import HTTPStatus
from math import isfinite
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from functions.connectors.http_answers import Answer, TokenRefused, decoded
from functions.core.errors import (
    FreshetError,
    ProviderRefusesApplication,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    UnexpectedAnswer,
)
from functions.core.model import Credentials, StoredCredentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.connectors.http import Http
    from functions.core.ports import ConnectorPorts

T = TypeVar("T")

EARLY_SECONDS: Final = 60
"""A token that ends sooner than this is replaced before it is used."""

MOST_SECONDS: Final = 1e11
"""No lifetime, and no instant in seconds since the epoch, is as large as this."""

_SIBLING_SECONDS: Final = 8
_SIBLING_GAP: Final = 0.5

_REFUSALS: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED})


class GrantRefused(Exception):  # noqa: N818 - an answer, which the token keeper handles
    """The token endpoint answered ``invalid_grant``: this refresh token is not good."""


class _Tokens(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float = 0
    refresh_token: str | None = None


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """The application as the provider knows it; without a secret it is a public client."""

    client_id: str
    client_secret: str | None = None


def seconds_in(field: msgspec.Raw) -> float:
    """Read the seconds in a field of a token answer: a number, or the text of one.

    A lifetime that cannot be read is unknown, and no reason to lose the token beside it.

    Returns:
        0, where the field holds nothing of that kind: null, a negative number, milliseconds.
    """
    try:
        seconds = float(msgspec.json.decode(field, type=float | str))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return 0
    return seconds if isfinite(seconds) and 0 < seconds < MOST_SECONDS else 0


def refreshed(
    http: Http, path: str, *, application: Application, refresh_token: str, at: float
) -> Credentials:
    """Exchange a refresh token at the token endpoint (RFC 6749 section 6).

    Raises:
        GrantRefused: the provider does not take the token.
        ProviderRefusesApplication: it does not take us.
        RateLimited, ProviderUnavailable, UnexpectedAnswer: as for any call. After
            ProviderUnavailable nobody knows whether the token was used up.
    """
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    form |= {"client_id": application.client_id}
    if application.client_secret:
        form |= {"client_secret": application.client_secret}
    answer = http.call(
        "POST", path, headers={}, form=form, accept=frozenset({HTTPStatus.OK, *_REFUSALS})
    )
    if answer.status in _REFUSALS:
        raise _refusal(answer)
    tokens = decoded(answer, _Tokens)
    return Credentials(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token or refresh_token,
        expires_at=at + tokens.expires_in if tokens.expires_in else 0,
    )


def _refusal(answer: Answer) -> Exception:
    match decoded(answer, _Refusal).error:
        case "invalid_grant":
            return GrantRefused()
        case "invalid_client" | "unauthorized_client":
            return ProviderRefusesApplication()
        case _:
            return UnexpectedAnswer()


class TokenKeeper:
    """Gives calls a good access token, for one connection.

    What it has opened it keeps: a fetch of a hundred pages asks the store and KMS once.
    """

    def __init__(
        self, ports: ConnectorPorts, *, connection_id: str, exchange: Callable[[str], Credentials]
    ) -> None:
        """Take the exchange of a refresh token for its successors."""
        self._ports = ports
        self._connection_id = connection_id
        self._exchange = exchange
        self._known: StoredCredentials | None = None

    def use(self, call: Callable[[str], T]) -> T:
        """Make the call with a token; after a 401, once more with a new one.

        Raises:
            ReauthRequired: there is no good token and no way to get one.
            ProviderUnavailable: a new token is needed and cannot be had now.
        """
        stored = self._known or self._ports.credentials.load(self._connection_id)
        ends = stored.credentials.expires_at
        if stored.dead or (ends and ends - EARLY_SECONDS < self._ports.clock()):
            stored = self._rotated(stored)
        self._known = stored
        try:
            return call(stored.credentials.access_token)
        except TokenRefused:
            self._known = stored = self._rotated(stored)
        try:
            return call(stored.credentials.access_token)
        except TokenRefused:
            raise ReauthRequired from None

    def _rotated(self, stored: StoredCredentials) -> StoredCredentials:
        """The successor of these credentials, made by us or by a sibling."""
        token = stored.credentials.refresh_token
        if stored.dead:
            raise ReauthRequired
        if token is None:
            return self._moved_or_dead(stored)
        moved = self._leased_or_moved(stored)
        if moved is not None:
            return moved
        try:
            successor = self._exchanged(token)
        except GrantRefused:
            return self._moved_or_dead(stored)
        except FreshetError:
            self._ports.credentials.unlease(self._connection_id, owner=self._ports.owner)
            raise
        self._ports.credentials.rotate(self._connection_id, version=stored.version, to=successor)
        return StoredCredentials(credentials=successor, version=stored.version + 1)

    def _leased_or_moved(self, stored: StoredCredentials) -> StoredCredentials | None:
        """None once the right to rotate is ours; else what a sibling has put in place."""
        store, until = self._ports.credentials, self._ports.clock() + _SIBLING_SECONDS
        while not store.lease(self._connection_id, version=stored.version, owner=self._ports.owner):
            current = store.load(self._connection_id)
            if current.version != stored.version or current.dead:
                return _alive(current)
            if self._ports.clock() > until:
                raise ProviderUnavailable
            self._ports.sleep(_SIBLING_GAP)
        return None

    def _exchanged(self, token: str) -> Credentials:
        """One more try where the answer was lost: a provider with a grace period repeats it."""
        try:
            return self._exchange(token)
        except RateLimited:
            raise
        except ProviderUnavailable:
            return self._exchange(token)

    def _moved_or_dead(self, stored: StoredCredentials) -> StoredCredentials:
        current = self._ports.credentials.load(self._connection_id)
        if current.version == stored.version:
            self._ports.credentials.bury(self._connection_id, version=stored.version)
            raise ReauthRequired
        return _alive(current)


def _alive(stored: StoredCredentials) -> StoredCredentials:
    if stored.dead:
        raise ReauthRequired
    return stored
