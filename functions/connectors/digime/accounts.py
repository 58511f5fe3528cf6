"""The user's accounts: digi.me's word on each, in the shapes that are in circulation.

The guide Querying Data has an account's error as ``{status, statusCode, message}``, the iOS SDK
for v1.6 as ``{code, statuscode, error: {message, retryafter}}``, the guide Reauthorizing Account
as ``{code, statusCode, error: {message, reauth}}``, later SDKs as ``{code, statusCode, message,
reauth, retryAfter}``. So each field is looked for in the error and in the error within it, in
any case.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from functions.connectors.digime.tokens import Text
from functions.connectors.http.answers import (
    elements,
    is_json,
    members,
    read,
    read_apart,
    read_leniently,
    retry_after,
)
from functions.core.errors import UnexpectedAnswer
from functions.core.model import Evidence, Part, PartState
from functions.core.ports import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

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


class _Service(msgspec.Struct, frozen=True):
    name: str | None = None


class _Shown(msgspec.Struct, frozen=True):
    name: str | None = None
    service: _Service | None = None


def records(content: bytes) -> tuple[list[Record], bool]:
    """Read ``accounts.json``: a record per account with an id, and whether all have one.

    Raises:
        UnexpectedAnswer: it is no list of accounts, or none of them has an id.
    """
    rows = elements(members(content).get("accounts", msgspec.Raw(b"")))
    found = [record for record in map(_record, rows) if record]
    if rows and not found:
        raise UnexpectedAnswer
    return found, len(found) == len(rows)


def find_labels(found: Iterable[Record]) -> dict[str, str]:
    """What digi.me calls each account: the name of the service, and the user's there."""
    return {record.id: _find_label(record.data) for record in found}


def _find_label(raw: msgspec.Raw) -> str:
    shown = read_leniently(raw, _Shown) or _Shown()
    service = shown.service.name if shown.service else None
    return ", ".join(name for name in (service, shown.name) if name)


def _record(raw: msgspec.Raw) -> Record | None:
    try:
        return Record(read_apart(raw, _Account).id, raw) if is_json(raw) else None
    except UnexpectedAnswer:
        return None


def states(status: Status, *, since: float, at: float) -> tuple[Part, ...]:
    """The state of each account when all has ended; ``at`` is now.

    digi.me does not date the accounts: a completed one is as fresh as the trigger, ``since``. One
    that is neither completed nor has an error was given up; one that cannot be read has failed.
    Where a library is partial and no named account failed, an unnamed one did.
    """
    try:
        details = members(status.details)
    except UnexpectedAnswer:
        details = {}
    parts = tuple(_state(id_, raw, since=since, at=at) for id_, raw in details.items())
    if status.state == "partial" and all(part.state is PartState.FRESH for part in parts):
        some = replace(_completed(UNNAMED, since), state=PartState.INCOMPLETE, why="AccountFailed")
        return (*parts, some)
    return parts


def _state(account: str, raw: msgspec.Raw, *, since: float, at: float) -> Part:
    try:
        detail = read(raw, _Detail)
    except UnexpectedAnswer as odd:
        return Part(part=account, state=PartState.FAILED, why=odd.name())
    if detail.state == "completed" and not detail.error:
        return _completed(account, since)
    codes = [*_values(detail.error, "code"), *_values(detail.error, "status")]
    says = [*codes, *_values(detail.error, "statuscode")]
    # digi.me names no unit of retryAfter; its iOS SDK reads a date: so read it like Retry-After.
    waits = (retry_after(wish, at=at) for wish in _values(detail.error, "retryafter"))
    wait = next((wait for wait in waits if wait > 0), 0)
    return Part(
        part=account,
        state=PartState.FAILED,
        why=next(filter(_is_name, codes), "AccountFailed" if detail.error else "GivenUp"),
        reauth=any(value is True for value in _values(detail.error, "reauth"))
        or any(value in _REAUTH for value in says),
        retry_at=at + wait if wait else 0,
    )


def _completed(account: str, since: float) -> Part:
    return Part(part=account, state=PartState.FRESH, as_of=since, evidence=Evidence.COMPLETED)


def _values(error: object, name: str) -> list[Any]:
    """An error's values of a field, in any case: its own, then those of the error within it."""
    found: list[Any] = []
    while isinstance(error, dict):
        found += [value for field, value in error.items() if field.lower() == name]
        error = error.get("error")
    return found


def _is_name(value: object) -> bool:
    """Whether an error's code is a name and not a sentence."""
    return isinstance(value, str) and _CODE.fullmatch(value) is not None
