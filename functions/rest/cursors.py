"""Cursors: where a caller goes on, as a text that only the list that gave it reads."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

import msgspec

from functions.core.errors import InvalidRequest
from functions.core.model import instant, iso
from functions.core.refresh.history import Place
from functions.rest.call import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

REFUSED = "cursor must be a next_cursor that this address gave."


class _Bound(msgspec.Struct, frozen=True, array_like=True):
    """A place, and in which list: a digest of what tells that list from others."""

    of: str
    place: msgspec.Raw


def write(place: object, *, of: Iterable[str | None]) -> str:
    """A place as the text that a caller carries to the next page.

    Args:
        place: where to go on.
        of: what tells the list from any other, for the text to lead on in no other.
    """
    bound = _Bound(_digest(of), msgspec.Raw(msgspec.json.encode(place)))
    return base64.urlsafe_b64encode(msgspec.json.encode(bound)).decode().rstrip("=")


def read(cursor: str | None, shape: type[T], *, of: Iterable[str | None]) -> T | None:
    """The place that a text names; None for no text.

    Raises:
        InvalidRequest: it names none of this shape, or one in another list.
    """
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        bound = msgspec.json.decode(text, type=_Bound)
        if bound.of == _digest(of):
            return msgspec.json.decode(bound.place, type=shape)
    except (ValueError, RecursionError, msgspec.DecodeError):
        pass
    raise InvalidRequest(REFUSED)


def read_place(cursor: str | None, *, of: Iterable[str | None]) -> Place | None:
    """The place in a list of what was asked for; None for no text.

    Raises:
        InvalidRequest: it names none, or one in another list.
    """
    place = read(cursor, Place, of=of)
    if place and not _is_plausible(place):
        raise InvalidRequest(REFUSED)
    return place


def _is_plausible(place: Place) -> bool:
    try:
        timely = iso(instant(place.requested_at)) == place.requested_at
    except ValueError:
        return False
    return timely and 0 < len(place.id) <= MAX_ID


def _digest(of: Iterable[str | None]) -> str:
    names = tuple(None if each is None else str(each) for each in of)
    return sha256(repr(names).encode()).hexdigest()[:16]
