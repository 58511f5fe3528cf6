"""Headers that say how a request is to be taken."""

from __future__ import annotations

import re
from typing import Annotated, Final

from msgspec import Meta

from functions.core.errors import InvalidRequest
from functions.core.wait import MAX_WAIT_SECONDS
from functions.rest.route import Parameter

MAX_KEY: Final = 255
KEY: Final = rf"[!-~]{{1,{MAX_KEY}}}"
"""What an ``Idempotency-Key`` may be, from its beginning to its end."""

_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_BALANCED: Final = re.compile(rf'(?:{_QUOTED}|[^"])*')
_PREFERENCE: Final = re.compile(rf'(?:{_QUOTED}|[^",])+')
"""RFC 7240 separates preferences by commas; one that is quoted separates nothing."""

_WAIT: Final = re.compile(
    rf"wait[ \t]*(?:=[ \t]*(?P<word>{_QUOTED}|[^\"; \t]*)[ \t]*)?(?:;.*)?", re.IGNORECASE
)
MAX_PREFER: Final = 1024
"""Characters of a Prefer header that are looked at; a longer one is not made sense of."""


def read_key(text: str) -> str:
    """An ``Idempotency-Key``.

    Raises:
        InvalidRequest: it is not 1 to ``MAX_KEY`` visible ASCII characters.
    """
    if not re.fullmatch(KEY, text):
        raise InvalidRequest(f"Idempotency-Key must be 1 to {MAX_KEY} visible ASCII characters.")
    return text


def read_wait(text: str) -> int | None:
    """Seconds that ``Prefer: wait=N`` asks the answer to be held, as far as it may be.

    A preference is a wish: RFC 7240 has a server ignore one that it cannot make sense of, and
    heed only the first of several under one name.
    """
    if len(text) > MAX_PREFER or not _BALANCED.fullmatch(text):
        return None
    for preference in _PREFERENCE.findall(text):
        if found := _WAIT.fullmatch(preference.strip(" \t")):
            seconds = (found["word"] or "").strip('"')
            whole = seconds.isascii() and seconds.isdigit()
            return min(int(seconds), MAX_WAIT_SECONDS) if whole else None
    return None


def idempotency_key(about: str, *, example: str, missing: str = "") -> Parameter:
    """The caller's own name for a request."""
    type_ = Annotated[str, Meta(pattern=f"^{KEY}$")]
    return Parameter("Idempotency-Key", about, example, type_, read_key, missing=missing)


PREFER: Final = Parameter(
    "Prefer",
    f"`wait=N` holds the answer for at most N seconds, {MAX_WAIT_SECONDS} at the most, until"
    " the refresh has ended (RFC 7240).",
    "wait=10",
    read=read_wait,
)
APPLIED: Final = Parameter(
    "Preference-Applied",
    "How long the answer was held at the most, where a wait was preferred.",
    "wait=10",
)
