"""Reads pages of Endgrate's: of records, and of a transfer's error log.

The fields that an answer is for are read strictly; the others leniently, one by one.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from functions.connectors.http.answers import elements, members, read_leniently
from functions.core.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from functions.connectors.http.answers import Answer

RecordId = Annotated[str, Meta(min_length=1, max_length=1000)]
"""The id of a record, which is its provider's own; no document sets a bound, so this is ours."""

Offset = Annotated[int, Meta(ge=0, le=2**53)]


class _Next(msgspec.Struct, frozen=True):
    """The next page. Its link says the same and is not followed."""

    offset: Offset


class Item(msgspec.Struct, frozen=True):
    """The fields read of a record; ``deleted``, if it is true, is for sessions that sync."""

    id: RecordId
    deleted: Any = False


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records or of the error log; each entry as it stands in the answer.

    ``following`` is the offset of the next page, None after the last. ``guessed``: ``meta`` did not
    tell it, so an empty page, or one that comes again, is the end. ``flagged``: newer guides' word
    that the error log has entries.
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


def read_page(answer: Answer, name: str, *, offset: int) -> Entries:
    """Read the page at this offset; ``name`` is the field with its entries.

    Raises:
        UnexpectedAnswer: it has no entries, is no success, or names a page not beyond itself.
    """
    fields = members(answer.body)
    if name not in fields or read_leniently(fields.get("success"), bool) is False:
        raise UnexpectedAnswer
    found = elements(fields[name])
    try:
        following, guessed = _following(fields["meta"]), False
    except (KeyError, UnexpectedAnswer):
        following, guessed = offset + len(found) if found else None, True
    if following is not None and following <= offset:
        raise UnexpectedAnswer
    return Entries(
        entries=found,
        following=following,
        guessed=guessed,
        flagged=bool(read_leniently(fields.get("transfer_errors"), object)),
    )


def _following(meta: msgspec.Raw) -> int | None:
    following = read_leniently(members(meta).get("next"), object)
    if following is None:
        return None
    try:
        return msgspec.convert(following, _Next, strict=False).offset  # a number may be a text
    except msgspec.ValidationError:
        raise UnexpectedAnswer from None


def read_failure(raw: msgspec.Raw) -> Failure:
    """Read an entry of the error log; an unreadable field counts as absent."""
    with suppress(UnexpectedAnswer):
        fields = members(raw)
        return Failure(
            error_type=read_leniently(fields.get("error_type"), str) or "",
            resolved=bool(read_leniently(fields.get("resolved"), bool)),
            warn=bool(read_leniently(fields.get("warn"), bool)),
            index=read_leniently(fields.get("index"), Offset),
            internal_id=read_leniently(fields.get("internal_id"), str),
        )
    return Failure()
