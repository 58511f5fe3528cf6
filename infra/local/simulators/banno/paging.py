"""How pages of transactions are asked for and cut, after Banno's transactions reference.

`offset` counts from zero and `limit` goes up to 500; without both there is no paging. `since` and
`until` include their instants, compare with the posted date, and don't go with `updatedSince`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.local.simulators.banno.instants import read_instant
from infra.local.simulators.banno.register import Window
from infra.local.simulators.banno.replies import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.datastructures import MultiDict

    from infra.local.simulators.banno.accounts import Account
    from infra.local.simulators.banno.settings import Settings

MOST = 500
_LONGEST_NUMBER = 9


def page(account: Account, asked: MultiDict[str, str], *, settings: Settings) -> dict[str, object]:
    """The answer to a request for transactions.

    Args:
        account: whose transactions.
        asked: the query.
        settings: what becomes of a `limit`, and how a page repeats it.

    Raises:
        ApiError: 400, a value is not what it should be, or values don't go together.
    """
    window = _window(asked)
    cut = _cut(asked, clamp=settings.limit_above_500 == "clamp")
    numbers = account.register.select(window)
    if cut:
        rows = min(cut["limit"], settings.page_cap)
        numbers = numbers[cut["offset"] : cut["offset"] + rows]
        echoes = {"used": {"limit": rows}, "asked": {"limit": cut["limit"]}, "none": {}}
        cut = {"offset": cut["offset"], **echoes[settings.limit_echo]}
    return {
        **_transactions(account, numbers),
        "inactivatedTransactionIds": account.register.removed(window),
        "account": account.types(),
        **cut,
    }


def whole_number(text: str) -> int | None:
    """A number from zero written in at most nine digits and nothing else; otherwise None."""
    digits = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if digits else None


def _transactions(account: Account, numbers: Sequence[int]) -> dict[str, object]:
    """An account that has none shows it in three ways, of which clients must know each."""
    if len(account.register):
        return {"transactions": account.register.render(numbers)}
    ways: tuple[dict[str, object], ...] = ({}, {"transactions": None}, {"transactions": []})
    return ways[account.seed.position % len(ways)]


def _window(asked: MultiDict[str, str]) -> Window:
    window = Window(*(_instant(asked, name) for name in ("since", "until", "updatedSince")))
    if window.updated_since is not None and (window.since, window.until) != (None, None):
        raise ApiError(400, "updatedSince can't be combined with since or until.")
    return window


def _cut(asked: MultiDict[str, str], *, clamp: bool) -> dict[str, int]:
    offset, limit = _number(asked, "offset"), _number(asked, "limit")
    if offset is None and limit is None:
        return {}
    limit = MOST if limit is None else limit
    if limit == 0 or (limit > MOST and not clamp):
        raise ApiError(400, f"limit is from 1 to {MOST}.")
    return {"offset": offset or 0, "limit": min(limit, MOST)}


def _instant(asked: MultiDict[str, str], name: str) -> float | None:
    text = _single(asked, name)
    try:
        return None if text is None else read_instant(text)
    except ValueError:
        raise ApiError(400, f"{name} is not an ISO 8601 instant.") from None


def _number(asked: MultiDict[str, str], name: str) -> int | None:
    text = _single(asked, name)
    if text is None:
        return None
    number = whole_number(text)
    if number is None:
        raise ApiError(400, f"{name} is not a whole number from 0.")
    return number


def _single(asked: MultiDict[str, str], name: str) -> str | None:
    values = asked.getlist(name)
    if len(values) > 1:
        raise ApiError(400, f"{name} is given more than once.")
    return values[0] if values else None
