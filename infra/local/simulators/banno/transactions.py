"""Transactions made up one at a time from their account and their number, and never stored.

An account with a million of them costs nothing until pages are asked for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.local.simulators.banno.instants import stamp

if TYPE_CHECKING:
    from infra.local.simulators.banno.institution import AccountSeed

_FIRST_DAY = datetime(2023, 1, 2, tzinfo=UTC).timestamp()
_DAYS = 1000
DAY = 86_400
_PENDING = 3
_ODD, _ODD_INVERSE, _32_BITS = 0x9E3779B1, pow(0x9E3779B1, -1, 1 << 32), 0xFFFFFFFF
_ID_LENGTH = 36

_MERCHANTS = (
    ("POS PURCHASE THISTLE & OAK GROCERS", "Thistle & Oak", "Springfield", "MO", "Groceries"),
    ("CAFÉ ZOË ☕ #12 — crème brûlée", "Café Zoë", "Montréal", "QC", "Dining"),
    ("東京ラーメン 渋谷店", "東京ラーメン", "Tokyo", "", "Dining"),
    ("ΒΙΒΛΙΟΠΩΛΕΙΟ «ΚΗΠΟΣ»", "Κήπος", "Athens", "", "Books"),
    ("مقهى الحديقة", "مقهى الحديقة", "Amman", "", "Dining"),
    ('TRANSFER "RENT" \\ SHARE 50/50', "Transfer", "", "", "Transfer"),
    ("ACH CREDIT NIMBUS LABS PAYROLL", "Nimbus Labs", "Monett", "MO", "Income"),
    ("family 👩‍👩‍👧 day, line one\u2028line two", "Fernleaf Park", "Monett", "MO", "Leisure"),
    ("Cafe\u0301 with a combining accent", "Café Deux", "Lyon", "", "Dining"),
    ("<b>BOLD</b> FLOWERS & CO; DROP TABLE", "Bold Flowers", "Branson", "MO", "Gifts"),
)
_TYPES = ("Purchase", "Check", "Deposit", "Transfer", "Fee", "Payment")
_SPECIAL_AMOUNTS = {
    3: "-0.01",
    17: "12.50",
    29: "1250000.00",
    41: "-1048576.33",
    59: "0.00",
    71: "-100.00",
}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a transaction stands: its posted date, its order within it, and when it changed."""

    posted: float
    sequence: int
    updated: float
    status: str


class Source:
    """The transactions with which one account began."""

    def __init__(self, seed: AccountSeed) -> None:
        """Prepares to make up `seed.transactions` of them."""
        self.account_id = seed.id
        self.count = seed.transactions
        digest = hashlib.blake2b(seed.id_space.encode(), digest_size=12).hexdigest()
        self._prefix = (
            f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:]}"
        )

    def id_of(self, number: int) -> str:
        """The id, shaped like a uuid, of the transaction with this number."""
        return f"{self._prefix}{number * _ODD & _32_BITS:08x}"

    def number_of(self, transaction_id: str) -> int | None:
        """The number of the transaction with this id, if it can be one of this account's."""
        prefix, tail = transaction_id[: len(self._prefix)], transaction_id[len(self._prefix) :]
        if prefix != self._prefix or len(transaction_id) != _ID_LENGTH:
            return None
        try:
            return int(tail, 16) * _ODD_INVERSE & _32_BITS
        except ValueError:
            return None

    def placement(self, number: int) -> Placement:
        """Where one of the first `count` stands; they are spread evenly over a thousand days."""
        day = number * _DAYS // self.count
        first_of_day = -(-day * self.count // _DAYS)
        posted = _FIRST_DAY + day * DAY
        pending = number >= max(self.count - _PENDING, _PENDING)
        updated = posted + 72_000 + number % 1000 / 1000
        status = "Pending" if pending else "Reconciled"
        return Placement(posted, number - first_of_day + 1, updated, status)

    def render(self, number: int, place: Placement) -> dict[str, object]:
        """The transaction as Banno's API shows it."""
        luck = _luck(self.account_id, number)
        memo, name, city, state, category = _MERCHANTS[luck % len(_MERCHANTS)]
        posted = stamp(place.posted)
        return {
            "id": self.id_of(number),
            "accountId": self.account_id,
            "amount": _amount(luck, number),
            "currency": "USD",
            "memo": f"{memo} {luck % 10_000:04d}",
            "filteredMemo": memo,
            "displayName": name,
            "displayCity": city,
            "displayState": state,
            "type": _TYPES[(luck >> 8) % len(_TYPES)],
            "subtype": category,
            "checkNumber": str(1000 + number) if number % 23 == 0 else "",
            "datePosted": posted,
            "date": posted,
            "pendingStatus": place.status,
            "sequence": place.sequence,
            "lastUpdated": stamp(place.updated),
            "notes": "",
            "tags": ["garden"] if number % 11 == 0 else [],
            "receiptImageIds": [],
            "checkImageIds": [],
            "userImageIds": [],
            "providerImageIds": [],
            "hasProviderImages": False,
            "merchant": {"name": name, "category": category, "location": {"city": city}},
            "enrichments": {"cleanMemo": name, "expenseCategory": category},
            "EDIAvailable": False,
        }


def _luck(account_id: str, number: int) -> int:
    digest = hashlib.blake2b(f"{account_id}:{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest)


def _amount(luck: int, number: int) -> str:
    special = _SPECIAL_AMOUNTS.get(number % 100)
    if special is not None:
        return special
    dollars, cents = divmod((luck >> 16) % 25_000 + 1, 100)
    sign = "" if (luck >> 40) % 8 == 0 else "-"
    return f"{sign}{dollars}.{cents:02d}"
