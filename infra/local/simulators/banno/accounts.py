"""Accounts and pages of their transactions, as a fetch moves them and Banno's API shows them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.local.simulators.banno.institution import (
    INSTITUTION_ID,
    NAME,
    ROUTING_NUMBER,
    make_id,
)
from infra.local.simulators.banno.replies import ApiError, read_instant
from infra.local.simulators.banno.transactions import Register, Window
from infra.local.simulators.replies import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.datastructures import MultiDict

    from infra.local.simulators.banno.institution import AccountSeed
    from infra.local.simulators.banno.settings import Settings

_LAST_REGULAR_FETCH = datetime(2025, 10, 1, 4, 30, tzinfo=UTC).timestamp()


class Account:
    """One account: its seed, its transactions, and what the last fetch did to it.

    Banno's guide says that `fetchedDate` is when the balance was last fetched successfully. The
    words in `status` and `lastLoginFailure` are not published; those here are invented.
    """

    def __init__(self, seed: AccountSeed) -> None:
        """Starts as the institution's own nightly fetch left it."""
        self.seed = seed
        self.register = Register(seed)
        self._fetched = _LAST_REGULAR_FETCH
        self._fetches = 0
        self._failed = False

    @property
    def balance(self) -> str:
        """The balance as of the last successful fetch; each moves it."""
        return money(self._cents("balance", 2_000_000) - 100_000)

    @property
    def number(self) -> str:
        """The full account number."""
        return str(10**9 + int(make_id(self.seed.id, "number").replace("-", ""), 16) % 10**9)

    def refresh(self, at: float, settings: Settings) -> None:
        """Apply a successful fetch: fresh balance and date, and the changes switched on."""
        self._fetched, self._failed = at, False
        self._fetches += 1
        if not self.seed.transactions:
            return
        for _ in range(settings.removed_per_fetch):
            self.register.remove_first(at)
        self.register.amend(at, count=settings.updated_per_fetch)
        for _ in range(settings.added_per_fetch):
            self.register.add(at)

    def fail(self) -> None:
        """Apply a failed fetch: everything stays, and the account says that it failed."""
        self._failed = True

    def news(self) -> dict[str, object]:
        """The fields of an event about this account's balance."""
        fetched = stamp(self._fetched)
        return {"accountId": self.seed.id, "balance": self.balance, "fetchedDate": fetched}

    def types(self) -> dict[str, object]:
        """The account's types, as pages of transactions repeat them."""
        kind = self.seed.kind
        return {"accountType": kind.account_type, "accountSubType": kind.sub_type}

    def render(self) -> dict[str, object]:
        """The account as Banno's API shows it."""
        seed = self.seed
        return {
            "id": seed.id,
            "name": seed.kind.name,
            "numbers": f"x{self.number[-4:]}",
            **self.types(),
            "accountHolderName": seed.holder,
            "accountStatus": "Active",
            "status": "FetchFailed" if self._failed else "Ok",
            "lastLoginFailure": "InstitutionUnavailable" if self._failed else None,
            "fetchedDate": stamp(self._fetched),
            "balance": self.balance,
            "availableBalance": self.balance,
            "routingNumber": ROUTING_NUMBER,
            "institution": {"id": INSTITUTION_ID, "name": NAME},
            "loginId": make_id(seed.owner, "login"),
            "insuredStatus": "notApplicable",
            **self._preferences(),
            **self._terms(),
        }

    def _preferences(self) -> dict[str, object]:
        return {
            "hidden": False,
            "active": True,
            "favorited": self.seed.position == 0,
            "sortIndex": self.seed.position,
            "contributesToAggregateTotals": True,
            "lowFundsAlertEnabled": False,
            "lowFundsAlertThreshold": "50.00",
            "canCreatePayments": self.seed.position == 0,
            "canTransferFrom": self.seed.kind.account_type == "Deposit",
            "hasRewards": self.seed.kind.sub_type == "Credit Card",
        }

    def _terms(self) -> dict[str, object]:
        match self.seed.kind.account_type:
            case "Deposit":
                return {"regD": {"restricted": False, "count": 0}}
            case "Line of Credit":
                return {
                    "creditLimit": "25000.00",
                    "availableCredit": money(2_500_000 - self._cents("balance", 2_000_000)),
                    "paymentDueDate": "2025-10-20",
                    "paymentDueAmount": "125.50",
                    "minimumPaymentDue": "25.00",
                }
            case "Debt":
                return {
                    "payoffBalance": self.balance,
                    "principalAmount": self.balance,
                    "interestRate": "3.875",
                    "interestBalance": "0.00",
                    "originationDate": "2019-05-17",
                }
        return {}

    def _cents(self, purpose: str, below: int) -> int:
        text = f"{self.seed.id}:{purpose}:{self._fetches}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) % below


def money(cents: int) -> str:
    """An amount as Banno writes it: a decimal string, negative where need be."""
    dollars, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{dollars}.{rest:02d}"


MOST = 500
_LONGEST_NUMBER = 9


def page(account: Account, asked: MultiDict[str, str], *, settings: Settings) -> dict[str, object]:
    """The answer to a request for transactions.

    Args:
        account: the account that has the transactions.
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
        "inactivatedTransactionIds": account.register.list_removed(window),
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
