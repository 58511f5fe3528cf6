"""Keeps OAuth tokens: which one to use, and how to get the next one without losing it.

Refresh tokens rotate: each may be used once, and a provider that sees one twice may revoke the
whole family. So one worker rotates at a time, by a lease that outlives any worker; what the
provider gives is stored before it is used; and a version decides who came first.
"""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import ExitStack, suppress
from http import HTTPStatus
from math import inf, isfinite
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar
from urllib.parse import quote_plus

import msgspec
from msgspec.structs import replace

from functions.connectors.http.answers import Answer, TokenRefused, decode, ends_early
from functions.connectors.http.client import DONE, JSON, OK, Http
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
    from collections.abc import Callable, Container, Mapping

    from functions.core.contract import Scalar
    from functions.core.errors import FreshetError
    from functions.core.ports import ConnectorPorts

T = TypeVar("T")

EARLY_SECONDS: Final = 60
"""A token that ends sooner than this is replaced before it is used."""

EARLY_SHARE: Final = 0.1
"""The most of a token's life that may be left when it is replaced: a short life is used, too."""

MAX_LIFE_SECONDS: Final = 10 * 365 * 24 * 60 * 60
"""A longer life is taken for a mistake (milliseconds, an instant): the end is not known then."""

EXCHANGE_SECONDS: Final = 5
"""The least that an exchange may take: where its answer is not heard, a token is lost."""

_SIBLING_SECONDS: Final = 8
_SIBLING_GAP: Final = 0.5

_REFUSALS: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED})


class GrantRefused(Exception):  # noqa: N818 - an answer, which the token keeper handles
    """The token endpoint answered ``invalid_grant``: this refresh token is not good."""


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's address, and our client there; without a secret, a public client.

    ``token_endpoint_auth_method`` is how it sends its secret, by its name of RFC 7591.
    """

    base_url: str
    client_id: str
    client_secret: str | None = None
    token_endpoint_auth_method: Literal["client_secret_post", "client_secret_basic"] = (
        "client_secret_post"  # noqa: S105 - the name of a method
    )


class CodeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a code was exchanged for; ``scope`` None: it is as it was asked for."""

    credentials: Credentials
    id_token: str
    scope: str | None


def exchange_refresh_token(
    http: Http, path: str, *, client: Client, refresh_token: str, at: float
) -> Credentials:
    """Exchange a refresh token at the token endpoint (RFC 6749 section 6).

    The token is spent by now, so nothing beside the two tokens can make the answer unreadable.
    An answer with a successor and without an access token gives ``access_token`` "".

    Raises:
        GrantRefused: the provider does not take the token.
        ProviderRefusesApplication: it does not take us.
        RateLimited, ProviderUnavailable, UnexpectedAnswer: as for any call. After
            ProviderUnavailable the token may be used up or not.
    """
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    told = _exchange(http, path, client=client, form=form)
    return _read_credentials(told, spent=refresh_token, at=at)


def exchange_code(
    http: Http, path: str, *, client: Client, form: Mapping[str, str], at: float
) -> CodeAnswer:
    """Exchange a code, which ``form`` has with its verifier, once (RFC 6749 section 4.1.3).

    Raises:
        GrantRefused: the provider does not take the code.
        ProviderRefusesApplication, RateLimited, ProviderUnavailable, UnexpectedAnswer: as for a
            refresh token.
    """
    form = {"grant_type": "authorization_code", **form}
    told = _exchange(http, path, client=client, form=form)
    scope = told.get("scope")
    if isinstance(scope, list):  # as some servers have it
        scope = " ".join(map(str, scope))
    return CodeAnswer(
        credentials=date_credentials(_read_credentials(told, spent=None, at=at), at=at),
        id_token=_to_text(told.get("id_token")),
        scope=scope if isinstance(scope, str) else None,
    )


def _exchange(http: Http, path: str, *, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
    answer = _post(http, path, client, form=form, least_seconds=EXCHANGE_SECONDS)
    if ends_early(answer.body, status=answer.status):
        raise ProviderUnavailable
    return _read_members(answer.body)


def _read_credentials(told: Mapping[str, Any], *, spent: str | None, at: float) -> Credentials:
    access, successor = _to_text(told.get("access_token")), _to_text(told.get("refresh_token"))
    access = access.strip()
    if not (access.isascii() and access.isprintable()):  # no header can have it
        access = ""
    if not access and successor in {"", spent}:
        raise UnexpectedAnswer
    life = seconds_in(told.get("expires_in"))
    return Credentials(
        access_token=access,
        refresh_token=successor or spent,
        expires_at=at + life if life else 0,
    )


def revoke_token(http: Http, path: str, *, client: Client, credentials: Credentials) -> None:
    """Revoke the refresh token, or where there is none the access token (RFC 7009 section 2).

    Raises:
        GrantRefused: the provider says that the token is none.
        ProviderRefusesApplication: it does not take us.
        RateLimited, ProviderUnavailable, UnexpectedAnswer: as for any call.
    """
    refresh = credentials.refresh_token
    form = {
        "token": refresh or credentials.access_token,
        "token_type_hint": "refresh_token" if refresh else "access_token",
    }
    # The body of a 200 says nothing, and may be empty.
    _post(http, path, client, form=form, accept="*/*")


def _post(
    http: Http,
    path: str,
    client: Client,
    *,
    form: Mapping[str, str],
    accept: str = JSON,
    least_seconds: float = 0,
) -> Answer:
    """Send a form with the client's id and secret (RFC 6749 section 2.3.1)."""
    id_, secret = client.client_id, client.client_secret
    headers = {"Accept": accept}
    if secret and client.token_endpoint_auth_method == "client_secret_basic":  # noqa: S105
        pair = f"{quote_plus(id_)}:{quote_plus(secret)}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    else:
        form = {**form, "client_id": id_, **({"client_secret": secret} if secret else {})}
    answer = http.call(
        "POST",
        path,
        headers=headers,
        form=form,
        accept=DONE | _REFUSALS,
        least_seconds=least_seconds,
    )
    if answer.status in _REFUSALS:
        raise _refusal(answer)
    return answer


def seconds_in(value: object) -> float:
    """Read seconds in a token answer: a positive number, or the text of one; 0 for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return 0
    return seconds if seconds > 0 and isfinite(seconds) else 0


def _read_members(body: bytes) -> dict[str, Any]:
    """The members of a JSON object, also of one with NaN or odd bytes."""
    try:
        told = json.loads(body.decode("utf-8-sig", errors="replace"), parse_int=float)
    except (ValueError, RecursionError):
        raise UnexpectedAnswer from None
    if not isinstance(told, dict):
        raise UnexpectedAnswer
    return told


def _to_text(value: object) -> str:
    """A text that can be stored and sent in a form; for anything else an empty one."""
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
    """Gives the calls of one connection, from any thread, a good access token.

    It keeps what it has opened: a fetch of a hundred pages asks the store and KMS once.
    """

    def __init__(
        self, ports: ConnectorPorts, *, connection_id: str, exchange: Callable[[str], Credentials]
    ) -> None:
        """Take the exchange of a refresh token for its successors."""
        self._ports, self._store = ports, ports.credentials
        self._connection_id, self._exchange = connection_id, exchange
        self._known: StoredCredentials | None = None
        self._untried: StoredCredentials | None = None
        """Credentials that were made here, until a call has succeeded with them."""
        self._lock = Lock()

    def use(self, call: Callable[[str], T]) -> T:
        """Make the call with a token; after a 401, once more with a new one.

        What the provider has given to us and refuses at once is not replaced again; what a
        sibling or the user has put in place is.

        Raises:
            ReauthRequired: there is no good token and no way to get one.
            ProviderUnavailable: a new token is needed and cannot be had now.
            UnexpectedAnswer: the provider gave a successor without an access token. It is kept.
        """
        refused = None
        while True:
            refused = stored = self._find(refused=refused)
            try:
                answer = call(stored.credentials.access_token)
            except TokenRefused:
                if stored is self._untried:
                    raise ReauthRequired from None
            else:
                self._untried = None if stored is self._untried else self._untried
                return answer

    def renew(self) -> None:
        """Exchange the refresh token, if there is one, though the access token may be good.

        Raises:
            ReauthRequired, ProviderUnavailable, UnexpectedAnswer: as for ``use``.
        """
        stored = self._store.load(self._connection_id, fresh=False)
        if stored.credentials.refresh_token is not None:
            self._rotate(stored)

    def _find(self, *, refused: StoredCredentials | None) -> StoredCredentials:
        """Credentials that are good as far as we know, and are not those that were refused."""
        with self._lock:
            stored = self._known or self._store.load(self._connection_id, fresh=False)
            if stored is refused or stored.dead or self._ends_soon(stored.credentials):
                stored = self._rotate(stored)
            self._known = stored
            return stored

    def _ends_soon(self, credentials: Credentials) -> bool:
        """Tell whether the access token is to be replaced before it is used."""
        if not credentials.access_token:
            return True
        began, ends = credentials.obtained_at, credentials.expires_at
        life = ends - began if began else inf
        margin = min(EARLY_SECONDS, life * EARLY_SHARE)
        return ends > 0 and ends - margin < self._ports.clock()

    def _rotate(self, stored: StoredCredentials) -> StoredCredentials:
        """Put a successor in place, or take the one that a sibling has put there."""
        token = stored.credentials.refresh_token
        if stored.dead:
            raise ReauthRequired
        if token is None:
            return self._find_newer(stored)
        if (newer := self._lease(stored)) is not None:
            return newer
        successor = self._exchange_leased(token)
        return self._keep(successor, of=stored) if successor else self._find_newer(stored)

    def _exchange_leased(self, token: str) -> Credentials | None:
        """The successor of a token; None where the provider does not take it.

        Where the exchange fails otherwise, the lease is given back.
        """
        at = self._ports.clock()
        with ExitStack() as exchange:
            exchange.push(self._release_lease)
            try:
                return date_credentials(self._exchange_twice(token), at=at)
            except GrantRefused:
                return None

    def _release_lease(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None and issubclass(error, Exception):
            self._store.release_lease(self._connection_id, owner=self._ports.owner)

    def _keep(self, successor: Credentials, *, of: StoredCredentials) -> StoredCredentials:
        """Store the successor, before anything else; what is newer than it wins.

        What came with the consent stays beside the tokens.
        """
        successor = replace(successor, session_key=of.credentials.session_key)
        try:
            self._store.rotate(self._connection_id, version=of.version, to=successor)
        except Superseded:
            current = self._store.load(self._connection_id)
            if current.version == of.version:
                raise
            return _require_alive(current)
        if not successor.access_token:
            raise UnexpectedAnswer
        self._untried = StoredCredentials(credentials=successor, version=of.version + 1)
        return self._untried

    def _lease(self, stored: StoredCredentials) -> StoredCredentials | None:
        """None once the right to rotate is ours; else what a sibling has put in place."""
        ports, version = self._ports, stored.version
        until = ports.clock() + min(_SIBLING_SECONDS, ports.left())
        while not self._store.lease(self._connection_id, version=version, owner=ports.owner):
            current = self._store.load(self._connection_id)
            if current.version != version or current.dead:
                return _require_alive(current)
            if ports.clock() > until:
                raise ProviderUnavailable
            ports.sleep(_SIBLING_GAP)
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
        current = self._store.load(self._connection_id)
        if current.version == stored.version:
            self._store.mark_dead(self._connection_id, version=stored.version)
            raise ReauthRequired
        return _require_alive(current)


def date_credentials(given: Credentials, *, at: float) -> Credentials:
    """Date credentials that were asked for at this time; an end that cannot be is not known."""
    life = given.expires_at - at
    ends = given.expires_at if 0 < life <= MAX_LIFE_SECONDS else 0
    return replace(given, expires_at=ends, obtained_at=at if ends else 0)


def _require_alive(stored: StoredCredentials) -> StoredCredentials:
    if stored.dead:
        raise ReauthRequired
    return stored


class BearerHttp:
    """Calls below one path of a provider, with a connection's access token."""

    def __init__(
        self,
        ports: ConnectorPorts,
        *,
        connection_id: str,
        client: Client,
        path: str,
        exchange_path: str,
    ) -> None:
        """Take where the calls go, and the path of the token endpoint."""
        http = Http(client.base_url, clock=ports.clock, budget=ports.budget, left=ports.left)

        def exchange(token: str) -> Credentials:
            return exchange_refresh_token(
                http, exchange_path, client=client, refresh_token=token, at=ports.clock()
            )

        self._http, self._path = http, path
        self._keeper = TokenKeeper(ports, connection_id=connection_id, exchange=exchange)

    def renew(self) -> None:
        """Exchange the connection's refresh token, as ``TokenKeeper.renew`` does."""
        self._keeper.renew()

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Scalar] | None = None,
        refusals: Mapping[int, type[FreshetError]] | None = None,
        accept: Container[int] = OK,
        at_once: bool = False,
    ) -> Answer:
        """Send a request as ``Http.call`` does, with a token as ``TokenKeeper.use`` has it."""
        return self._keeper.use(
            lambda token: self._http.call(
                method,
                self._path + path,
                headers={"Authorization": f"Bearer {token}"},
                params=params,
                refusals=refusals,
                accept=accept,
                at_once=at_once,
            )
        )
