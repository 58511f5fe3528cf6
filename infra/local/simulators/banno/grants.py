"""Consents of users, and the codes and tokens that follow from them."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.local.simulators.banno.issuer import OFFLINE
from infra.local.simulators.oauth import challenge_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from infra.local.simulators.banno.institution import Person
    from infra.local.simulators.banno.settings import Settings
    from infra.local.simulators.ledger import Ledger

_CODE_SECONDS = 60
_PUSHED_SECONDS = 60


class OAuthError(Exception):
    """An error of RFC 6749 or its relatives: a code, a description, and the HTTP status."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        """Takes the registered error code and a sentence for the client's developer."""
        super().__init__(description)
        self.error = error
        self.status = status


@dataclass(slots=True, eq=False)
class Grant:
    """One consent: who allowed which client what. All its tokens die when it is revoked."""

    client_id: str
    user: Person
    scopes: tuple[str, ...]
    nonce: str | None = None
    id_claims: frozenset[str] = frozenset()
    userinfo_claims: frozenset[str] = frozenset()
    thumbprint: str | None = None
    revoked: bool = False


@dataclass(slots=True)
class _Code:
    grant: Grant
    redirect_uri: str
    challenge: str
    expires: float
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """The grant behind an access token; times in seconds since 1970."""

    grant: Grant
    scopes: tuple[str, ...]
    expires: float


@dataclass(slots=True)
class _Refresh:
    grant: Grant
    successors: list[_Refresh] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Pushed:
    client_id: str
    parameters: tuple[tuple[str, str], ...]
    expires: float


@dataclass(frozen=True, slots=True)
class Renewal:
    """A refresh request: the token, who presents it, and for which scopes (None: all)."""

    token: str
    client_id: str
    scopes: tuple[str, ...] | None
    thumbprint: str | None


class Grants:
    """The authorization server's memory."""

    def __init__(
        self, settings: Callable[[], Settings], *, clock: Callable[[], float], ledger: Ledger
    ) -> None:
        """Starts without any grant; `clock` tells the seconds since 1970."""
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forgets everything: no code or token given out so far is good any more."""
        with self._lock:
            self._codes: dict[str, _Code] = {}
            self._access: dict[str, Access] = {}
            self._refresh: dict[str, _Refresh] = {}
            self._pushed: dict[str, _Pushed] = {}

    def code(self, grant: Grant, *, redirect_uri: str, challenge: str) -> str:
        """A new authorization code, good for 60 seconds and for one use."""
        code = secrets.token_urlsafe(24)
        with self._lock:
            expires = self._clock() + _CODE_SECONDS
            self._codes[code] = _Code(grant, redirect_uri, challenge, expires)
        return code

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, verifier: str) -> Grant:
        """The grant behind a code. A code used twice revokes what the first use gave.

        Raises:
            OAuthError: `invalid_grant`, the code is not good for this.
        """
        with self._lock:
            kept = self._codes.get(code)
            if kept is None or kept.grant.client_id != client_id:
                raise OAuthError("invalid_grant", "the code is not known for this client")
            if kept.spent:
                self._end(kept.grant, because="a code was used twice")
                raise OAuthError("invalid_grant", "the code has been used")
            kept.spent = True
        if self._clock() > kept.expires:
            raise OAuthError("invalid_grant", "the code has expired")
        if redirect_uri != kept.redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri is not that of the authorization")
        if challenge_of(verifier) != kept.challenge:
            raise OAuthError("invalid_grant", "code_verifier does not match the challenge")
        return kept.grant

    def give_access(self, token: str, access: Access) -> None:
        """Makes an access token good."""
        with self._lock:
            self._access[token] = access

    def access(self, token: str) -> Access | None:
        """The grant behind an access token, while the token is good."""
        with self._lock:
            access = self._access.get(token)
        good = access is not None and access.expires > self._clock() and not access.grant.revoked
        return access if good else None

    def give_refresh(self, grant: Grant) -> str | None:
        """A first refresh token, if the grant has the scope for it."""
        if OFFLINE not in grant.scopes:
            return None
        with self._lock:
            return self._successor(_Refresh(grant))

    def has_refresh(self, token: str) -> Grant | None:
        """The grant behind a refresh token that is good and not spent."""
        with self._lock:
            kept = self._refresh.get(token)
        return kept.grant if kept and not (kept.successors or kept.grant.revoked) else None

    def renew(self, asked: Renewal) -> tuple[Grant, str]:
        """Spends a refresh token: the grant behind it and the token's successor.

        A token spent before revokes the grant, unless the grace is on and none of its successors
        has been used.

        Raises:
            OAuthError: `invalid_grant` or `invalid_scope`; nothing is spent then.
        """
        with self._lock:
            kept = self._refresh.get(asked.token)
            if kept is None or kept.grant.client_id != asked.client_id or kept.grant.revoked:
                raise OAuthError("invalid_grant", "the refresh token is not good")
            if kept.successors and not self._is_in_grace(kept):
                self._end(kept.grant, because="a spent refresh token was used")
                raise OAuthError("invalid_grant", "the refresh token has been used")
            if kept.grant.thumbprint not in {None, asked.thumbprint}:
                raise OAuthError("invalid_grant", "the refresh token is bound to another key")
            if not set(asked.scopes or ()) <= set(kept.grant.scopes):
                raise OAuthError("invalid_scope", "scope goes beyond what was granted")
            return kept.grant, self._successor(kept)

    def push(self, parameters: Iterable[tuple[str, str]], *, client_id: str) -> tuple[str, int]:
        """Keeps an authorization request; its `request_uri` and lifetime in seconds."""
        uri = f"urn:ietf:params:oauth:request_uri:{secrets.token_urlsafe(24)}"
        expires = self._clock() + _PUSHED_SECONDS
        with self._lock:
            self._pushed[uri] = _Pushed(client_id, tuple(parameters), expires)
        return uri, _PUSHED_SECONDS

    def take_pushed(self, uri: str, *, client_id: str) -> tuple[tuple[str, str], ...] | None:
        """The request kept under a `request_uri`, once, for the client that pushed it."""
        with self._lock:
            kept = self._pushed.pop(uri, None)
        good = kept is not None and kept.client_id == client_id and kept.expires > self._clock()
        return kept.parameters if kept and good else None

    def revoke(self, token: str, *, client_id: str) -> None:
        """Ends an access token, or a refresh token with all that belongs to its grant."""
        with self._lock:
            access, refresh = self._access.get(token), self._refresh.get(token)
            if access and access.grant.client_id == client_id:
                del self._access[token]
            if refresh and refresh.grant.client_id == client_id:
                for grant in self._find_related(refresh.grant):
                    self._end(grant, because="the client revoked it")

    def _find_related(self, grant: Grant) -> list[Grant]:
        """The grants that a revocation ends: one, or all of its user and client."""
        if not self._settings().revocation_ends_all:
            return [grant]
        key = (grant.client_id, grant.user.id)
        all_ = {id(kept.grant): kept.grant for kept in self._refresh.values()}.values()
        alive = (each for each in all_ if not each.revoked)
        return [each for each in alive if (each.client_id, each.user.id) == key]

    def drop_refresh(self, user_id: str) -> int:
        """Makes all refresh tokens of a user unknown; how many there were."""
        return self._drop(self._refresh, user_id)

    def drop_access(self, user_id: str) -> int:
        """Makes all access tokens of a user invalid at once; how many there were."""
        return self._drop(self._access, user_id)

    def _drop(self, tokens: dict[str, Access] | dict[str, _Refresh], user_id: str) -> int:
        with self._lock:
            dead = [token for token, kept in tokens.items() if kept.grant.user.id == user_id]
            for token in dead:
                del tokens[token]
        return len(dead)

    def _end(self, grant: Grant, *, because: str) -> None:
        grant.revoked = True
        at, user = self._clock(), grant.user.name
        self._ledger.add_event("grant_revoked", at=at, user=user, because=because)

    def _is_in_grace(self, kept: _Refresh) -> bool:
        used = any(successor.successors for successor in kept.successors)
        return self._settings().refresh_grace and not used

    def _successor(self, kept: _Refresh) -> str:
        token, successor = secrets.token_urlsafe(32), _Refresh(kept.grant)
        kept.successors.append(successor)
        self._refresh[token] = successor
        return token
