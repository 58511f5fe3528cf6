"""What digi.me v1.6 answers: the shapes, and what its error codes mean for us.

After digi.me's guides Token, Sync and Querying Data and the SDKs that it publishes for that
version; the guides name few of the codes, the SDKs all of these.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from functions.connectors.digime_tokens import Text
from functions.connectors.http_answers import TokenRefused
from functions.connectors.oauth import seconds_in
from functions.core.errors import (
    ConsentMissing,
    InteractionRequired,
    ProviderRefusesApplication,
    RateLimited,
    ReauthRequired,
    UnexpectedAnswer,
)

if TYPE_CHECKING:
    from functions.connectors.http_answers import Answer

NO_SESSION: Final = frozenset({"SessionInvalid", "SessionUsed", "SessionUpdateFailed"})

_MEANINGS: Final[dict[str, type[Exception]]] = {
    "InvalidToken": TokenRefused,
    "TokenInvalid": TokenRefused,
    "InsufficientScope": ConsentMissing,
    "InvalidPCloud": InteractionRequired,
    "TooManyRequests": RateLimited,
    "InvalidClient": ProviderRefusesApplication,
    "InvalidRedirectUri": ProviderRefusesApplication,
    "SDKInvalid": ProviderRefusesApplication,
    "SDKVersionInvalid": ProviderRefusesApplication,
    "ScopeOutOfBounds": ProviderRefusesApplication,
    "InvalidContractDataRequest": ProviderRefusesApplication,
    **dict.fromkeys(NO_SESSION, ReauthRequired),
}

# A name of dots alone would lead to another address.
Name = Annotated[str, Meta(min_length=1, max_length=300, pattern=r"[^.]")]


class Session(msgspec.Struct, frozen=True):
    """What a library is read with; ``expiry`` in milliseconds since the epoch, 0 if unknown."""

    key: Name
    expiry: float = 0

    def __repr__(self) -> str:
        """Show nothing: whoever has the key can read the library."""
        return "Session(…)"


class File(msgspec.Struct, frozen=True, rename="camel"):
    """A file as it is listed; ``updated_date`` in milliseconds rises when it is written again."""

    name: Name
    updated_date: Annotated[int, Meta(ge=0, le=2**53)]
    object_version: str | None = None


class Status(msgspec.Struct, frozen=True):
    """How far the refresh is, and each account by its id."""

    state: Literal["pending", "running", "partial", "completed"]
    details: dict[str, msgspec.Raw] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in {"partial", "completed"}


class Listing(msgspec.Struct, frozen=True, rename="camel"):
    """What a session lists; no files while it is pending."""

    status: Status
    file_list: list[File] | None = None


class Triggered(msgspec.Struct, frozen=True):
    """The body of a trigger's answer."""

    session: Session | None = None


class Signed(msgspec.Struct, frozen=True):
    """An answer that digi.me has signed."""

    token: Text


class Token(msgspec.Struct, frozen=True):
    """A token, as a signed answer has it."""

    value: Text
    expires_on: Any = None

    @property
    def expires_at(self) -> float:
        """When it ends, in seconds since the epoch; 0, where ``expires_on`` cannot be read."""
        return seconds_in(self.expires_on)


class Tokens(msgspec.Struct, frozen=True):
    """What a signed answer says of a user's tokens. An odd refresh token costs itself only."""

    access_token: Token
    refresh_token: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def successor(self) -> str | None:
        """The new refresh token, where there is one."""
        try:
            return msgspec.json.decode(self.refresh_token, type=Token).value
        except (msgspec.DecodeError, RecursionError):
            return None


class KeySet(msgspec.Struct, frozen=True):
    """The keys that digi.me signs with, each as it came."""

    keys: list[msgspec.Raw]


class _Problem(msgspec.Struct, frozen=True):
    code: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Problem = _Problem()


def code(body: bytes) -> str:
    """The error's code, or nothing where it is not digi.me's error object."""
    try:
        return msgspec.json.decode(body, type=_Refusal).error.code
    except (msgspec.DecodeError, RecursionError):
        return ""


def refusal(answer: Answer) -> Exception:
    """What a refusal means; a 401 that does not say why is about the token."""
    unnamed = TokenRefused if answer.status == HTTPStatus.UNAUTHORIZED else UnexpectedAnswer
    return _MEANINGS.get(code(answer.body), unnamed)()
