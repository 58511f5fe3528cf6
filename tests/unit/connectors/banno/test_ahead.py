"""Pages that are asked for early: how many, how far ahead, and what a reader gets of them."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest

from functions.connectors.banno.ahead import AT_ONCE, MOST_BYTES, SMALL_PAGES, STEP_PAGES, Ahead
from functions.connectors.banno.answers import OVERLAP, PAGE, Row, Transactions
from functions.core.errors import FreshetError, NotFound, ProviderUnavailable, RateLimited
from functions.core.ports import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STRIDE = PAGE - OVERLAP
RAW = msgspec.Raw(b"{}")


class Lists:
    """Accounts whose lists stand still; what is asked of them, and how much of it at a time."""

    def __init__(self, rows: Mapping[str, int], *, size: int = 1, seconds: float = 0.002) -> None:
        self._rows, self._size, self._seconds = rows, size, seconds
        self._lock = threading.Lock()
        self._running = 0
        self.asked: list[tuple[str, int]] = []
        self.at_once = 0
        self.busy = False
        """Whether the budget has a turn only for who waits for it."""
        self.errors: dict[tuple[str, int], FreshetError] = {}
        self.deletions: dict[tuple[str, int], list[str]] = {}

    def ask(self, account: str, offset: int, *, early: bool) -> Transactions:
        if early and self.busy:
            raise RateLimited(unsent=True)
        with self._lock:
            self.asked.append((account, offset))
            self._running += 1
            self.at_once = max(self.at_once, self._running)
        time.sleep(self._seconds)
        with self._lock:
            self._running -= 1
        if error := self.errors.get((account, offset)):
            raise error
        ids = [f"{account}{each}" for each in range(self._rows[account])[offset : offset + PAGE]]
        rows = [Row(id_, Record(id_, RAW)) for id_ in ids]
        return Transactions(rows, self.deletions.get((account, offset), []), 0, self._size)

    def read(self) -> Iterator[Transactions]:
        """All pages, each account's up to one that shows nothing new, as the connector does."""
        with closing(Ahead(self.ask)) as ahead:
            accounts = sorted(self._rows)
            for number, account in enumerate(accounts):
                ahead.turn_to(account, then=accounts[number + 1 :])
                offset, last, seen = 0, "", 0
                while True:
                    page = ahead.take(offset, meets=partial(shows, last=last))
                    yield page
                    new = offset + len(page.rows) - seen
                    if new <= 0:
                        break
                    seen, last = seen + new, page.rows[-1].key
                    offset += len(page.rows) - min(OVERLAP, len(page.rows) // 2)


def shows(page: Transactions, *, last: str) -> bool:
    return not last or last in {row.key for row in page.rows}


def slowly(pages: Iterator[Transactions]) -> Iterator[Transactions]:
    for page in pages:
        time.sleep(0.05)
        yield page


@pytest.mark.parametrize("pages", [1, 2, 5, SMALL_PAGES - 1, SMALL_PAGES, 17, 22, 62, 67, 150])
def test_a_list_is_asked_for_less_than_a_fifth_behind_its_end(pages: int) -> None:
    lists = Lists({"a": pages * STRIDE + OVERLAP})
    read = len([*lists.read()])
    behind = len(lists.asked) - read
    assert len(lists.asked) == len(set(lists.asked))
    assert behind < read / 5 if pages >= SMALL_PAGES else behind == 0
    assert lists.at_once <= 2 + max(0, read - SMALL_PAGES) // STEP_PAGES


def test_a_long_list_and_several_accounts_are_asked_for_at_once_and_within_bounds() -> None:
    long, several = Lists({"a": 200 * STRIDE}), Lists(dict.fromkeys("abcdefghijklmnop", 3 * PAGE))
    assert len([*long.read()]) >= 200
    read = [page.rows[0].key[0] for page in several.read()]
    assert read == sorted(read)
    assert 2 <= long.at_once <= AT_ONCE
    assert 2 <= several.at_once <= AT_ONCE


def test_accounts_that_come_next_are_asked_for_nothing_in_vain() -> None:
    lists = Lists({"a": 4 * PAGE, "b": 3 * PAGE, "c": 0, "d": 20, "e": 700})
    assert len([*lists.read()]) == len(lists.asked) == len(set(lists.asked))


@pytest.mark.parametrize("most", [0, 3])
def test_pages_that_wait_take_no_more_than_what_there_is_for_them(most: int) -> None:
    lists = Lists(dict.fromkeys("abcdefgh", 9 * PAGE), size=MOST_BYTES // (AT_ONCE + most or 1))
    pages = lists.read()
    next(pages)
    time.sleep(0.1)
    assert len(lists.asked) - 1 <= most
    assert len([*pages]) > 70


def test_a_page_that_does_not_meet_the_one_before_is_asked_for_again() -> None:
    lists = Lists({"a": 5 * PAGE, "b": 3 * PAGE})
    with closing(Ahead(lists.ask)) as ahead:
        ahead.turn_to("a", then=["b"])
        ahead.take(0, meets=lambda _: True)
        time.sleep(0.05)
        ahead.turn_to("b", then=[])
        assert lists.asked.count(("b", STRIDE)) == 1
        ahead.take(0, meets=lambda _: True)
        page = ahead.take(STRIDE, meets=lambda _: False)
    assert page.rows[0].key == f"b{STRIDE}"
    assert lists.asked.count(("b", STRIDE)) == 2


@pytest.mark.parametrize("error", [RateLimited(), ProviderUnavailable(), NotFound()])
def test_where_the_first_page_fails_nothing_else_is_asked_for(error: FreshetError) -> None:
    lists = Lists({"a": 5 * PAGE, "b": 3 * PAGE})
    lists.errors["a", 0] = error
    with pytest.raises(type(error)):
        next(lists.read())
    assert lists.asked == [("a", 0)]


def test_after_429_nothing_new_is_asked_for_and_what_has_come_is_read() -> None:
    lists = Lists(dict.fromkeys("abcd", 2 * PAGE))
    lists.errors["b", 0] = RateLimited(wait_seconds=7)
    read: list[str] = []
    with pytest.raises(RateLimited) as caught:
        read.extend(page.rows[0].key for page in slowly(lists.read()))
    assert caught.value.wait_seconds == 7
    assert read[:1] == ["a0"]
    assert lists.asked.count(("b", 0)) == 1
    assert len(lists.asked) <= 1 + AT_ONCE


def test_where_the_budget_has_no_turn_at_once_pages_are_asked_for_one_after_the_other() -> None:
    lists = Lists({"a": 30 * STRIDE, "b": 3 * PAGE})
    lists.busy = True
    assert len([*lists.read()]) == len(lists.asked)
    assert lists.at_once == 1


def test_a_deletion_is_told_with_each_page_that_may_be_older_than_it() -> None:
    lists = Lists({"a": 40 * STRIDE})
    at = 30 * STRIDE
    lists.deletions["a", at] = ["a7"]
    told = [page.deletions for page in lists.read()]
    first = told.index(["a7"])
    assert first == 30
    assert told[first + 1] == ["a7"]
    assert told[first + 1 + AT_ONCE :] == [[]] * len(told[first + 1 + AT_ONCE :])
