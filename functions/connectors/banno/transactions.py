"""Reads an account's transactions: in full or only what has changed, page by page.

Banno's transactions reference has a filter `updatedSince` and says little of what an update is.
So it is asked from well before the last refresh, only about accounts that this one had read, and
never for long: the state machine has everything read again now and then.

A window is sent as `since`, which Banno does not take together with `updatedSince`. So changes of
transactions that were posted before the window are left out here. If the window has changed since
the last snapshot, everything is read again.

It has pages by `offset` and `limit`, without a total, a word for the last one, or a promise that
a list stands still. So each page is to show some rows of the one before, and a list has ended
where a page shows nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from functions.connectors.banno.answers import OVERLAP, PAGE, is_posted_before
from functions.core.errors import (
    AnswerTooLarge,
    ConsentMissing,
    FreshetError,
    Gone,
    NotFound,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)
from functions.core.model import Evidence, Part, PartState, instant, iso, read_instant
from functions.core.ports import Page, ReadMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from functions.connectors.banno.ahead import Ahead
    from functions.connectors.banno.answers import Transactions
    from functions.core.contract import Bookmark, Cursor
    from functions.core.model import Connection
    from functions.core.ports import PreviousSnapshot, Record

NAME: Final = "transactions"

_WINDOW: Final = ""
"""Name of the window in a bookmark: no account's id is empty."""

OVERLAP_SECONDS: Final = 60 * 60
"""An update may have happened so long before the last refresh and not been seen by it. What is read
twice for it does no harm."""


REREADS: Final = 3
MOST_REREADS: Final = 12
"""The most times that a list that has moved by more is read again: before a pause, at all."""

SAME_PAGES: Final = 2
"""So many pages in a row that are the page before, though they began at other offsets, and the
provider does not go by offsets: one may be chance, where a list grows as it is read."""

_GONE: Final = (NotFound, Gone)
_ONE_ACCOUNTS: Final = (*_GONE, ConsentMissing, UnexpectedAnswer, AnswerTooLarge)
"""Errors of one account's transactions, and maybe no other's; of the first two that is certain."""


def find_window(connection: Connection) -> str:
    """The instant from which on posted transactions are wanted; empty without one."""
    since = connection.params.get(NAME, {}).get("since")
    return iso(instant(since)) if since else ""


def beginning(
    previous: PreviousSnapshot | None, *, parts: Iterable[Part], since: float, window: str
) -> ReadMode:
    """Decide how the transactions of these accounts are read: in full, or only their changes.

    Only changes where the accounts are those of the snapshot before: nothing tells that the
    transactions of an account that has gone have gone with it.

    Args:
        parts: how fresh each account is, of all that there are.
        since: when the task was started, by Banno's clock.
        window: as ``find_window`` has it.
    """
    known = previous.bookmarks.get(NAME) if previous else None
    # A stale account's updates may bear any time since its own last fetch; where that is not
    # known, it is read in full.
    bookmark: Bookmark = {part.part: min(since, part.as_of) for part in parts}
    bookmark |= {_WINDOW: window} if window else {}
    same = known is not None and (
        (known.keys(), known.get(_WINDOW)) == (bookmark.keys(), bookmark.get(_WINDOW))
    )
    return ReadMode(incremental=same, bookmark=bookmark)


def find_since(previous: PreviousSnapshot | None, account: str) -> str | None:
    """The instant from which an account's changes are asked for; None: all its transactions are."""
    known = previous.bookmarks.get(NAME, {}).get(account) if previous else None
    return iso(max(0, float(known) - OVERLAP_SECONDS)) if known else None


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place in the transactions of one account.

    Attributes:
        offset: where the next page begins.
        last: the key of the last row of the page before.
        rows: how many rows that page had.
        failures: how much could not be read of the account.
        rereads: how often the list was begun anew.
        came: whether any account's transactions could be had.
        adds: whether they are added to those of the snapshot before.
        put_off: a JSON array of accounts to be tried again.
        second: whether this is one of those.
    """

    account: str
    offset: int = 0
    last: str | None = None
    rows: int = 0
    failures: int = 0
    rereads: int = 0
    came: bool = False
    adds: bool = False
    put_off: str = "[]"
    second: bool = False

    def cursor(self) -> Cursor:
        """The same as a page carries it."""
        cursor: Cursor = msgspec.to_builtins(self)
        return cursor


class Course(NamedTuple):
    """All accounts in the order of reading, how fresh each is, the snapshot before, the window."""

    ids: Sequence[str]
    states: Mapping[str, Part]
    previous: PreviousSnapshot | None
    window: str


class Reading:
    """Reads one account's transactions from a place on."""

    def __init__(self, ahead: Ahead, course: Course, place: Place) -> None:
        """Take where the pages come from."""
        self._ahead, self._course, self._place = ahead, course, place
        ahead.turn_to(place.account, then=self._find_later(place))
        self._had = place.offset > 0
        self._seen: set[str] | None = None
        self._rereads = self._same = 0
        self.following: Place | None = None

    def pages(self) -> Iterator[Page]:
        """Yield the pages, then set ``following``, the place behind them; None: it was the last.

        Ids that come twice are the writer's business; here it only matters that none is missed.

        Raises:
            ProviderUnavailable: ``instead`` puts the account off, or gives it up.
            ConsentMissing, UnexpectedAnswer, AnswerTooLarge: no account's could be had.
        """
        ended = False
        while not ended:
            try:
                page = self._ask_next()
                ended = self._advance(page)
            except RateLimited:
                raise
            except ProviderUnavailable as fault:
                fault.instead = self._find_page_instead(fault)
                raise
            except _ONE_ACCOUNTS as error:
                self.following, given_up = self._give_up(error)
                if given_up is None:
                    raise
                yield given_up
                return
            self._had = True
            self.following = self._find_next(self._place) if ended else self._place
            lacks = ended and self._place.failures > 0
            yield Page(
                dataset=NAME,
                part=self._place.account,
                records=[*self._select_wanted(page)],
                deletions=page.deletions,
                parts=(self._tell_state(PartState.INCOMPLETE, UnexpectedAnswer),) if lacks else (),
                read_modes=self._keep_bookmark() if lacks else {},
                cursor=self.following.cursor() if self.following else None,
            )

    def _select_wanted(self, page: Transactions) -> Iterator[Record]:
        """The records of a page; of changes, only those within the window."""
        begins = read_instant(self._course.window) if self._place.adds else 0
        for row in page.rows:
            if row.record and not (begins and is_posted_before(row.record, begins)):
                yield row.record

    def _ask_next(self) -> Transactions:
        """The next page. If it does not meet the one before, the list is read from its top."""
        while True:
            page = self._ahead.take(self._place.offset, meets=self._meets)
            if self._meets(page):
                return page
            rereads = self._place.rereads + 1
            if rereads > MOST_REREADS:
                raise UnexpectedAnswer
            self._rereads += 1
            if self._rereads > REREADS:
                raise ProviderUnavailable
            self._place = _begin_anew(self._place, rereads=rereads)
            self._seen = set()

    def _meets(self, page: Transactions) -> bool:
        """Tell whether a page shows the last row of the one before; that of a single row cannot."""
        last = self._place.last
        return last is None or self._place.rows == 1 or last in {row.key for row in page.rows}

    def _advance(self, page: Transactions) -> bool:
        """Go on behind a page; whether the list has ended with it.

        It has where the page is empty, or shows only rows that were known and fewer of them than
        the page before: it would have had room for what comes behind.

        Raises:
            UnexpectedAnswer: the same full page comes again and again.
        """
        place, keys = self._place, [row.key for row in page.rows]
        if self._seen is None:
            self._seen = set(keys[: keys.index(place.last) + 1]) if place.last in keys else set()
        new = [row for row in page.rows if row.key not in self._seen]
        self._same = 0 if new else self._same + 1
        stuck = self._same >= SAME_PAGES
        if stuck and len(keys) >= PAGE:
            raise UnexpectedAnswer
        odd = page.odd_deletions if place.offset == 0 else 0
        again = min(OVERLAP if new else 1, len(keys) // 2)
        self._seen = set(keys)
        self._place = replace(
            place,
            offset=place.offset + len(keys) - again,
            last=keys[-1] if keys else None,
            rows=len(keys),
            failures=place.failures + odd + sum(row.record is None for row in new),
            came=True,
        )
        return not keys or stuck or (not new and len(keys) < place.rows)

    def _find_page_instead(self, fault: ProviderUnavailable) -> Page | None:
        """The page to go on with where an account's transactions cannot be had for too long.

        The account is put off first, so that it is seen whether others' can be had.
        """
        place, following = self._place, self._find_next(self._place)
        if following is not None and not (self._had or place.second):
            waiting = msgspec.json.decode(place.put_off, type=list[str])
            put_off = msgspec.json.encode([*waiting, place.account]).decode()
            following = self._find_next(replace(place, put_off=put_off))
            cursor = following.cursor() if following else None
            return Page(dataset=NAME, part=place.account, cursor=cursor)
        return self._give_up(fault)[1]

    def _give_up(self, error: FreshetError) -> tuple[Place | None, Page | None]:
        """The place and page to go on with without the account; no page: none could be had."""
        came = self._place.came or self._had or isinstance(error, _GONE)
        following = self._find_next(replace(self._place, came=came))
        if following is None and not came:
            return None, None
        state = self._tell_state(
            PartState.INCOMPLETE if self._had else PartState.FAILED, type(error)
        )
        return following, Page(
            dataset=NAME,
            part=self._place.account,
            parts=(state,),
            read_modes=self._keep_bookmark(),
            cursor=following.cursor() if following else None,
        )

    def _tell_state(self, state: PartState, error: type[FreshetError]) -> Part:
        account = self._place.account
        known = self._course.states.get(account)
        return Part(
            part=account,
            state=state,
            as_of=known.as_of if known and state is PartState.INCOMPLETE else 0,
            evidence=Evidence.DATED,
            why=error.name(),
            failures=self._place.failures,
            datasets=(NAME,),
        )

    def _keep_bookmark(self) -> dict[str, ReadMode]:
        """The next refresh asks for what this one should have: from when this one asked."""
        previous, account = self._course.previous, self._place.account
        known = (
            previous.bookmarks.get(NAME, {}).get(account) if previous and self._place.adds else None
        )
        return {NAME: ReadMode(incremental=self._place.adds, bookmark={account: known or 0})}

    def _find_next(self, place: Place) -> Place | None:
        """The place behind an account: the next account, then those that were put off."""
        if later := self._find_later(place):
            return replace(_begin_anew(place), account=later[0])
        waiting = msgspec.json.decode(place.put_off, type=list[str])
        if not waiting:
            return None
        put_off = msgspec.json.encode(waiting[1:]).decode()
        return replace(_begin_anew(place), account=waiting[0], put_off=put_off, second=True)

    def _find_later(self, place: Place) -> list[str]:
        return [] if place.second else [id_ for id_ in self._course.ids if id_ > place.account]


def _begin_anew(place: Place, *, rereads: int = 0) -> Place:
    """The place at the top of an account's list."""
    return replace(place, offset=0, last=None, rows=0, failures=0, rereads=rereads)
