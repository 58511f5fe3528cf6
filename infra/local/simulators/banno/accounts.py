"""Accounts: what a fetch moves, and how Banno's API shows them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.local.simulators.banno.instants import stamp
from infra.local.simulators.banno.institution import (
    INSTITUTION_ID,
    NAME,
    ROUTING_NUMBER,
    made_id,
)
from infra.local.simulators.banno.register import Register

if TYPE_CHECKING:
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
        return str(10**9 + int(made_id(self.seed.id, "number").replace("-", ""), 16) % 10**9)

    def refreshed(self, at: float, settings: Settings) -> None:
        """What a successful fetch does: fresh balance and date, and the changes switched on."""
        self._fetched, self._failed = at, False
        self._fetches += 1
        if not self.seed.transactions:
            return
        for _ in range(settings.removed_per_fetch):
            self.register.remove_first(at)
        self.register.amend(at, count=settings.updated_per_fetch)
        for _ in range(settings.added_per_fetch):
            self.register.add(at)

    def failed(self) -> None:
        """What a failed fetch does: everything stays, and the account says that it failed."""
        self._failed = True

    def news(self) -> dict[str, object]:
        """What an event about this account's balance tells."""
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
            "loginId": made_id(seed.owner, "login"),
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
