"""Headers that say how a request is to be taken, and how it was."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from functions.core import idempotency as keys
from functions.core.errors import InvalidRequest
from functions.core.refresh.wait import MAX_WAIT_SECONDS

if TYPE_CHECKING:
    import msgspec

    from functions.core.idempotency import Key
    from functions.rest.service import Call

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


def idempotency_key(call: Call, given: msgspec.Struct) -> Key | None:
    """The key of this request with this body: its ``Idempotency-Key``, if it has one.

    Raises:
        InvalidRequest: it is not 1 to ``MAX_KEY`` visible ASCII characters.
    """
    text = call.headers.get("idempotency-key")
    if text is None:
        return None
    if not re.fullmatch(KEY, text):
        raise InvalidRequest(f"Idempotency-Key must be 1 to {MAX_KEY} visible ASCII characters.")
    return keys.key_of(text, tenant=call.tenant, body=given)


def replayed(*, known: bool) -> dict[str, str]:
    """What an answer says of a request that had come before; nothing of any other."""
    return {"Idempotency-Replayed": "true"} if known else {}


def preferred_wait(call: Call) -> int | None:
    """Seconds that ``Prefer: wait=N`` asks the answer to be held, as far as it may be.

    A preference is a wish: RFC 7240 has a server ignore one that it cannot make sense of, and
    heed only the first of several under one name.
    """
    told = call.headers.get("prefer", "")
    if len(told) > MAX_PREFER or not _BALANCED.fullmatch(told):
        return None
    for preference in _PREFERENCE.findall(told):
        if found := _WAIT.fullmatch(preference.strip(" \t")):
            seconds = (found["word"] or "").strip('"')
            whole = seconds.isascii() and seconds.isdigit()
            return min(int(seconds), MAX_WAIT_SECONDS) if whole else None
    return None
