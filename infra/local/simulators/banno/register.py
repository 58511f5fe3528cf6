"""One account's transactions in the order in which pages are cut from them, and what changed."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from infra.local.simulators.banno.transactions import DAY, Placement, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.local.simulators.banno.institution import AccountSeed


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
        """How many transactions the account has now."""
        return len(self._order)

    def select(self, window: Window) -> Sequence[int]:
        """The numbers of the transactions in a window, by posted date, then sequence."""
        with self._lock:
            order = self._order
            low = 0 if window.since is None else bisect_left(order, window.since, key=self._posted)
            high = len(order)
            if window.until is not None:
                high = bisect_right(order, window.until, key=self._posted)
            chosen = order[low:high]
            if window.updated_since is None:
                return chosen
            after = window.updated_since
            return [number for number in chosen if self._place(number).updated >= after]

    def removed(self, window: Window) -> list[str]:
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

    def _posted(self, number: int) -> float:
        return self._place(number).posted
