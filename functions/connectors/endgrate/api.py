"""The calls of Endgrate's API in the name of one application, and their answers.

After Endgrate's guides and the API description that its Python client was generated from. Endgrate
answers 400 to whatever it refuses: an unknown session, a wrong type, a transfer that is not
completed. Only the prose differs, so the caller has to find out what ``Refused`` means. A 404 or
422 with the same body counts as the same.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Meta

from functions.connectors.endgrate.entries import Entries, Failure, read_failure, read_page
from functions.connectors.http.answers import Answer, decode, is_json, members, read_leniently
from functions.connectors.http.client import DONE, OK, Http, origin
from functions.connectors.http.sockets import leave_connections
from functions.core.errors import (
    ConfigurationInvalid,
    FreshetError,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    UnexpectedAnswer,
)
from functions.core.ports import Integration, IntegrationType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from functions.core.contract import Scalar
    from functions.core.ports import ConnectorPorts


PAGE: Final = 250
"""The most entries that one page may hold, says Endgrate's API description."""

MAX_FAILURE_PAGES: Final = 20
"""How many pages of a transfer's error log are read: 5,000 entries."""

SYNCHRONOUS_SECONDS: Final = 310
"""How long a synchronous trigger may be silent: Endgrate holds it five minutes at most."""

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]*$(?!\n)")]
"""The id of a session or a transfer: 24 hexadecimal characters in the documents."""

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

# No document has the status with which a session says that it is not configured.
_CONFIGURATION: Final = (
    frozenset({*range(200, 300), *range(400, 500)})
    - _REFUSALS.keys()
    - {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
)


class Refused(Exception):  # noqa: N818 - an answer, which the connector handles
    """Endgrate refuses a call: not there, not ready or not valid; only its prose says which."""


# --- answers -----------------------------------------------------------------------------------


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """The application's secret. ``hooks_url`` is our own public address for webhooks."""

    base_url: str
    api_key: Annotated[str, Meta(pattern=r"^[!-~]+$(?!\n)")]
    hooks_url: str | None = None

    def __repr__(self) -> str:
        """Show nothing: the key stands for the whole application."""
        return "Secret(…)"


class _Error(msgspec.Struct, frozen=True):
    """A refusal, in prose; that the field is there tells Endgrate from a proxy."""

    message: str


class _Success(msgspec.Struct, frozen=True, kw_only=True):
    success: Any = True

    def __post_init__(self) -> None:
        """Refuse an answer that says that it is no success."""
        if self.success is False:
            raise ValueError("not a success")


class _Initiated(_Success, frozen=True, kw_only=True):
    session_id: Id


class _Triggered(_Success, frozen=True, kw_only=True):
    transfer_id: Id


class _Statistics(msgspec.Struct, frozen=True, kw_only=True):
    completed: bool


class _Type(msgspec.Struct, frozen=True):
    endgrate_type: str
    display_name: str | None = None
    supports_pull: bool | None = None
    supports_push: bool | None = None


class _Provider(msgspec.Struct, frozen=True):
    name: str
    display_name: str | None = None


class _Integration(msgspec.Struct, frozen=True):
    provider: _Provider
    integrations: list[_Type] = []


class _Integrations(msgspec.Struct, frozen=True):
    providers: list[_Integration]


# --- calls -------------------------------------------------------------------------------------


class Way(StrEnum):
    """The direction of a transfer; the value stands in addresses."""

    PULL = "pull"
    PUSH = "push"

    @property
    def method(self) -> str:
        """The name in the statistics."""
        return "IMPORT" if self is Way.PULL else "EXPORT"


class UserPage(StrEnum):
    """The pages of Endgrate's for end users; the value is the address."""

    CONFIGURE = "/session"
    EDIT = "/session/edit"
    REAUTHENTICATE = "/session/reauthenticate"


class Api:
    """Calls with the application's key, which goes into one header and nowhere else.

    Every call may raise what ``Http.call`` does, but for ``TokenRefused``: 401 and 403 are
    ``ProviderRefusesApplication``.
    """

    def __init__(self, ports: ConnectorPorts) -> None:
        """Read the application's secret, and take the clock, budget and time for calls.

        Raises:
            ConfigurationInvalid: the secret is malformed, or an address is neither HTTPS nor local.
        """
        try:
            secret = msgspec.json.decode(ports.application(), type=Secret)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise ConfigurationInvalid from None
        self._base_url = origin(secret.base_url)
        self._webhooks_url = None if secret.hooks_url is None else origin(secret.hooks_url)
        self._http = Http(self._base_url, clock=ports.clock, budget=ports.budget, left=ports.left)
        self._headers = {
            "Authorization": f"Bearer {secret.api_key}",
            "Accept": "application/json",
        }

    @property
    def has_webhooks(self) -> bool:
        """Whether the secret has our own address, so that Endgrate can be given webhooks."""
        return self._webhooks_url is not None

    def webhook(self, token: str) -> dict[str, object]:
        """The webhook, as Endgrate takes it, that echoes this token."""
        endpoint = f"{self._webhooks_url}/endgrate/{quote(token, safe='')}"
        return {"endpoint": endpoint, "metadata": {"token": token}}

    @property
    def redirect_uri(self) -> str:
        """Where Endgrate sends browsers back to, beside our address for webhooks.

        Raises:
            ConfigurationInvalid: the secret has no address for webhooks, or not this API's.
        """
        base, hooks, rest = (self._webhooks_url or "").rpartition("/hooks")
        if rest or not (hooks and base.endswith("/v1")):
            raise ConfigurationInvalid
        return f"{base}/connect/callbacks/endgrate/default"

    def page_url(self, page: UserPage, session_id: str) -> str:
        """The address of a page on which an end user settles something of a session."""
        return f"{self._base_url}{page}?session_id={quote(session_id, safe='')}"

    def initiate(self, wanted: Mapping[str, object]) -> str:
        """Open a session; its id. A repetition opens another, which costs nothing.

        Raises:
            Refused: Endgrate opens none like this.
        """
        answer = self._call("POST", "/api/session/initiate", json=wanted, accept=DONE)
        return decode(answer, _Initiated).session_id

    def delete(self, session_id: str) -> None:
        """Delete a session with all of its data.

        Raises:
            Refused: Endgrate does not have it, or not any more.
        """
        wanted = {"session_id": session_id}
        decode(self._call("POST", "/api/session/delete", json=wanted, accept=DONE), _Success)

    def integrations(self) -> list[Integration]:
        """The providers that Endgrate integrates, and the types that each has."""
        found = decode(self._call("GET", "/api/integrations"), _Integrations)
        return [_read_integration(each) for each in found.providers]

    def configuration(self, session_id: str) -> msgspec.Raw | None:
        """The end user's choices, as JSON; None before they are made.

        An unknown session looks the same as one that is not configured; ``knows`` tells.
        """
        answer = self._call(
            "GET",
            "/api/session/configuration",
            params={"session_id": session_id},
            accept=_CONFIGURATION,
        )
        fields = members(answer.body)
        schemas = read_leniently(fields.get("schemas"), dict[str, object])
        if answer.status == HTTPStatus.OK and schemas is not None and is_json(answer.body):
            return msgspec.Raw(answer.body)
        if schemas is not None or read_leniently(fields.get("message"), str) is None:
            raise UnexpectedAnswer
        return None

    def knows(self, session_id: str) -> bool:
        """Whether Endgrate has this session: it refuses to read the error log of another."""
        try:
            self._failure_page({"session_id": session_id, "limit": 1}, offset=0)
        except Refused:
            return False
        return True

    def pull(self, wanted: Mapping[str, object], *, synchronous: bool = False) -> str:
        """Trigger a pull; its id. A repetition triggers another.

        A ``synchronous`` one is answered when it is completed, or after five minutes.

        Raises:
            Refused: the session, the type or what is wanted is not good.
        """
        answer = self._call(
            "POST", "/api/pull/transfer", accept=DONE, **_transfer(wanted, synchronous=synchronous)
        )
        return decode(answer, _Triggered).transfer_id

    def push(self, wanted: Mapping[str, object], *, synchronous: bool) -> str:
        """Trigger a push; its id. A repetition pushes twice.

        A refusal, by Endgrate or a proxy, means that nothing has been pushed.

        Raises:
            ProviderRefusesConnection: the session, the type or what is wanted is not good.
        """
        leave_connections()
        answer = self._http.call(
            "POST",
            "/api/push/transfer",
            headers=self._headers,
            refusals=_NOT_PUSHED,
            accept=DONE,
            **_transfer(wanted, synchronous=synchronous),
        )
        return decode(answer, _Triggered).transfer_id

    def is_completed(self, way: Way, *, session_id: str, transfer_id: str) -> bool:
        """Whether a transfer has ended, well or not.

        Raises:
            Refused: Endgrate does not know the transfer, or its session.
        """
        params = {"method": way.method, "session_id": session_id, "transfer_id": transfer_id}
        answer = self._call("GET", "/api/statistics", params=params)
        return decode(answer, _Statistics).completed

    def items(self, way: Way, *, endgrate_type: str, transfer_id: str, offset: int) -> Entries:
        """Read a page of a transfer's records.

        Raises:
            Refused: the transfer is not completed, or something in the query is not good.
        """
        params = {"endgrate_type": endgrate_type, "transfer_id": transfer_id}
        answer = self._call(
            "GET", f"/api/{way}/data", params={**params, "limit": PAGE, "offset": offset}
        )
        return read_page(answer, "transfer_data", offset=offset)

    def failures(self, *, session_id: str, transfer_id: str) -> Sequence[Failure]:
        """Read the error log of a transfer, up to ``MAX_FAILURE_PAGES``.

        Raises:
            Refused: Endgrate does not know the transfer, or its session.
        """
        params = {"session_id": session_id, "transfer_id": transfer_id}
        return [read_failure(raw) for part in self._failure_pages(params) for raw in part.entries]

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
        return read_page(answer, "errors", offset=offset)

    def _call(
        self,
        method: str,
        path: str,
        *,
        accept: frozenset[int] = OK,
        **more: Any,  # noqa: ANN401 - as Http.call takes it
    ) -> Answer:
        answer = self._http.call(
            method,
            path,
            headers=self._headers,
            refusals=_REFUSALS,
            accept=accept | _REFUSED,
            **more,
        )
        if answer.status in accept:
            return answer
        decode(answer, _Error)
        raise Refused


def _read_integration(found: _Integration) -> Integration:
    types = [
        IntegrationType(
            endgrate_type=each.endgrate_type,
            title=each.display_name or each.endgrate_type,
            pulls=bool(each.supports_pull),
            pushes=bool(each.supports_push),
        )
        for each in found.integrations
    ]
    title = found.provider.display_name or found.provider.name
    return Integration(integration_provider=found.provider.name, title=title, types=types)


def _transfer(wanted: Mapping[str, object], *, synchronous: bool) -> dict[str, Any]:
    """How a call differs that triggers a transfer."""
    if synchronous:
        return {"json": {**wanted, "synchronous": True}, "read_seconds": SYNCHRONOUS_SECONDS}
    return {"json": wanted}
