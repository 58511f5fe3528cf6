"""Request headers that say how a request is to be taken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from functions.core.errors import InvalidRequest
from functions.core.waiting import MAX_WAIT_SECONDS

if TYPE_CHECKING:
    from functions.rest.service import Call

_KEY: Final = re.compile(r"[!-~]{1,255}")

_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_BALANCED: Final = re.compile(rf'(?:{_QUOTED}|[^"])*')
_PREFERENCE: Final = re.compile(rf'(?:{_QUOTED}|[^",])+')
"""RFC 7240 separates preferences by commas; one that is quoted separates nothing."""

_WAIT: Final = re.compile(
    rf"wait[ \t]*(?:=[ \t]*(?P<word>{_QUOTED}|[^\"; \t]*)[ \t]*)?(?:;.*)?", re.IGNORECASE
)
_SECONDS: Final = re.compile(r'"?0*([0-9]{1,9})[0-9]*"?')


def idempotency_key(call: Call) -> str | None:
    """The request's ``Idempotency-Key``, if it has one.

    Raises:
        InvalidRequest: it is not 1 to 255 visible ASCII characters.
    """
    key = call.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidRequest("Idempotency-Key must be 1 to 255 visible ASCII characters.")
    return key


def preferred_wait(call: Call) -> int | None:
    """Seconds that ``Prefer: wait=N`` asks the answer to be held, as far as it may be.

    A preference is a wish: RFC 7240 has a server ignore one that it cannot make sense of, and
    heed only the first of several under one name.
    """
    told = call.headers.get("prefer", "")
    for preference in _PREFERENCE.findall(told) if _BALANCED.fullmatch(told) else ():
        if found := _WAIT.fullmatch(preference.strip(" \t")):
            seconds = _SECONDS.fullmatch(found["word"] or "")
            return min(int(seconds[1]), MAX_WAIT_SECONDS) if seconds else None
    return None
