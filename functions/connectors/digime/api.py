"""The calls of digi.me's Private Sharing API v1.6.

After digi.me's guides Token, Sync and Querying Data and its SDKs for v1.6. A library is read with
no credentials but the session's key, which stands in the address: that key is a secret.
"""

from __future__ import annotations

import re
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

from functions.connectors.digime.answers import (
    MEANINGS,
    Authorized,
    Listing,
    Referred,
    Session,
    Signed,
    Tokens,
    Triggered,
    code,
    query_refusal,
    refusal,
)
from functions.connectors.digime.tokens import keys, random_text
from functions.connectors.http.answers import Answer, TokenRefused, decode, read_leniently
from functions.connectors.http.client import DONE, Http
from functions.connectors.key_sets import fetch_keys
from functions.connectors.oauth import EXCHANGE_SECONDS, GrantRefused
from functions.connectors.sign_in import challenge_of
from functions.core.errors import (
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    RateLimited,
    UnexpectedAnswer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.connectors.digime.tokens import Application
    from functions.connectors.http.answers import Download
    from functions.core.model import Credentials
    from functions.core.ports import ConnectorPorts

    Params = Mapping[str, object]

T = TypeVar("T")

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""How large a file may be as it is downloaded."""

AGENT: Final = {"agent": {"sdk": {"name": "freshet", "version": "1", "meta": {}}}}
"""The body of an authorization request."""

_NOT_OURS: Final = frozenset(
    {"InvalidToken", "TokenInvalid", "InvalidClient", "InvalidRedirectUri"}
)
"""Codes that refuse a request's signature or application."""

_PARAMS_REFUSED: Final = frozenset({"ScopeOutOfBounds", "ValidationErrors"})
"""Codes that refuse a trigger's params, where it has any."""

_STATUS: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_WELL: Final = frozenset({"ok", "active", "current", "supported"})
"""The pattern of a name of the API's status, and names that tell of no end."""

# These refusals are read, as an error's code says more than the status.
_REFUSED: Final = frozenset(range(400, 500)) - {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
}
_ANSWERED: Final = frozenset({HTTPStatus.OK, *_REFUSED})

_OURS: Final = ProviderRefusesApplication | RateLimited
"""What a refusal is told as, whatever was asked."""


class Api:
    """Calls in the name of one application."""

    def __init__(self, application: Application, ports: ConnectorPorts) -> None:
        """Take the application, and the clock, budget and time for its calls."""
        self._application, self._clock, self._budget = application, ports.clock, ports.budget
        self._http = Http(
            application.base_url, clock=ports.clock, budget=ports.budget, left=ports.left
        )
        self._note_deprecation = ports.note_deprecation
        self._keys = keys(application.base_url)
        self._fetch_keys = partial(fetch_keys, self._http, "/jwks/oauth")

    def trigger(
        self, access_token: str, *, session_key: str | None, params: Params
    ) -> Session | None:
        """Start a refresh. The guide Sync has no body in the answer, the SDKs have a session.

        Raises:
            ProviderRefusesConnection: digi.me does not take the params.
            TokenRefused: the access token is not good.
            SessionLost: the session that ``session_key`` names is not.
            ConsentMissing, ProviderRefusesApplication: the error's code says so.
        """
        claims = {"access_token": access_token}
        claims |= {"session_key": session_key} if session_key else {}
        answer = self._send("/permission-access/trigger", claims, json=params or None)
        if answer.status not in DONE:
            if params and code(answer) in _PARAMS_REFUSED:
                raise ProviderRefusesConnection
            raise self._pause_if_limited(refusal(answer, at=self._clock()))
        return decode(answer, Triggered).session if answer.body.strip() else None

    def authorize(self, *, challenge: str, state: str, pull: Params) -> tuple[str, Session | None]:
        """Ask for an authorization: the code for the web client, and a session.

        Args:
            challenge: of the verifier (RFC 7636).
            state: comes back with the user.
            pull: what is to be shared; nothing: all that the contract has.

        Raises:
            ProviderRefusesApplication: digi.me does not take the application.
        """
        answer = self._authorize(challenge=challenge, state=state, pull=pull)
        if answer.status not in DONE:
            problem = self._pause_if_limited(refusal(answer, at=self._clock()))
            if isinstance(problem, TokenRefused):  # no token was sent
                raise ProviderRefusesApplication
            raise problem if isinstance(problem, _OURS) else UnexpectedAnswer()
        code = self._read_signed(answer, Authorized).preauthorization_code
        told = read_leniently(answer.body, Triggered)
        return code, told.session if told else None

    def refer(self, access_token: str) -> str:
        """Ask for the code with which a known user adds a source in the web client.

        Raises:
            TokenRefused: the access token is not good.
            ProviderRefusesApplication: digi.me does not take the application.
        """
        answer = self._send("/oauth/token/reference", {"access_token": access_token})
        self._require_done(answer)
        return self._read_signed(answer, Referred).reference_code

    def exchange(self, refresh_token: str) -> Credentials:
        """Exchange a refresh token. The keys that verify the answer are fetched before it is spent.

        Raises:
            GrantRefused: the token is not good.
            ProviderRefusesApplication: digi.me does not take the application.
        """
        claims = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._exchange(claims).credentials(spent=refresh_token)

    def exchange_code(self, code: str, *, verifier: str) -> Tokens:
        """Exchange a consent's code, once. The keys are fetched before it is spent.

        Raises:
            GrantRefused: the code is not good.
            ProviderRefusesApplication: digi.me does not take the application.
        """
        claims = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        return self._exchange(claims)

    def _exchange(self, claims: dict[str, str]) -> Tokens:
        self._keys.warm(self._fetch_keys, at=self._clock())
        answer = self._send("/oauth/token", claims, least_seconds=EXCHANGE_SECONDS)
        if answer.status not in DONE:
            raise self._grant_refusal(answer)
        return self._read_signed(answer, Tokens)

    def _read_signed(self, answer: Answer, shape: type[T]) -> T:
        signed = decode(answer, Signed).token
        return self._keys.claims(signed, shape, fetch=self._fetch_keys, at=self._clock())

    def delete_user(self, access_token: str) -> None:
        """Delete what the user has in the library, as the Node SDK's ``deleteUser`` does.

        Raises:
            TokenRefused: the access token is not good.
            ProviderRefusesApplication: digi.me does not take the application.
        """
        answer = self._send("/user", {"access_token": access_token}, method="DELETE")
        self._require_done(answer)

    def _require_done(self, answer: Answer) -> None:
        if answer.status not in DONE:
            problem = self._pause_if_limited(refusal(answer, at=self._clock()))
            told = isinstance(problem, TokenRefused | _OURS)
            raise problem if told else UnexpectedAnswer()

    def listing(self, session_key: str) -> Listing:
        """List the library: how far the refresh is, and the files there are so far.

        Raises:
            SessionLost: the session has expired, or there never was one.
            ConsentMissing, ProviderRefusesApplication, RateLimited: the error's code says so.
        """
        answer = self._http.call(
            "GET",
            f"/permission-access/query/{quote(session_key, safe='')}",
            headers={"Accept": "application/json"},
            accept=_ANSWERED,
        )
        self._note_status(answer)
        if answer.status != HTTPStatus.OK:
            raise self._pause_if_limited(query_refusal(answer, at=self._clock()))
        return decode(answer, Listing)

    def download(self, session_key: str, name: str) -> Download | None:
        """Download a sealed file, for the caller to close; None while it is not ready.

        Raises:
            SessionLost, ConsentMissing, ProviderRefusesApplication: as for ``listing``.
            AnswerTooLarge: it is over ``MAX_FILE_BYTES``.
        """
        answer = self._http.download(
            f"/permission-access/query/{quote(session_key, safe='')}/{quote(name, safe='')}",
            headers={"Accept": "application/octet-stream", "Accept-Encoding": "identity"},
            most=MAX_FILE_BYTES,
            accept=_ANSWERED,
        )
        if answer.status == HTTPStatus.OK:
            return answer
        with answer.body as body:
            refused = Answer(status=answer.status, headers=answer.headers, body=body.read())
        if MEANINGS.get(code(refused), TokenRefused) is TokenRefused:
            if refused.status == HTTPStatus.NOT_FOUND:
                return None
            self.listing(session_key)  # where the session still lists, it is about the file
            raise UnexpectedAnswer
        raise self._pause_if_limited(query_refusal(refused, at=self._clock()))

    def _note_status(self, answer: Answer) -> None:
        """Tell the operator what digi.me says of its API, if it is not well.

        The iOS SDK shows the header to developers; no document has its values.
        """
        status = answer.headers.get("x-digi-sdk-status", "")
        if status and status.lower() not in _WELL:
            self._note_deprecation(status if _STATUS.fullmatch(status) else "unnamed")

    def _pause_if_limited(self, problem: Exception) -> Exception:
        """Pause the provider's budget where the problem is a rate limit; return the problem."""
        if isinstance(problem, RateLimited) and self._budget is not None:
            self._budget.pause(problem.wait_seconds)
        return problem

    def _send(
        self,
        path: str,
        claims: dict[str, str],
        *,
        method: str = "POST",
        json: Mapping[str, object] | None = None,
        least_seconds: float = 0,
    ) -> Answer:
        token = self._application.sign(claims, at=self._clock())
        answer = self._http.call(
            method,
            path,
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            json=json,
            accept=DONE | _REFUSED,
            least_seconds=least_seconds,
        )
        self._note_status(answer)
        return answer

    def _grant_refusal(self, answer: Answer) -> Exception:
        """The error for a refused exchange.

        ``InvalidToken`` may mean the refresh token, or our own signature: a wrong key in the
        secret must not cost every user a new consent.
        """
        match code(answer):
            case "InvalidRefreshToken":
                return GrantRefused()
            case "InvalidToken" | "TokenInvalid":
                return GrantRefused() if self._is_known() else ProviderRefusesApplication()
        problem = self._pause_if_limited(refusal(answer, at=self._clock()))
        return problem if isinstance(problem, _OURS) else UnexpectedAnswer()

    def _is_known(self) -> bool:
        """Whether digi.me accepts our signature: ask for an authorization that nothing uses."""
        challenge = challenge_of(random_text(32))
        answer = self._authorize(challenge=challenge, state=random_text(32), pull={})
        return answer.status in DONE or code(answer) not in _NOT_OURS

    def _authorize(self, *, challenge: str, state: str, pull: Params) -> Answer:
        claims = {
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "response_mode": "query",
            "response_type": "code",
            "state": state,
        }
        asked = {"actions": {"pull": pull}} if pull else {}
        return self._send("/oauth/authorize", claims, json={**AGENT, **asked})
