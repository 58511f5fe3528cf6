"""Cursors: where a caller goes on, as a text that means nothing to anyone else."""

from __future__ import annotations

import base64
from typing import TypeVar

import msgspec

from functions.core.errors import InvalidRequest

T = TypeVar("T")

REFUSED = "cursor must be a next_cursor that this address gave."


def written(place: object) -> str:
    """A place as the text that a caller carries to the next page."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read(cursor: str, shape: type[T]) -> T:
    """The place that a text names.

    Raises:
        InvalidRequest: it names none of this shape.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.json.decode(text, type=shape)
    except (ValueError, msgspec.DecodeError):
        raise InvalidRequest(REFUSED) from None
