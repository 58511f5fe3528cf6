"""Reads digi.me's answers in the Private Sharing API v1.6, and what its refusals mean.

After digi.me's guides and the SDKs that it publishes for v1.6; the guides name few of the error
codes, the SDKs all of these.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from functions.connectors.digime.tokens import Text
from functions.connectors.http.answers import (
    Answer,
    TokenRefused,
    read_apart,
    read_leniently,
    retry_after,
)
from functions.connectors.oauth import seconds_in
from functions.core.errors import (
    ConsentMissing,
    InteractionRequired,
    ProviderRefusesApplication,
    RateLimited,
    UnexpectedAnswer,
)
from functions.core.model import Credentials

# A name of dots alone would lead to another address.
Name = Annotated[str, Meta(min_length=1, max_length=300, pattern=r"[^.]")]


class SessionLost(Exception):  # noqa: N818 - an answer, which the connector handles
    """digi.me does not know the session, or does no more."""


MEANINGS: Final[dict[str, type[Exception]]] = {
    "InvalidToken": TokenRefused,
    "TokenInvalid": TokenRefused,
    "InsufficientScope": ConsentMissing,
    "InvalidPCloud": InteractionRequired,
    "TooManyRequests": RateLimited,
    "InvalidClient": ProviderRefusesApplication,
    "InvalidRedirectUri": ProviderRefusesApplication,
    "SDKInvalid": ProviderRefusesApplication,
    "SDKVersion": ProviderRefusesApplication,
    "SDKVersionInvalid": ProviderRefusesApplication,
    "ScopeOutOfBounds": ProviderRefusesApplication,
    "InvalidContractDataRequest": ProviderRefusesApplication,
    "SessionInvalid": SessionLost,
    "SessionUsed": SessionLost,
    "SessionUpdateFailed": SessionLost,
}

_LOST: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
)


class Session(msgspec.Struct, frozen=True):
    """The key with which a library is read. It expires without notice."""

    key: Name

    def __repr__(self) -> str:
        """Show nothing: the key alone opens the library."""
        return "Session(…)"


class Status(msgspec.Struct, frozen=True):
    """How far the refresh is, and each account by its id."""

    state: Literal["pending", "running", "partial", "completed"]
    details: msgspec.Raw = msgspec.Raw(b"{}")

    @property
    def is_final(self) -> bool:
        """Whether nothing more will come."""
        return self.state in {"partial", "completed"}


class Listing(msgspec.Struct, frozen=True, rename="camel"):
    """A session's library; it has no list of files while it is pending."""

    status: Status
    file_list: msgspec.Raw = msgspec.Raw(b"null")


class Triggered(msgspec.Struct, frozen=True):
    """The body of a trigger's answer."""

    session: Session | None = None


class Signed(msgspec.Struct, frozen=True):
    """An answer that digi.me has signed."""

    token: Text


class _Token(msgspec.Struct, frozen=True):
    value: Text
    expires_on: msgspec.Raw = msgspec.Raw(b"null")


class _Identifier(msgspec.Struct, frozen=True):
    id: Text


class Authorized(msgspec.Struct, frozen=True):
    """A signed answer to an authorization: the code with which the user visits the web client."""

    preauthorization_code: Text


class Referred(msgspec.Struct, frozen=True):
    """A signed answer for a known user, who adds a source there."""

    reference_code: Text


class Tokens(msgspec.Struct, frozen=True):
    """A user's tokens in a signed answer; each is read by itself."""

    access_token: msgspec.Raw = msgspec.Raw(b"null")
    refresh_token: msgspec.Raw = msgspec.Raw(b"null")
    identifier: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def user(self) -> str:
        """The user's id; "" where there is none."""
        found = read_leniently(self.identifier, _Identifier)
        return found.id if found else ""

    def credentials(self, *, spent: str | None) -> Credentials:
        """The tokens; ``access_token`` is "" where only a refresh token can be read.

        ``spent``, the refresh token that was exchanged, stays where no other came.

        Raises:
            UnexpectedAnswer: there is neither token.
        """
        access = read_leniently(self.access_token, _Token)
        successor = read_leniently(self.refresh_token, _Token)
        if not access and not successor:
            raise UnexpectedAnswer
        return Credentials(
            access_token=access.value if access else "",
            refresh_token=successor.value if successor else spent,
            expires_at=_instant(access.expires_on) if access else 0,
        )


def _instant(raw: msgspec.Raw) -> float:
    try:
        return seconds_in(msgspec.json.decode(raw))
    except (msgspec.DecodeError, RecursionError):
        return 0


class _Problem(msgspec.Struct, frozen=True):
    code: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Problem = _Problem()


def code(answer: Answer) -> str:
    """The error's code: in the body (Node SDK), else in a header (Android SDK), else empty."""
    try:
        in_body = read_apart(answer.body, _Refusal).error.code
    except UnexpectedAnswer:
        in_body = ""
    return in_body or answer.headers.get("X-Error-Code", "")


def refusal(answer: Answer, *, at: float) -> Exception:
    """The error for a refused signed request: by its code, else by a 401. ``at`` is now."""
    unnamed = TokenRefused if answer.status == HTTPStatus.UNAUTHORIZED else UnexpectedAnswer
    return _make_error(MEANINGS.get(code(answer), unnamed), answer, at=at)


def query_refusal(answer: Answer, *, at: float) -> Exception:
    """The error for a refused query, which needs the session's key alone.

    So a code about a token, or a status that denies without a code, is about the session.
    """
    meaning = MEANINGS.get(code(answer), TokenRefused)
    if meaning is TokenRefused:
        meaning = SessionLost if answer.status in _LOST else UnexpectedAnswer
    return _make_error(meaning, answer, at=at)


def _make_error(meaning: type[Exception], answer: Answer, *, at: float) -> Exception:
    if meaning is RateLimited:
        return RateLimited(wait_seconds=retry_after(answer.headers.get("Retry-After"), at=at))
    return meaning()
