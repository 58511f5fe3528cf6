"""The user's accounts: what digi.me says of each, in the shapes that are in circulation.

The guide Querying Data has an account's error as ``{status, statusCode, message}``, the iOS SDK
for v1.6 as ``{code, statuscode, error: {message, retryafter}}``, the guide Reauthorizing Account
as ``{code, statusCode, error: {message, reauth}}``, later SDKs as ``{code, statusCode, message,
reauth, retryAfter}``. So each field is looked for in the error and in the error within it, in
any spelling of its letters; what none of them has is let be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from functions.connectors.digime.tokens import Text
from functions.connectors.http.answers import (
    elements,
    is_json,
    members,
    read,
    read_apart,
    retry_after,
)
from functions.core.errors import UnexpectedAnswer
from functions.core.model import Part, PartState
from functions.core.ports import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.connectors.digime.answers import Status

NAME: Final = "accounts.json"

UNNAMED: Final = "unnamed"
"""The part that stands for an account that failed and is not named."""

_REAUTH: Final = ("ServiceAuthorizationError", 511, "511")
"""Codes and statuses with which digi.me says that the user has to sign in to a service again."""

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


class _Detail(msgspec.Struct, frozen=True):
    state: str = ""
    error: Any = None


class _Account(msgspec.Struct, frozen=True):
    id: Text


def records(content: bytes) -> tuple[list[Record], bool]:
    """Read ``accounts.json``: one record per account, and whether that is all of them.

    An account that has no id costs itself.

    Raises:
        UnexpectedAnswer: it is not the list of accounts that digi.me describes, or none of them
            has an id.
    """
    rows = elements(members(content).get("accounts", msgspec.Raw(b"")))
    found = [record for record in map(_record, rows) if record]
    if rows and not found:
        raise UnexpectedAnswer
    return found, len(found) == len(rows)


def _record(raw: msgspec.Raw) -> Record | None:
    try:
        return Record(read_apart(raw, _Account).id, raw) if is_json(raw) else None
    except UnexpectedAnswer:
        return None


def states(status: Status, *, since: float, at: float) -> tuple[PartState, ...]:
    """Each account as it ended.

    digi.me does not date the accounts. One that it has completed is as fresh as the trigger
    that it completed after: ``since``. One that is neither completed nor has an error when all
    has ended was given up. What is said of one and cannot be read is a failure of that one. Where
    a library is partial and no account failed, one that is not named did.

    Args:
        at: now, from which a ``retryAfter`` in seconds counts.
    """
    try:
        details = members(status.details)
    except UnexpectedAnswer:
        details = {}
    told = tuple(_state(id_, raw, since=since, at=at) for id_, raw in details.items())
    if status.state == "partial" and all(part.state is Part.FRESH for part in told):
        some = PartState(part=UNNAMED, state=Part.INCOMPLETE, as_of=since, why="AccountFailed")
        return (*told, some)
    return told


def _state(account: str, raw: msgspec.Raw, *, since: float, at: float) -> PartState:
    try:
        detail = read(raw, _Detail)
    except UnexpectedAnswer as odd:
        return PartState(part=account, state=Part.FAILED, why=odd.name())
    told = _told(detail.error)
    if detail.state == "completed" and not detail.error:
        return PartState(part=account, state=Part.FRESH, as_of=since)
    named = filter(None, map(_name, (*told.get("code", ()), *told.get("status", ()))))
    wishes = (_retry_at(wish, at=at) for wish in told.get("retryafter", ()))
    return PartState(
        part=account,
        state=Part.FAILED,
        why=next(named, "AccountFailed" if detail.error else "GivenUp"),
        reauth=_wants_user(told),
        retry_at=next(filter(None, wishes), 0),
    )


def _told(error: object) -> dict[str, list[object]]:
    """What an error says, by field in small letters: itself, and the error within it."""
    told: dict[str, list[object]] = {}
    while isinstance(error, dict):
        for name, value in error.items():
            told.setdefault(name.lower(), []).append(value)
        error = error.get("error")
    return told


def _wants_user(told: Mapping[str, list[object]]) -> bool:
    """Whether the user has to sign in to the account's service again."""
    says = [*told.get("code", ()), *told.get("statuscode", ()), *told.get("status", ())]
    return any(value is True for value in told.get("reauth", ())) or any(
        value in _REAUTH for value in says
    )


def _name(value: object) -> str:
    """An error's name, where it is a name and not a sentence."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""


def _retry_at(wish: object, *, at: float) -> float:
    """When to ask again, a day from now at the most: 0, where it is not said or is past.

    digi.me names no unit; its iOS SDK reads a date. So it is read like a Retry-After.
    """
    wait = retry_after(wish, at=at)
    return at + wait if wait > 0 else 0
