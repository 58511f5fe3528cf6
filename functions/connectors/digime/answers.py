"""What digi.me v1.6 answers: the shapes, and what its error codes mean for us.

After digi.me's guides Token, Sync and Querying Data and the SDKs that it publishes for that
version; the guides name few of the codes, the SDKs all of these.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from functions.connectors.digime.tokens import Text
from functions.connectors.http.answers import (
    TokenRefused,
    elements,
    members,
    read,
    read_apart,
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

if TYPE_CHECKING:
    from functions.connectors.http.answers import Answer


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

_GONE: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
)

MOST_MILLISECONDS: Final = 2**53

# A name of dots alone would lead to another address.
Name = Annotated[str, Meta(min_length=1, max_length=300, pattern=r"[^.]")]


class Session(msgspec.Struct, frozen=True):
    """What a library is read with; when it ends shows when it has."""

    key: Name

    def __repr__(self) -> str:
        """Show nothing: the key alone opens the library."""
        return "Session(…)"


class File(msgspec.Struct, frozen=True, rename="camel"):
    """A file as it is listed; ``updated_date`` in milliseconds rises when it is written again."""

    name: Name
    updated_date: Annotated[int, Meta(ge=0, le=MOST_MILLISECONDS)]
    object_version: msgspec.Raw | UnsetType = UNSET


class Status(msgspec.Struct, frozen=True):
    """How far the refresh is, and each account by its id."""

    state: Literal["pending", "running", "partial", "completed"]
    details: msgspec.Raw = msgspec.Raw(b"{}")

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in {"partial", "completed"}


class Listing(msgspec.Struct, frozen=True, rename="camel"):
    """What a session lists; no list of files while it is pending."""

    status: Status
    file_list: msgspec.Raw = msgspec.Raw(b"null")


class Files(msgspec.Struct, frozen=True):
    """A file list, read row by row.

    ``sound`` are the files, oldest first; one that is listed twice is there once, as it was
    written last. ``odd`` are the names of rows that cannot be read. ``nameless`` says that some
    of these have no name to be known by, but only their place in the list.
    """

    sound: list[File]
    odd: tuple[str, ...] = ()
    nameless: bool = False


def files_of(listing: Listing) -> Files:
    """Read the rows of a file list; one that cannot be read costs itself.

    Raises:
        UnexpectedAnswer: there is no list, which does not say that there are no files.
    """
    rows = elements(listing.file_list)
    sound: list[File] = []
    odd: dict[str, bool] = {}
    for place, row in enumerate(rows):
        try:
            sound.append(read_apart(row, File))
        except UnexpectedAnswer:
            name = _name(row)
            odd[name or f"fileList[{place}]"] = bool(name)
    latest = {file.name: file for file in sorted(sound, key=order)}
    names = tuple(name for name in odd if name not in latest)
    return Files(sorted(latest.values(), key=order), names, nameless=not all(odd.values()))


def order(file: File) -> tuple[int, str]:
    """Where a file stands among those of a list, the oldest first."""
    return file.updated_date, file.name


def _name(row: msgspec.Raw) -> str:
    """The name in a row of a file list; empty, where there is none to be known by."""
    try:
        return read(members(row)["name"], Name)
    except (UnexpectedAnswer, KeyError):
        return ""


class Triggered(msgspec.Struct, frozen=True):
    """The body of a trigger's answer."""

    session: Session | None = None


class Signed(msgspec.Struct, frozen=True):
    """An answer that digi.me has signed."""

    token: Text


class _Token(msgspec.Struct, frozen=True):
    value: Text
    expires_on: msgspec.Raw = msgspec.Raw(b"null")


class Tokens(msgspec.Struct, frozen=True):
    """What a signed answer says of a user's tokens; each is read for itself."""

    access_token: msgspec.Raw = msgspec.Raw(b"null")
    refresh_token: msgspec.Raw = msgspec.Raw(b"null")

    def credentials(self, *, spent: str) -> Credentials:
        """Take the tokens out. ``expires_on`` is in seconds since the epoch; odd: it is unknown.

        A successor without an access token is kept, too, with ``access_token`` "".

        Args:
            spent: the refresh token that was given for them. It stays where there is no other.

        Raises:
            UnexpectedAnswer: there is neither token.
        """
        access, successor = _token(self.access_token), _token(self.refresh_token)
        if not access and not successor:
            raise UnexpectedAnswer
        return Credentials(
            access_token=access.value if access else "",
            refresh_token=successor.value if successor else spent,
            expires_at=_instant(access.expires_on) if access else 0,
        )


def _token(raw: msgspec.Raw) -> _Token | None:
    try:
        return read(raw, _Token)
    except UnexpectedAnswer:
        return None


def _instant(raw: msgspec.Raw) -> float:
    try:
        return seconds_in(msgspec.json.decode(raw))
    except (msgspec.DecodeError, RecursionError):
        return 0


class KeySet(msgspec.Struct, frozen=True):
    """The list of the keys that digi.me signs with, as it came."""

    keys: msgspec.Raw


class _Problem(msgspec.Struct, frozen=True):
    code: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Problem = _Problem()


def code(answer: Answer) -> str:
    """The error's code in the body, where the Node SDK reads it, or in the Android SDK's header.

    Empty, where neither has one.
    """
    try:
        told = read_apart(answer.body, _Refusal).error.code
    except UnexpectedAnswer:
        told = ""
    return told or answer.headers.get("X-Error-Code", "")


def refusal(answer: Answer, *, at: float) -> Exception:
    """What a refusal of a signed request means: what its code says, whatever the status.

    A 401 that does not say why is about the token. ``at`` is now.
    """
    unnamed = TokenRefused if answer.status == HTTPStatus.UNAUTHORIZED else UnexpectedAnswer
    return _made(MEANINGS.get(code(answer), unnamed), answer, at=at)


def query_refusal(answer: Answer, *, at: float) -> Exception:
    """What a refusal of a query means, which the session's key alone allows.

    Where the code says nothing, a status that denies or does not find is about the session, and
    so is a token that is not good: a query has no other.
    """
    meaning = MEANINGS.get(code(answer), TokenRefused)
    if meaning is TokenRefused:
        meaning = SessionLost if answer.status in _GONE else UnexpectedAnswer
    return _made(meaning, answer, at=at)


def _made(meaning: type[Exception], answer: Answer, *, at: float) -> Exception:
    if meaning is RateLimited:
        return RateLimited(wait_seconds=retry_after(answer.headers.get("Retry-After"), at=at))
    return meaning()
