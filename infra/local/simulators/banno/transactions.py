"""Transactions made up one at a time from their account and number, and which are listed.

An account with a million of them costs nothing until pages are asked for.
"""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.local.simulators.replies import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """A transaction's place: its posted date, its order within it, and when it changed."""

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
        """The place of one of the first `count`, spread evenly over a thousand days."""
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


@dataclass(frozen=True, slots=True)
class Window:
    """Which transactions are asked for, in seconds since 1970; both ends belong to the window."""

    since: float | None = None
    until: float | None = None
    updated_since: float | None = None


class Register:
    """Begins as the seeded transactions and remembers only what differs from them."""

    def __init__(self, seed: AccountSeed) -> None:
        """Starts with the account's seeded transactions, oldest first."""
        self._source = Source(seed)
        self._lock = threading.RLock()
        self._order: Sequence[int] = range(self._source.count)
        self._next = self._source.count
        self._placed: dict[int, Placement] = {}
        self._removed: dict[str, float] = {seed.tombstone: 0.0} if seed.tombstone else {}

    def __len__(self) -> int:
        """The number of transactions that the account has now."""
        return len(self._order)

    def select(self, window: Window) -> Sequence[int]:
        """The numbers of the transactions in a window, by posted date, then sequence."""
        with self._lock:
            order = self._order
            low = (
                0
                if window.since is None
                else bisect_left(order, window.since, key=self._posting_time)
            )
            high = len(order)
            if window.until is not None:
                high = bisect_right(order, window.until, key=self._posting_time)
            chosen = order[low:high]
            if window.updated_since is None:
                return chosen
            after = window.updated_since
            return [number for number in chosen if self._place(number).updated >= after]

    def list_removed(self, window: Window) -> list[str]:
        """Ids of transactions that are no more, since `updated_since` where that is asked."""
        after = window.updated_since or 0.0
        with self._lock:
            return [gone for gone, instant in self._removed.items() if instant >= after]

    def render(self, numbers: Sequence[int]) -> list[dict[str, object]]:
        """The transactions with these numbers as Banno shows them."""
        with self._lock:
            return [self._source.render(number, self._place(number)) for number in numbers]

    def find(self, transaction_id: str) -> dict[str, object] | None:
        """One transaction by its id, if the account has it now."""
        number = self._source.number_of(transaction_id)
        with self._lock:
            if number is None or number not in self._order:
                return None
            return self.render([number])[0]

    def add(self, at: float) -> None:
        """A new pending transaction, posted on the day of `at`: the last one in order."""
        with self._lock:
            day = at // DAY * DAY
            last = self._place(self._order[-1]) if self._order else None
            sequence = last.sequence + 1 if last and last.posted >= day else 1
            posted = max(day, last.posted) if last else day
            self._insert(len(self._order), Placement(posted, sequence, at, "Pending"))

    def back_date(self, at: float) -> None:
        """A transaction that appears before all others, so that every later offset shifts up."""
        with self._lock:
            if self._order:
                first = self._place(self._order[0])
                place = replace(first, sequence=first.sequence - 1, updated=at)
                self._insert(0, place)

    def amend(self, at: float, *, count: int) -> None:
        """Changes the last `count` transactions: hard-posted now, and updated at `at`."""
        with self._lock:
            for number in self._order[len(self._order) - min(count, len(self._order)) :]:
                place = replace(self._place(number), updated=at, status="Reconciled")
                self._placed[number] = place

    def remove_first(self, at: float) -> None:
        """Takes the first transaction away, so that every later offset shifts down."""
        with self._lock:
            if self._order:
                gone, *self._order = self._order
                self._removed[self._source.id_of(gone)] = at

    def _insert(self, index: int, place: Placement) -> None:
        order = list(self._order)
        order.insert(index, self._next)
        self._order, self._placed[self._next] = order, place
        self._next += 1

    def _place(self, number: int) -> Placement:
        return self._placed.get(number) or self._source.placement(number)

    def _posting_time(self, number: int) -> float:
        return self._place(number).posted
