"""Reads a user's library page by page, several files at a time, and again what has been rewritten.

Files are read in the order in which they were last written. One that is written again goes to
the end of that order, so that a place in it is enough to go on from.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.connectors import digime_accounts as accounts
from functions.connectors.digime_answers import File
from functions.connectors.digime_api import SessionLost
from functions.connectors.digime_files import Fetched, fetched, opened_file, payload_of, revision
from functions.core.errors import (
    AnswerTooLarge,
    EnvelopeInvalid,
    FetchWaits,
    FreshetError,
)
from functions.core.model import Part, PartState
from functions.core.ports import Beginning, Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from functions.connectors.digime_answers import Listing
    from functions.connectors.digime_api import Api
    from functions.connectors.http_answers import Download
    from functions.core.contract import Cursor
    from functions.core.ports import Sleep

IN_FLIGHT: Final = 5
"""How many files are downloaded at a time: as many as digi.me's own SDKs for phones do."""

PAGE_FILES: Final = 32
PAGE_BYTES: Final = 8 * 1024 * 1024
PAGE_SECONDS: Final = 15
"""A page ends at so many files, bytes of what they hold, or seconds, whichever comes first: a
call that runs out of time loses no more than one page."""

MAX_ACCOUNTS_BYTES: Final = 8 * 1024 * 1024

REREADS: Final = 3
"""How often files that were written while they were read are looked for and read again."""

SETTLE_SECONDS: Final = 3
"""How long to stay away while the library is being written; digi.me's Node SDK waits as long."""

NOT_READY_PAUSES: Final = (0.75, 1.125, 1.7)
"""Seconds after which a file that is listed and not found is asked for again. The iOS SDK
begins like this; files of a library that is complete should not need it."""


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a fetch is. ``session``, sealed, takes the place of the job's; it is the ``losses``-th.

    ``updated`` and ``name`` are of the last file read, ``rereads`` how often all were.
    """

    session: str = ""
    losses: int = 0
    accounts: bool = False
    updated: int = -1
    name: str = ""
    rereads: int = 0

    def cursor(self) -> Cursor:
        """The same as a page carries it."""
        cursor: Cursor = msgspec.to_builtins(self)
        return cursor


class Library:
    """One fetch of one user's library; it lives through the loss of a session."""

    def __init__(
        self,
        api: Api,
        *,
        key: RSAPrivateKey,
        place: Place,
        sleep: Sleep,
        held: Mapping[str, str] | None = None,
    ) -> None:
        """Take the way to digi.me, the key that opens files, and where to go on.

        ``held`` are the files that are there already, with their revisions; None: everything is
        read.
        """
        self._api, self._key, self._sleep = api, key, sleep
        self.place, self._held = place, held
        self._had: dict[str, int] | None = None
        self._from_the_top = place.updated < 0
        self._opened = self._sealed = 0
        self._locked = False

    def pages(
        self, session_key: str, *, datasets: Sequence[str], since: float, at: float
    ) -> Iterator[Page]:
        """What there is from this place on; the last page tells how each account ended.

        Raises:
            SessionLost: go on with another session.
            EnvelopeInvalid: there are files, and not one of them could be opened.
            FetchWaits: digi.me is writing the library again.
        """
        listing = self._settled(session_key)
        if "accounts" in datasets and not self.place.accounts:
            yield self._accounts(session_key)
        due: list[File] = []
        if "files" in datasets:
            while (due := self._due(listing)) and self.place.rereads <= REREADS:
                yield from self._files(session_key, due)
                self.place = replace(self.place, rereads=self.place.rereads + 1)
                listing = self._settled(session_key)
            self._require_one_opened()
        told = accounts.states(listing.status, since=since, at=at)
        yield Page(
            dataset=datasets[-1],
            deletions=self._gone(listing) if "files" in datasets else (),
            parts=(*told, *map(self._stale, due)),
            begins=self._begins(),
        )

    def _begins(self) -> dict[str, Beginning]:
        """The files' revisions stand in their records: there is nothing else to keep in mind."""
        return {"files": Beginning(adds=self._held is not None, bookmark={})}

    def _gone(self, listing: Listing) -> list[str]:
        """The files that are there already and no longer listed."""
        listed = {file.name for file in listing.file_list or []}
        return sorted((self._held or {}).keys() - listed)

    def _require_one_opened(self) -> None:
        """Publish nothing where no file at all could be opened: the key is not the contract's.

        Where only a few are read, these may just be damaged, unless the accounts are closed, too.
        """
        closed = self._locked if self._held else self._sealed
        if self._from_the_top and closed and not self._opened:
            raise EnvelopeInvalid

    def _settled(self, session_key: str) -> Listing:
        listing = self._api.listing(session_key)
        if not listing.status.ended:
            raise FetchWaits(SETTLE_SECONDS)
        return listing

    def _accounts(self, session_key: str) -> Page:
        file = File(name=accounts.NAME, updated_date=0)
        answer = self._downloaded(session_key, file.name)
        found = fetched(file, answer, opened=self._opened_accounts)
        self.place, self._locked = replace(self.place, accounts=True), bool(found.quarantined)
        return self._page("accounts", [found])

    def _opened_accounts(self, file: File, answer: Download) -> Fetched:
        with payload_of(answer, key=self._key, most=MAX_ACCOUNTS_BYTES) as payload:
            return Fetched(file=file, records=accounts.records(payload.read()))

    def _due(self, listing: Listing) -> list[File]:
        """The files that are new, or newer than when they were read, oldest first."""
        files = sorted(listing.file_list or [], key=_order)
        if self._had is None:
            place, held = (self.place.updated, self.place.name), self._held or {}
            self._had = {
                file.name: file.updated_date
                for file in files
                if _order(file) <= place or held.get(file.name) == revision(file)
            }
        had = self._had
        return [file for file in files if had.get(file.name, -1) < file.updated_date]

    def _files(self, session_key: str, due: Iterable[File]) -> Iterator[Page]:
        """Pages of the files that are due. What came before a fault is not lost with it."""
        batch: list[Fetched] = []
        opened, began = partial(opened_file, key=self._key), monotonic()
        try:
            for file, answer in self._in_flight(session_key, due):
                batch.append(fetched(file, answer, opened=opened))
                if _is_full(batch) or monotonic() - began > PAGE_SECONDS:
                    yield self._read(batch)
                    batch, began = [], monotonic()
        except (FreshetError, SessionLost):
            if batch:
                yield self._read(batch)
            raise
        if batch:
            yield self._read(batch)

    def _read(self, batch: Sequence[Fetched]) -> Page:
        """The page of these files, and the place behind them."""
        self._opened += sum(1 for each in batch if each.records)
        self._sealed += sum(1 for each in batch if each.quarantined)
        self._had = (self._had or {}) | {each.file.name: each.file.updated_date for each in batch}
        updated, name = max(
            (self.place.updated, self.place.name), *(_order(each.file) for each in batch)
        )
        self.place = replace(self.place, updated=updated, name=name)
        return self._page("files", batch)

    def _page(self, dataset: str, batch: Sequence[Fetched]) -> Page:
        again = self.place.rereads > 0
        mended = [_fresh(each.file) for each in batch if again and each.records]
        return Page(
            dataset=dataset,
            records=[record for each in batch for record in each.records],
            parts=(*mended, *(part for each in batch for part in each.parts)),
            quarantined=[found for each in batch for found in each.quarantined],
            begins=self._begins(),
            cursor=self.place.cursor(),
        )

    def _in_flight(
        self, session_key: str, due: Iterable[File]
    ) -> Iterator[tuple[File, Download | str]]:
        """The downloads of these files in their order, the next ones under way meanwhile."""
        waiting: deque[tuple[File, Future[Download | str]]] = deque()
        pool = ThreadPoolExecutor(IN_FLIGHT)
        try:
            for file in due:
                waiting.append((file, pool.submit(self._downloaded, session_key, file.name)))
                if len(waiting) == IN_FLIGHT:
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        finally:
            pool.shutdown(cancel_futures=True)
            for _, unwanted in waiting:
                _close(unwanted)

    def _downloaded(self, session_key: str, name: str) -> Download | str:
        """A file as it is sealed, or the name of why it cannot be had."""
        for pause in (*NOT_READY_PAUSES, 0):
            try:
                answer = self._api.download(session_key, name)
            except AnswerTooLarge as error:
                return error.name()
            if answer is not None:
                return answer
            if pause:
                self._sleep(pause)
        return "NotReady"

    def _stale(self, file: File) -> PartState:
        """The state of a file that has been written more often than it was read."""
        had = (self._had or {}).get(file.name, 0)
        return PartState(part=file.name, state=Part.STALE, as_of=had / 1000, why="Rewritten")


def _is_full(batch: Sequence[Fetched]) -> bool:
    return len(batch) == PAGE_FILES or sum(each.size for each in batch) >= PAGE_BYTES


def _order(file: File) -> tuple[int, str]:
    return file.updated_date, file.name


def _fresh(file: File) -> PartState:
    """What a file is when it was read again; it may have failed the first time."""
    return PartState(part=file.name, state=Part.FRESH, as_of=file.updated_date / 1000)


def _first(
    waiting: deque[tuple[File, Future[Download | str]]],
) -> tuple[File, Download | str]:
    file, coming = waiting.popleft()
    return file, coming.result()


def _close(unwanted: Future[Download | str]) -> None:
    if not unwanted.cancelled() and unwanted.exception() is None:
        answer = unwanted.result()
        if not isinstance(answer, str):
            answer.body.close()
