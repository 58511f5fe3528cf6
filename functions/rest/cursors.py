"""Cursors: where a caller goes on, as a text that means nothing to anyone else."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

import msgspec

from functions.core.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

REFUSED = "cursor must be a next_cursor that this address gave."


class _Bound(msgspec.Struct, frozen=True, array_like=True):
    """A place, and in which list: a digest of what tells that list from others."""

    of: str
    place: msgspec.Raw


def written(place: object, *, of: Iterable[str | None]) -> str:
    """A place as the text that a caller carries to the next page.

    Args:
        of: what tells the list from any other, for it to lead on in no other.
    """
    bound = _Bound(_digest(of), msgspec.Raw(msgspec.json.encode(place)))
    return base64.urlsafe_b64encode(msgspec.json.encode(bound)).decode().rstrip("=")


def read(cursor: str, shape: type[T], *, of: Iterable[str | None]) -> T:
    """The place that a text names.

    Raises:
        InvalidRequest: it names none of this shape, or one in another list.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        bound = msgspec.json.decode(text, type=_Bound)
        if bound.of == _digest(of):
            return msgspec.json.decode(bound.place, type=shape)
    except (ValueError, RecursionError, msgspec.DecodeError):
        pass
    raise InvalidRequest(REFUSED)


def _digest(of: Iterable[str | None]) -> str:
    return sha256(repr(tuple(of)).encode()).hexdigest()[:16]
