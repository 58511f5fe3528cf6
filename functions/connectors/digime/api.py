"""The calls of digi.me's Private Sharing API v1.6 that a refresh makes.

Reading a library takes no credentials but the session's key, which stands in the address, says
the guide Querying Data: that key is a secret.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from http import HTTPStatus
from math import inf
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from functions.connectors.digime.answers import (
    MEANINGS,
    KeySet,
    Listing,
    Signed,
    Tokens,
    Triggered,
    code,
    query_refusal,
    refusal,
)
from functions.connectors.digime.tokens import keys, random_text
from functions.connectors.http.answers import Answer, TokenRefused, decode, elements
from functions.connectors.http.client import DONE, Http
from functions.connectors.oauth import EXCHANGE_SECONDS, GrantRefused
from functions.core.errors import ProviderRefusesApplication, RateLimited, UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import msgspec

    from functions.connectors.digime.answers import Session
    from functions.connectors.digime.tokens import Application
    from functions.connectors.http.answers import Download
    from functions.core.budget import Budget
    from functions.core.model import Credentials
    from functions.core.ports import Clock

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""How large a file may be as it is downloaded."""

_REFUSED: Final = frozenset(range(400, 500)) - {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
}
"""Refusals that are read, as an error's code says more than the status."""

_ANSWERED: Final = frozenset({HTTPStatus.OK, *_REFUSED})

AGENT: Final = {"agent": {"sdk": {"name": "freshet", "version": "1", "meta": {}}}}
"""Who asks, as the body of an authorization request says it."""

NOT_OURS: Final = frozenset({"InvalidToken", "TokenInvalid", "InvalidClient", "InvalidRedirectUri"})
"""Codes that say that a request's signature or application is not good."""


class Api:
    """Calls in the name of one application."""

    def __init__(
        self,
        application: Application,
        *,
        clock: Clock,
        budget: Budget | None = None,
        left: Callable[[], float] = lambda: inf,
    ) -> None:
        """Take the application, the time for what it signs, and the budget and time for calls."""
        self._application, self._clock, self._budget = application, clock, budget
        self._http = Http(application.base_url, clock=clock, budget=budget, left=left)
        self._keys = keys(application.base_url)

    def trigger(self, access_token: str, *, session_key: str | None) -> Session | None:
        """Start a refresh. The guide Sync has no body in the answer, the SDKs have a session.

        Raises:
            TokenRefused: the access token is not good.
            SessionLost: the session that ``session_key`` names is not.
            ConsentMissing, ProviderRefusesApplication: the error's code says so.
        """
        claims = {"access_token": access_token}
        claims |= {"session_key": session_key} if session_key else {}
        answer = self._post("/permission-access/trigger", claims)
        if answer.status not in DONE:
            raise self._heeded(refusal(answer, at=self._clock()))
        return decode(answer, Triggered).session if answer.body.strip() else None

    def exchanged(self, refresh_token: str) -> Credentials:
        """The successors of a refresh token, as digi.me signed them.

        The keys to verify that with are there before the token is spent.

        Raises:
            GrantRefused: the token is not good.
            ProviderRefusesApplication: we are not.
        """
        self._keys.warm(self._published, at=self._clock())
        claims = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        answer = self._post("/oauth/token", claims, least_seconds=EXCHANGE_SECONDS)
        if answer.status not in DONE:
            raise self._refused_grant(answer)
        told = self._keys.claims(
            decode(answer, Signed).token, Tokens, fetch=self._published, at=self._clock()
        )
        return told.credentials(spent=refresh_token)

    def listing(self, session_key: str) -> Listing:
        """How far the refresh is, and the files there are so far.

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
        if answer.status != HTTPStatus.OK:
            raise self._heeded(query_refusal(answer, at=self._clock()))
        return decode(answer, Listing)

    def download(self, session_key: str, name: str) -> Download | None:
        """A file as it is sealed, for the caller to close; None where it is not ready.

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
        raise self._heeded(query_refusal(refused, at=self._clock()))

    def _heeded(self, problem: Exception) -> Exception:
        """The same problem; a 429 or its like pauses the provider's budget."""
        if isinstance(problem, RateLimited) and self._budget is not None:
            self._budget.pause(problem.wait_seconds)
        return problem

    def _post(
        self,
        path: str,
        claims: dict[str, str],
        *,
        json: Mapping[str, object] | None = None,
        least_seconds: float = 0,
    ) -> Answer:
        token = self._application.signed(claims, at=self._clock())
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return self._http.call(
            "POST",
            path,
            headers=headers,
            json=json,
            accept=DONE | _REFUSED,
            least_seconds=least_seconds,
        )

    def _published(self) -> list[msgspec.Raw]:
        accept = {"Accept": "application/json"}
        try:
            answer = self._http.call("GET", "/jwks/oauth", headers=accept)
        except TokenRefused:  # no token was sent
            raise UnexpectedAnswer from None
        return elements(decode(answer, KeySet).keys)

    def _refused_grant(self, answer: Answer) -> Exception:
        """Whose fault it is: ``InvalidToken`` may mean the refresh token, or our own signature.

        A wrong key in the secret must not cost every user a new consent.
        """
        match code(answer):
            case "InvalidRefreshToken":
                return GrantRefused()
            case "InvalidToken" | "TokenInvalid":
                return GrantRefused() if self._is_known() else ProviderRefusesApplication()
        problem = self._heeded(refusal(answer, at=self._clock()))
        ours = isinstance(problem, ProviderRefusesApplication | RateLimited)
        return problem if ours else UnexpectedAnswer()

    def _is_known(self) -> bool:
        """Whether digi.me takes what we sign, asked by asking for an authorization.

        Nobody takes that authorization up. A refusal that is about something else than the
        signature or the application says nothing against them.
        """
        challenge = base64.urlsafe_b64encode(sha256(random_text(32).encode()).digest())
        claims = {
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
            "response_mode": "query",
            "response_type": "code",
            "state": random_text(32),
        }
        answer = self._post("/oauth/authorize", claims, json=AGENT)
        return answer.status in DONE or code(answer) not in NOT_OURS
