"""The calls of Endgrate's API, in the name of the one application that its secret names.

Endgrate answers 400 for whatever it does not do: an unknown session, a wrong type, a transfer
that is not completed. Only the prose in it differs, so what a 400 means is for the caller to
find out: here it is ``Refused``. Its documents type no other refusal; a 404 or 422 that has the
same body is taken for the same.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from math import inf
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from functions.connectors.endgrate.answers import (
    Entries,
    Error,
    Initiated,
    Integrations,
    Secret,
    Statistics,
    Triggered,
    failure,
    lenient,
    page,
)
from functions.connectors.http.answers import Answer, decode, is_json, members
from functions.connectors.http.client import DONE, Http, origin
from functions.connectors.http.sending import READ_SECONDS, leave_connections
from functions.core.errors import (
    ConfigurationInvalid,
    FreshetError,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    UnexpectedAnswer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from functions.connectors.endgrate.answers import Failure
    from functions.core.budget import Budget
    from functions.core.contract import Scalar
    from functions.core.ports import Clock

PAGE: Final = 250
"""The most entries that one page may hold, says Endgrate's API description."""

MAX_FAILURE_PAGES: Final = 20
"""The error log of a transfer is read up to here: 5,000 entries tell what is wrong with it."""

SYNCHRONOUS_SECONDS: Final = 310
"""How long a synchronous trigger may be silent: Endgrate holds it five minutes at most."""

_REFUSALS: Final[dict[int, type[FreshetError]]] = {
    HTTPStatus.UNAUTHORIZED: ProviderRefusesApplication,
    HTTPStatus.FORBIDDEN: ProviderRefusesApplication,
}
_REFUSED: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
)
_NOT_PUSHED: Final[dict[int, type[FreshetError]]] = {
    **_REFUSALS,
    **dict.fromkeys(_REFUSED, ProviderRefusesConnection),
}

# Nobody documents the status with which a session says that it is not configured.
_CONFIGURATION: Final = (
    frozenset({*range(200, 300), *range(400, 500)})
    - _REFUSALS.keys()
    - {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
)


class Refused(Exception):  # noqa: N818 - an answer, which the connector handles
    """Endgrate refuses a call: not there, not ready or not valid; only its prose says which."""


class Way(StrEnum):
    """Which way a transfer goes; the value stands in addresses."""

    PULL = "pull"
    PUSH = "push"

    @property
    def method(self) -> str:
        """The same as the statistics call it."""
        return "IMPORT" if self is Way.PULL else "EXPORT"


class Api:
    """Calls with the application's key, which goes into one header and nowhere else.

    Every call may raise what ``Http.call`` does, but for ``TokenRefused``: 401 and 403 are
    ``ProviderRefusesApplication``.
    """

    def __init__(
        self,
        application: bytes,
        *,
        clock: Clock,
        budget: Budget | None = None,
        left: Callable[[], float] = lambda: inf,
    ) -> None:
        """Take the application's secret (JSON), a clock for Retry-After, the budget and the time.

        Raises:
            ConfigurationInvalid: it is malformed, lacks something, or has an address that is
                not HTTPS and not on this machine.
        """
        secret = _read(application)
        self._base_url = origin(secret.base_url)
        self._hooks_url = None if secret.hooks_url is None else origin(secret.hooks_url)
        self._http = Http(self._base_url, clock=clock, budget=budget, left=left)
        self._headers = {
            "Authorization": f"Bearer {secret.api_key}",
            "Accept": "application/json",
        }

    @property
    def hooked(self) -> bool:
        """Whether Endgrate can be given webhooks: it is known where we can be reached."""
        return self._hooks_url is not None

    def hook(self, token: str) -> dict[str, object]:
        """A webhook that echoes this token, as Endgrate is given it."""
        endpoint = f"{self._hooks_url}/endgrate/{quote(token, safe='')}"
        return {"endpoint": endpoint, "metadata": {"token": token}}

    def user_url(self, session_id: str, *, configured: bool) -> str:
        """Where an end user configures a session, or edits one that is configured."""
        path = "/session/edit" if configured else "/session"
        return f"{self._base_url}{path}?session_id={quote(session_id, safe='')}"

    def initiated(self, wanted: Mapping[str, object]) -> str:
        """Open a session; its id. Asking twice opens two, which costs nothing.

        Raises:
            Refused: it cannot be had like this.
        """
        answer = self._call("POST", "/api/session/initiate", json=wanted, accept=DONE)
        return decode(answer, Initiated).session_id

    def types(self) -> set[str]:
        """The types that any provider of Endgrate's has."""
        told = decode(self._call("GET", "/api/integrations"), Integrations)
        return {row.endgrate_type for each in told.providers for row in each.integrations}

    def configuration(self, session_id: str) -> msgspec.Raw | None:
        """What the end user chose, whole; None before that.

        A session that Endgrate does not know looks the same as one that is not configured, but
        for the prose; ``knows`` tells them apart.
        """
        answer = self._call(
            "GET",
            "/api/session/configuration",
            params={"session_id": session_id},
            accept=_CONFIGURATION,
        )
        told = members(answer.body)
        schemas = lenient(told.get("schemas"), dict[str, object], otherwise=None)
        if answer.status == HTTPStatus.OK and schemas is not None and is_json(answer.body):
            return msgspec.Raw(answer.body)
        if schemas is not None or lenient(told.get("message"), str, otherwise=None) is None:
            raise UnexpectedAnswer
        return None

    def knows(self, session_id: str) -> bool:
        """Whether Endgrate has this session: it refuses to read the error log of another."""
        try:
            self._failure_page({"session_id": session_id, "limit": 1}, offset=0)
        except Refused:
            return False
        return True

    def pulled(self, wanted: Mapping[str, object], *, synchronous: bool = False) -> str:
        """Trigger a pull; its id. Asking twice triggers two.

        Args:
            wanted: the body as Endgrate takes it.
            synchronous: whether Endgrate is to answer when the transfer is completed, or after
                five minutes, instead of at once.

        Raises:
            Refused: the session, the type or what is wanted is not good.
        """
        answer = self._call(
            "POST",
            "/api/pull/transfer",
            json={**wanted, "synchronous": True} if synchronous else wanted,
            accept=DONE,
            read_seconds=SYNCHRONOUS_SECONDS if synchronous else READ_SECONDS,
        )
        return decode(answer, Triggered).transfer_id

    def pushed(self, wanted: Mapping[str, object], *, synchronous: bool) -> str:
        """Trigger a push; its id. Asking twice pushes twice.

        Whatever a refusal's body may be, Endgrate's or a proxy's, nothing has been pushed then.

        Raises:
            ProviderRefusesConnection: the session, the type or what is wanted is not good.
        """
        leave_connections()
        answer = self._http.call(
            "POST",
            "/api/push/transfer",
            headers=self._headers,
            json={**wanted, "synchronous": True} if synchronous else wanted,
            refusals=_NOT_PUSHED,
            accept=DONE,
            read_seconds=SYNCHRONOUS_SECONDS if synchronous else READ_SECONDS,
        )
        return decode(answer, Triggered).transfer_id

    def completed(self, way: Way, *, session_id: str, transfer_id: str) -> bool:
        """Whether a transfer has ended, well or not.

        Raises:
            Refused: Endgrate does not know the transfer, or its session.
        """
        params = {"method": way.method, "session_id": session_id, "transfer_id": transfer_id}
        answer = self._call("GET", "/api/statistics", params=params)
        return decode(answer, Statistics).completed

    def items(self, way: Way, *, endgrate_type: str, transfer_id: str, offset: int) -> Entries:
        """A page of a transfer's records.

        Raises:
            Refused: the transfer is not completed, or something in the query is not good.
        """
        params = {"endgrate_type": endgrate_type, "transfer_id": transfer_id}
        answer = self._call(
            "GET", f"/api/{way}/data", params={**params, "limit": PAGE, "offset": offset}
        )
        return page(answer, "transfer_data", offset=offset)

    def failures(self, *, session_id: str, transfer_id: str) -> Sequence[Failure]:
        """What the error log has of a transfer, up to ``MAX_FAILURE_PAGES``.

        Raises:
            Refused: Endgrate does not know the transfer, or its session.
        """
        params = {"session_id": session_id, "transfer_id": transfer_id}
        return [failure(raw) for part in self._failure_pages(params) for raw in part.entries]

    def _failure_pages(self, params: Mapping[str, Scalar]) -> Iterator[Entries]:
        part = Entries(entries=[], following=0)
        for _ in range(MAX_FAILURE_PAGES):
            if part.following is None:
                return
            before = part.entries
            part = self._failure_page({**params, "limit": PAGE}, offset=part.following)
            if part.guessed and part.entries == before:
                return
            yield part

    def _failure_page(self, params: Mapping[str, Scalar], *, offset: int) -> Entries:
        answer = self._call("GET", "/api/errors", params={**params, "offset": offset})
        return page(answer, "errors", offset=offset)

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Scalar] | None = None,
        json: Mapping[str, object] | None = None,
        accept: frozenset[int] = frozenset({HTTPStatus.OK}),
        read_seconds: float = READ_SECONDS,
    ) -> Answer:
        answer = self._http.call(
            method,
            path,
            headers=self._headers,
            params=params,
            json=json,
            refusals=_REFUSALS,
            accept=accept | _REFUSED,
            read_seconds=read_seconds,
        )
        if answer.status in accept:
            return answer
        decode(answer, Error)
        raise Refused


def _read(application: bytes) -> Secret:
    try:
        return msgspec.json.decode(application, type=Secret)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise ConfigurationInvalid from None
