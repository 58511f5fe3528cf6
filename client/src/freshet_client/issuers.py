"""Tokens of an OpenID issuer: by the client's own credentials, or for a person who has signed in.

What the issuer can do it says at ``/.well-known/openid-configuration``. What is kept of a person
who has signed in is in ``$XDG_STATE_HOME/freshet``, for its owner only.
"""

from __future__ import annotations

import os
import time
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx2
import msgspec

from freshet_client.errors import TokenError
from freshet_client.exchange import AGENT, TIMEOUT
from freshet_client.flows.effects import Lost, Send, Sleep
from freshet_client.tokens import EARLY_SECONDS, LOOPBACK, Cached, read_expiry

if TYPE_CHECKING:
    from collections.abc import Callable

    from freshet_client.flows.effects import Flow

T = TypeVar("T")

HEADERS: Final = {"Accept": "application/json", "User-Agent": AGENT}
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
SLOW_DOWN_SECONDS: Final = 5
"""How much longer to wait between two questions where the issuer wants it (RFC 8628, 3.5)."""


class _Discovery(msgspec.Struct, frozen=True):
    issuer: str
    token_endpoint: str
    device_authorization_endpoint: str | None = None


class _Tokens(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float = 0
    refresh_token: str | None = None


class _Kept(msgspec.Struct, frozen=True):
    access_token: str
    until: float
    refresh_token: str | None = None


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


class DeviceLogin(msgspec.Struct, frozen=True):
    """Where a person signs in, and the code that they enter there."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: float
    verification_uri_complete: str | None = None
    interval: float = 5


@dataclass(frozen=True)
class Application:
    """A client of an issuer. Without a ``secret`` it is a public one, where a person signs in."""

    issuer: str
    client_id: str
    secret: str | None = field(default=None, repr=False)
    audience: str | None = None
    scope: str | None = None

    def source(self) -> Cached:
        """Its source of tokens."""
        return Cached(self._grant if self.secret else self._renew)

    def login(self, show: Callable[[DeviceLogin], object]) -> Flow[None]:
        """Have a person sign in by a code (RFC 8628), and keep what comes of it.

        Args:
            show: tells the person where to enter which code.

        Raises:
            TokenError: they have not, or the issuer has no such way to sign in.
        """
        found = yield from self._discover()
        if found.device_authorization_endpoint is None:
            raise TokenError(f"{self.issuer} does not let a person sign in by a code.")
        begun = _decode(
            (
                yield from self._post(
                    found.device_authorization_endpoint,
                    scope=self.scope or "openid offline_access",
                    audience=self.audience,
                )
            ),
            DeviceLogin,
        )
        show(begun)
        until, interval = time.monotonic() + begun.expires_in, begun.interval
        while time.monotonic() < until:
            yield Sleep(interval)
            told = yield from self._post(
                found.token_endpoint, grant_type=DEVICE_GRANT, device_code=begun.device_code
            )
            match _read_refusal(told):
                case "authorization_pending":
                    continue
                case "slow_down":
                    interval += SLOW_DOWN_SECONDS
                case _:
                    self._keep(_decode(told, _Tokens))
                    return
        raise TokenError("The time to sign in is over.")

    def logout(self) -> None:
        """Forget what is kept of a person who has signed in."""
        self._file.unlink(missing_ok=True)

    def _grant(self, refused: str) -> Flow[tuple[str, float]]:  # noqa: ARG002 - a new one each time
        """Get a token by the client's own credentials (RFC 6749, section 4.4)."""
        found = yield from self._discover()
        answer = yield from self._post(
            found.token_endpoint,
            grant_type="client_credentials",
            scope=self.scope,
            audience=self.audience,
        )
        told = _decode(answer, _Tokens)
        return told.access_token, told.expires_in

    def _renew(self, refused: str) -> Flow[tuple[str, float]]:
        """Take the token that is kept, or else a new one by the refresh token."""
        kept = self._read_kept()
        left = kept.until - time.time()
        if left > EARLY_SECONDS and kept.access_token != refused:
            return kept.access_token, left
        if kept.refresh_token is None:
            raise TokenError("The sign-in is over: run `freshet login`.")
        found = yield from self._discover()
        answer = yield from self._post(
            found.token_endpoint, grant_type="refresh_token", refresh_token=kept.refresh_token
        )
        if not answer.is_success and (other := self._read_kept()) != kept:
            # Another call or program has used up the refresh token meanwhile.
            return other.access_token, other.until - time.time()
        told = _decode(answer, _Tokens)
        self._keep(told, refresh_token=kept.refresh_token)
        return told.access_token, told.expires_in

    def _discover(self) -> Flow[_Discovery]:
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = _decode(
            (yield from self._send(httpx2.Request("GET", url, headers=HEADERS))), _Discovery
        )
        for each in (url, found.token_endpoint, found.device_authorization_endpoint or url):
            if urlsplit(each).scheme != "https" and urlsplit(each).hostname not in LOOPBACK:
                raise TokenError(f"{each} has to begin with https: secrets go there.")
        if found.issuer.rstrip("/") != self.issuer.rstrip("/"):
            raise TokenError(f"{self.issuer} says that it is another issuer.")
        return found

    def _post(self, url: str, **fields: str | None) -> Flow[httpx2.Response]:
        """Ask the issuer as this client: by its secret in a header, or else by its id."""
        headers = dict(HEADERS)
        if self.secret:
            pair = f"{quote(self.client_id, safe='')}:{quote(self.secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        else:
            fields["client_id"] = self.client_id
        data = {name: value for name, value in fields.items() if value is not None}
        return self._send(httpx2.Request("POST", url, headers=headers, data=data))

    def _send(self, request: httpx2.Request) -> Flow[httpx2.Response]:
        request.extensions["timeout"] = TIMEOUT.as_dict()
        answer: httpx2.Response | Lost = yield Send(request)
        if isinstance(answer, Lost):
            raise TokenError(f"The issuer {self.issuer} cannot be reached: {answer.why}.")
        return answer

    @property
    def _file(self) -> Path:
        above = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
        whose = f"{self.issuer} {self.client_id} {self.audience}"
        return Path(above) / "freshet" / f"{sha256(whose.encode()).hexdigest()[:16]}.json"

    def _read_kept(self) -> _Kept:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError):
            raise TokenError("No one has signed in: run `freshet login`.") from None

    def _keep(self, told: _Tokens, *, refresh_token: str | None = None) -> None:
        until = time.time() + told.expires_in if told.expires_in else read_expiry(told.access_token)
        kept = _Kept(told.access_token, until, told.refresh_token or refresh_token)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=self._file.parent, delete=False) as file:  # of its owner only
            file.write(msgspec.json.encode(kept))
        Path(file.name).replace(self._file)


def _read_refusal(answer: httpx2.Response) -> str:
    """The name of the issuer's error (RFC 6749, section 5.2); empty for a success."""
    if answer.is_success:
        return ""
    try:
        return msgspec.json.decode(answer.content, type=_Refusal).error
    except msgspec.DecodeError:
        return ""


def _decode(answer: httpx2.Response, shape: type[T]) -> T:
    """Decode what an issuer answers.

    Raises:
        TokenError: it refuses, or answers something else.
    """
    if not answer.is_success:
        why = _read_refusal(answer) or f"status {answer.status_code}"
        raise TokenError(f"The issuer refuses: {why[:100]}.")
    try:
        return msgspec.json.decode(answer.content, type=shape)
    except msgspec.DecodeError:
        raise TokenError("The issuer's answer is not as OpenID Connect says.") from None
