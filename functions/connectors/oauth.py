"""OAuth access tokens: which one to use, and how to get the next one without losing it.

Refresh tokens rotate: each may be used once, and a provider that sees one twice may revoke the
whole family. So one worker rotates at a time, by a lease that outlives any worker; what the
provider gives is persisted before it is used; and a version decides who came first.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from http import HTTPStatus
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from functions.connectors.http.answers import Answer, TokenRefused, decode, ends_early
from functions.connectors.http.client import DONE
from functions.core.errors import (
    ProviderRefusesApplication,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    Superseded,
    UnexpectedAnswer,
)
from functions.core.model import Credentials, StoredCredentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.connectors.http.client import Http
    from functions.core.ports import ConnectorPorts

T = TypeVar("T")

EARLY_SECONDS: Final = 60
"""A token that ends sooner than this is replaced before it is used."""

EARLY_SHARE: Final = 0.1
"""The most of a token's life that may be left when it is replaced: a short life is used, too."""

MAX_LIFE_SECONDS: Final = 10 * 365 * 24 * 60 * 60
"""A longer life is taken for a mistake (milliseconds, an instant): the end is not known then."""

EXCHANGE_SECONDS: Final = 5
"""What an exchange that has begun may take at least: where its answer is not heard, a token is
lost."""

_SIBLING_SECONDS: Final = 8
_SIBLING_GAP: Final = 0.5

_REFUSALS: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED})


class GrantRefused(Exception):  # noqa: N818 - an answer, which the token keeper handles
    """The token endpoint answered ``invalid_grant``: this refresh token is not good."""


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """The application as the provider knows it; without a secret it is a public client."""

    client_id: str
    client_secret: str | None = None


def exchange_refresh_token(
    http: Http, path: str, *, application: Application, refresh_token: str, at: float
) -> Credentials:
    """Exchange a refresh token at the token endpoint (RFC 6749 section 6).

    The token is spent by now, so nothing beside the two tokens can make the answer unreadable.
    An answer with a successor and without an access token gives ``access_token`` "".

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
        "POST",
        path,
        headers={},
        form=form,
        accept=DONE | _REFUSALS,
        least_seconds=EXCHANGE_SECONDS,
    )
    if answer.status in _REFUSALS:
        raise _refusal(answer)
    if ends_early(answer.body, status=answer.status):
        raise ProviderUnavailable
    told = _members(answer.body)
    access, successor = _text(told.get("access_token")), _text(told.get("refresh_token"))
    access = access.strip()
    if not (access.isascii() and access.isprintable()):  # no header can have it
        access = ""
    if not access and successor in {"", refresh_token}:
        raise UnexpectedAnswer
    life = seconds_in(told.get("expires_in"))
    return Credentials(
        access_token=access,
        refresh_token=successor or refresh_token,
        expires_at=at + life if life else 0,
    )


def seconds_in(value: object) -> float:
    """Read seconds in a token answer: a positive number, or the text of one; 0 for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return 0
    return seconds if seconds > 0 and isfinite(seconds) else 0


def _members(body: bytes) -> dict[str, Any]:
    """The members of a JSON object, also where it is JSON only by and large (NaN, odd bytes)."""
    try:
        told = json.loads(body.decode("utf-8-sig", errors="replace"), parse_int=float)
    except (ValueError, RecursionError):
        raise UnexpectedAnswer from None
    if not isinstance(told, dict):
        raise UnexpectedAnswer
    return told


def _text(value: object) -> str:
    """A text that can be kept, and sent in a form; for anything else an empty one."""
    with suppress(UnicodeEncodeError):  # half a character
        return value if isinstance(value, str) and value.encode() else ""
    return ""


def _refusal(answer: Answer) -> Exception:
    match decode(answer, _Refusal).error:
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

        What the provider has given to us and refuses at once is not replaced again; what a
        sibling or the user has put in place is.

        Raises:
            ReauthRequired: there is no good token and no way to get one.
            ProviderUnavailable: a new token is needed and cannot be had now.
            UnexpectedAnswer: the provider gave a successor without an access token. It is kept.
        """
        stored = self._known or self._ports.credentials.load(self._connection_id)
        ours = False
        if stored.dead or self._ends_soon(stored.credentials):
            stored, ours = self._rotate(stored)
        while True:
            self._known = stored
            try:
                return call(stored.credentials.access_token)
            except TokenRefused:
                if ours:
                    raise ReauthRequired from None
            stored, ours = self._rotate(stored)

    def _ends_soon(self, credentials: Credentials) -> bool:
        """Whether the access token is to be replaced before it is used."""
        if not credentials.access_token:
            return True
        began, ends = credentials.obtained_at, credentials.expires_at
        life = ends - began if began else inf
        margin = min(EARLY_SECONDS, life * EARLY_SHARE)
        return ends > 0 and ends - margin < self._ports.clock()

    def _rotate(self, stored: StoredCredentials) -> tuple[StoredCredentials, bool]:
        """The successor of these credentials, and whether we have made it, not someone else."""
        token = stored.credentials.refresh_token
        if stored.dead:
            raise ReauthRequired
        if token is None:
            return self._find_newer(stored), False
        moved = self._lease(stored)
        if moved is not None:
            return moved, False
        successor = self._successor(token)
        if successor is None:
            return self._find_newer(stored), False
        return self._store(successor, of=stored)

    def _successor(self, token: str) -> Credentials | None:
        """What the provider gives for a token; None where it does not take it.

        Whatever else becomes of the exchange, the right to rotate is given back.
        """
        at = self._ports.clock()
        with ExitStack() as exchange:
            exchange.push(self._release_lease)
            try:
                return _date(self._exchange_twice(token), at=at)
            except GrantRefused:
                return None

    def _release_lease(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None and issubclass(error, Exception):
            self._ports.credentials.release_lease(self._connection_id, owner=self._ports.owner)

    def _store(
        self, successor: Credentials, *, of: StoredCredentials
    ) -> tuple[StoredCredentials, bool]:
        """Store the successor, before anything else; what is newer than it wins."""
        try:
            self._ports.credentials.rotate(self._connection_id, version=of.version, to=successor)
        except Superseded:
            current = self._ports.credentials.load(self._connection_id)
            if current.version == of.version:
                raise
            return _require_alive(current), False
        if not successor.access_token:
            raise UnexpectedAnswer
        return StoredCredentials(credentials=successor, version=of.version + 1), True

    def _lease(self, stored: StoredCredentials) -> StoredCredentials | None:
        """None once the right to rotate is ours; else what a sibling has put in place."""
        patience = min(_SIBLING_SECONDS, self._ports.left())
        store, until = self._ports.credentials, self._ports.clock() + patience
        while not store.lease(self._connection_id, version=stored.version, owner=self._ports.owner):
            current = store.load(self._connection_id)
            if current.version != stored.version or current.dead:
                return _require_alive(current)
            if self._ports.clock() > until:
                raise ProviderUnavailable
            self._ports.sleep(_SIBLING_GAP)
        return None

    def _exchange_twice(self, token: str) -> Credentials:
        """One more try where the answer was lost: a provider with a grace period repeats it."""
        try:
            return self._exchange(token)
        except RateLimited:
            raise
        except ProviderUnavailable:
            return self._exchange(token)

    def _find_newer(self, stored: StoredCredentials) -> StoredCredentials:
        current = self._ports.credentials.load(self._connection_id)
        if current.version == stored.version:
            self._ports.credentials.mark_dead(self._connection_id, version=stored.version)
            raise ReauthRequired
        return _require_alive(current)


def _date(given: Credentials, *, at: float) -> Credentials:
    """What was asked for at this time; an end that cannot be is not known."""
    life = given.expires_at - at
    ends = given.expires_at if 0 < life <= MAX_LIFE_SECONDS else 0
    return replace(given, expires_at=ends, obtained_at=at if ends else 0)


def _require_alive(stored: StoredCredentials) -> StoredCredentials:
    if stored.dead:
        raise ReauthRequired
    return stored
