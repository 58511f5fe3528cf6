"""What comes back from a provider, and how its parts are read.

Nothing of an answer ever enters an error's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import IO, Final, TypeVar

import msgspec

from functions.core.errors import UnexpectedAnswer

T = TypeVar("T")

MAX_RETRY_AFTER_SECONDS: Final = 24 * 60 * 60


class TokenRefused(Exception):  # noqa: N818 - an answer, which the token keeper handles
    """The provider answered 401."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's answer that the caller expected: its status and whole body."""

    status: int
    body: bytes


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with its headers, whose body may be large: an open file, at its beginning.

    Whoever takes it closes it.
    """

    status: int
    headers: Mapping[str, str]
    body: IO[bytes]


def decoded(answer: Answer, shape: type[T]) -> T:
    """The answer's JSON in this shape; strict JSON in UTF-8, unknown fields ignored.

    Raises:
        UnexpectedAnswer: it is not JSON (HTML, cut off, NaN) or has another shape.
    """
    try:
        answer.body.decode()  # a Raw part is not looked into, and would keep any bytes
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise UnexpectedAnswer from None


def retry_after(value: str | None, *, at: float) -> int:
    """Whole seconds that a Retry-After header asks for: 0 for none, nonsense or the past.

    Both forms of RFC 9110 are read; a wish beyond a day is cut to a day.
    """
    if value is None:
        return 0
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:10]), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
        # The obsolete forms name no zone; RFC 9110 reads them as UTC.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = moment.timestamp() - at
    except (ValueError, OverflowError):
        return 0
    return max(0, min(round(seconds), MAX_RETRY_AFTER_SECONDS))
