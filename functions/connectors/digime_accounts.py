"""The user's accounts: what digi.me says of each, in the shapes that are in circulation.

The guide Querying Data has an account's error as ``{status, statusCode, message}``, the iOS SDK
for v1.6 as ``{code, statuscode, error: {message, retryafter}}``, later SDKs as ``{code,
statusCode, message, reauth, retryAfter}``. All are read, and what none of them has is let be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from functions.connectors.digime_tokens import Text
from functions.connectors.http_answers import MAX_RETRY_AFTER_SECONDS
from functions.core.errors import UnexpectedAnswer
from functions.core.model import Part, PartState, instant
from functions.core.ports import Record

if TYPE_CHECKING:
    from functions.connectors.digime_answers import Status

NAME: Final = "accounts.json"

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_MILLISECONDS_FROM: Final = 1e11
_EPOCH_FROM: Final = 1e9


class _Detail(msgspec.Struct, frozen=True):
    state: str = ""
    error: Any = None


class _Account(msgspec.Struct, frozen=True):
    id: Text


class _Accounts(msgspec.Struct, frozen=True):
    accounts: list[msgspec.Raw]


def records(content: bytes) -> tuple[Record, ...]:
    """One record per account, from the content of ``accounts.json``.

    Raises:
        UnexpectedAnswer: it is not the list of accounts that digi.me describes.
    """
    try:
        content.decode()
        listed = msgspec.json.decode(content, type=_Accounts).accounts
        return tuple(Record(msgspec.json.decode(raw, type=_Account).id, raw) for raw in listed)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise UnexpectedAnswer from None


def states(status: Status, *, since: float, at: float) -> tuple[PartState, ...]:
    """Each account as it ended.

    digi.me does not date the accounts. One that it has completed is as fresh as the trigger
    that it completed after: ``since``. One that is neither completed nor has an error when all
    has ended was given up.

    Args:
        at: now, from which a ``retryAfter`` in seconds counts.
    """
    details = (status.details or {}).items()
    return tuple(_state(id_, _detail(raw), since=since, at=at) for id_, raw in details)


def _detail(raw: msgspec.Raw) -> _Detail:
    try:
        return msgspec.json.decode(raw, type=_Detail)
    except (msgspec.DecodeError, RecursionError):
        raise UnexpectedAnswer from None


def _state(account: str, detail: _Detail, *, since: float, at: float) -> PartState:
    error = detail.error if isinstance(detail.error, dict) else {}
    if detail.state == "completed" and not error:
        return PartState(part=account, state=Part.FRESH, as_of=since)
    nested = error.get("error")
    wish = error.get("retryAfter", nested.get("retryafter") if isinstance(nested, dict) else None)
    return PartState(
        part=account,
        state=Part.FAILED,
        why=_code(error) or ("GivenUp" if not error else "AccountFailed"),
        reauth=error.get("reauth") is True,
        retry_at=_retry_at(wish, at=at),
    )


def _code(error: dict[str, object]) -> str:
    """The error's name, where it has one that is a name and not a sentence."""
    for value in (error.get("code"), error.get("status")):
        if isinstance(value, str) and _CODE.fullmatch(value):
            return value
    return ""


def _retry_at(wish: object, *, at: float) -> float:
    """When to ask again: an instant in milliseconds or seconds or as text, or seconds from now.

    digi.me names no unit; its iOS SDK reads a date. What cannot be read is no wish.
    """
    if isinstance(wish, str):
        try:
            return instant(wish)
        except ValueError:
            return 0
    if isinstance(wish, bool) or not isinstance(wish, int | float) or wish <= 0:
        return 0
    if wish >= _MILLISECONDS_FROM:
        return min(wish / 1000, _MILLISECONDS_FROM)
    if wish >= _EPOCH_FROM:
        return float(wish)
    return at + min(wish, MAX_RETRY_AFTER_SECONDS)
