"""Asks for pages of transactions before they are needed, several at a time.

A page that has come tells where the next one begins, and full pages where further ones begin.
Which accounts come next is known, too. Whether a page meets the one before it, the reader checks:
an early page that does not is asked for again in its turn. So a reader gets what it would get if it
asked for one page after the other.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from functions.connectors.banno.answers import OVERLAP, PAGE
from functions.core.errors import FreshetError, ProviderUnavailable, RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from functions.connectors.banno.answers import Transactions

AT_ONCE: Final = 12
"""The most requests at a time."""

SMALL_PAGES: Final = 12
"""A list of fewer full pages is asked for its next page only, once one has come: nothing is asked
for behind its end."""

STEP_PAGES: Final = 5
"""From ``SMALL_PAGES`` on and with each so many full pages more, a list is asked one page farther
ahead: what is asked for behind its end is less than a fifth of it."""

MOST_BYTES: Final = 32 * 1024 * 1024
"""The most that pages may take that wait to be read, each as much as the largest so far."""


class _Early(NamedTuple):
    """A page asked for early, while ``behind`` pages before it may not have come yet."""

    coming: Future[Transactions]
    behind: int


class _List:
    """An account's list: the pages that wait to be read, and where the next one begins."""

    def __init__(self, account: str, offset: int = 0) -> None:
        self.account, self.offset = account, offset
        self.pages: dict[int, _Early] = {}
        self.deletions: deque[Sequence[str]] = deque(maxlen=AT_ONCE)
        self.keys: set[str] = set()
        self.full = self.running = 0
        self.ends = False

    def note(self, offset: int, page: Transactions) -> None:
        """Go by the rules by which the list is read, see ``transactions``."""
        keys = {row.key for row in page.rows}
        self.ends = keys <= self.keys
        self.keys = keys
        self.full = self.full + 1 if len(page.rows) >= PAGE else 0
        if self.offset == offset + PAGE - OVERLAP:  # nothing was asked for behind this page
            self.offset = offset + len(page.rows) - min(OVERLAP, len(page.rows) // 2)


class Ask(Protocol):
    """Asks an account for the page at an offset; early, only if the budget has a turn at once."""

    def __call__(self, account: str, offset: int, /, *, early: bool) -> Transactions:
        """Send the request."""


class Ahead:
    """The pages of one user's accounts, for one thread to take in order."""

    def __init__(self, ask: Ask) -> None:
        """Take how an account is asked for a page."""
        self._ask, self._pool, self._lock = ask, ThreadPoolExecutor(AT_ONCE), Lock()
        self._lists = [_List("")]
        self._running = self._largest = 0
        self._limited: RateLimited | None = None
        self._stopped = False

    def close(self) -> None:
        """Ask for nothing more, and wait for what is under way."""
        with self._lock:
            self._lists = []
        self._pool.shutdown(cancel_futures=True)

    def turn_to(self, account: str, *, then: Sequence[str]) -> None:
        """Take the account that is read now, and those that come next."""
        with self._lock:
            known = {each.account: each for each in self._lists}
            wanted = (account, *then[: AT_ONCE - 1])
            self._lists = [known.get(each) or _List(each) for each in wanted]

    def take(self, offset: int, *, meets: Callable[[Transactions], bool]) -> Transactions:
        """The page at an offset. Deletions that it may be older than are in it, too.

        Raises:
            RateLimited: the provider said so to any request.
        """
        with self._lock:
            self._plan()  # first, as it may ask for this very page
            early = self._lists[0].pages.pop(offset, None)
            self._plan()
        page, behind = None, 0
        if early is not None:
            try:
                page, behind = early.coming.result(), early.behind
            except RateLimited as error:
                if not error.unsent:  # else the budget had no turn at once
                    raise
        if page is None or not meets(page):
            page, behind = self._begin(offset).result(), 0
        told = self._lists[0].deletions
        told.append(page.deletions)
        late = [*told][-1 - behind :]
        return page._replace(deletions=[*dict.fromkeys(id_ for ids in late for id_ in ids)])

    def _begin(self, offset: int) -> Future[Transactions]:
        """Ask for the page at an offset now. What was asked for early of another course is lost."""
        with self._lock:
            if self._limited is not None:
                raise self._limited
            if offset != self._lists[0].offset or self._lists[0].pages:
                self._lists[0] = _List(self._lists[0].account, offset)
            coming = self._send(self._lists[0], early=False)
            self._plan()
            return coming

    def _plan(self) -> None:
        """Ask ahead: the list that is read now by its window, and all page by page."""
        if not self._lists or not self._largest or self._stopped:
            return
        first = self._lists[0]
        room = MOST_BYTES // self._largest - sum(len(each.pages) for each in self._lists)
        window = min(max(0, (first.full - SMALL_PAGES) // STEP_PAGES + 1), AT_ONCE - 1)
        while room > 0 and len(first.pages) < window:
            if self._running >= AT_ONCE:
                return
            offset, behind = first.offset, len(first.pages) + 1
            first.pages[offset] = _Early(self._send(first, early=True), behind)
            room -= 1
        for each in self._lists:
            if self._running >= AT_ONCE - 1 or room <= AT_ONCE:
                return
            # Pages of the first that wait may lie behind its end, and came in any order.
            if not each.ends and not each.running and not (each is first and each.pages):
                offset = each.offset
                each.pages[offset] = _Early(self._send(each, early=True), behind=0)
                room -= 1

    def _send(self, of: _List, *, early: bool) -> Future[Transactions]:
        offset, of.offset = of.offset, of.offset + PAGE - OVERLAP
        self._running += 1
        of.running += 1
        return self._pool.submit(self._run, of, offset, early=early)

    def _run(self, of: _List, offset: int, *, early: bool) -> Transactions:
        try:
            page = self._ask(of.account, offset, early=early)
        except FreshetError as error:
            with self._lock:
                self._running -= 1
                of.ends = True
                self._stopped = self._stopped or isinstance(error, ProviderUnavailable)
                if isinstance(error, RateLimited) and not error.unsent:
                    self._limited = error
            raise
        with self._lock:
            self._running -= 1
            of.running -= 1
            self._largest = max(self._largest, page.size, 1)
            of.note(offset, page)
            self._plan()
        return page
