"""The shapes of what Endgrate answers, and of the secret with which it is asked.

After Endgrate's guides and the API description that its Python client was generated from. Both
type two answers only: a 200, and the 400 of a transfer that is not completed. Whatever else
refuses a call is taken for the same where it has the same body.

What an answer is for is read strictly; what only adorns it, leniently, and field by field.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from functions.connectors.http.answers import elements, members, read
from functions.core.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from functions.connectors.http.answers import Answer

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]*$(?!\n)")]
"""The id of a session or a transfer: 24 hexadecimal characters in the documents."""

RecordId = Annotated[str, Meta(min_length=1, max_length=1000)]
"""The id of a record, which is its provider's own; no document sets a bound, so this is ours."""

Offset = Annotated[int, Meta(ge=0, le=2**53)]

T = TypeVar("T")
U = TypeVar("U")


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """The application's secret.

    ``hooks_url`` is our own public address, below which Endgrate may tell of its transfers.
    """

    base_url: str
    api_key: Annotated[str, Meta(pattern=r"^[!-~]+$(?!\n)")]
    hooks_url: str | None = None

    def __repr__(self) -> str:
        """Show nothing: the key stands for the whole application."""
        return "Secret(…)"


class Error(msgspec.Struct, frozen=True):
    """Why a call is refused, in prose; that it is there tells Endgrate from a proxy."""

    message: str


class Success(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer begins with; one that says that it is no success is none."""

    success: Any = True

    def __post_init__(self) -> None:
        """Refuse the answer."""
        if self.success is False:
            raise ValueError("not a success")


class Initiated(Success, frozen=True, kw_only=True):
    """A session."""

    session_id: Id


class Triggered(Success, frozen=True, kw_only=True):
    """A transfer that Endgrate has taken into its queue."""

    transfer_id: Id


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """How far a transfer has come."""

    completed: bool


class Integration(msgspec.Struct, frozen=True):
    """What a provider of Endgrate's has records of."""

    endgrate_type: str


class Integrated(msgspec.Struct, frozen=True):
    """A provider of Endgrate's."""

    integrations: list[Integration] = []


class Integrations(msgspec.Struct, frozen=True):
    """All providers that Endgrate has."""

    providers: list[Integrated]


class Next(msgspec.Struct, frozen=True):
    """Where the next page starts. Its link says the same and is not followed."""

    offset: Offset


class Item(msgspec.Struct, frozen=True):
    """What matters here of a record; ``deleted``, if it is true, is for sessions that sync."""

    id: RecordId
    deleted: Any = False


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records or of the error log; each entry as it stands in the answer.

    ``following`` is the offset of the next page; None: this was the last. ``guessed`` says that
    ``meta`` did not tell: then it is the offset behind these entries, and an empty page, or one
    that comes again, is the end. ``flagged`` is the word of newer guides that the transfer has
    entries in the error log.
    """

    entries: list[msgspec.Raw]
    following: int | None = None
    guessed: bool = False
    flagged: bool = False


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the error log: a record, or a whole transfer, that did not go well.

    ``error_type`` is internal, upstream, authentication, integration, mapping or transfer_data,
    depending on the document's age. ``index``, from 0 on, and ``internal_id`` name a pushed
    record. Only true resolves an entry or makes a warning of it.
    """

    error_type: str = ""
    resolved: bool = False
    warn: bool = False
    index: int | None = None
    internal_id: str | None = None


def page(answer: Answer, name: str, *, offset: int) -> Entries:
    """The page at this offset whose entries are called so.

    Raises:
        UnexpectedAnswer: it has no entries, is no success, or names a page not beyond itself.
    """
    told = members(answer.body)
    if name not in told or not lenient(told.get("success"), bool, otherwise=True):
        raise UnexpectedAnswer
    found = elements(told[name])
    try:
        following, guessed = _following(told["meta"]), False
    except (KeyError, UnexpectedAnswer):
        following, guessed = offset + len(found) if found else None, True
    if following is not None and following <= offset:
        raise UnexpectedAnswer
    return Entries(
        entries=found,
        following=following,
        guessed=guessed,
        flagged=bool(lenient(told.get("transfer_errors"), object, otherwise=None)),
    )


def _following(meta: msgspec.Raw) -> int | None:
    """The offset of the next page; none after the last."""
    following = lenient(members(meta).get("next"), object, otherwise=None)
    if following is None:
        return None
    try:
        return msgspec.convert(following, Next, strict=False).offset  # a number may be a text
    except msgspec.ValidationError:
        raise UnexpectedAnswer from None


def failure(raw: msgspec.Raw) -> Failure:
    """An entry of the error log. What is not readable of it is as if it were not there."""
    with suppress(UnexpectedAnswer):
        told = members(raw)
        return Failure(
            error_type=lenient(told.get("error_type"), str, otherwise=""),
            resolved=lenient(told.get("resolved"), bool, otherwise=False),
            warn=lenient(told.get("warn"), bool, otherwise=False),
            index=lenient(told.get("index"), Offset, otherwise=None),
            internal_id=lenient(told.get("internal_id"), str, otherwise=None),
        )
    return Failure()


def lenient(raw: msgspec.Raw | None, shape: type[T], *, otherwise: U) -> T | U:
    """A member that only adorns: what it says in this shape, and otherwise this."""
    if raw is None:
        return otherwise
    try:
        return read(raw, shape)
    except UnexpectedAnswer:
        return otherwise
