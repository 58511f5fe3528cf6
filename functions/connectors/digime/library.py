"""Reads a user's library page by page, several files at a time, and again what has been rewritten.

Files are read in the order in which they were last written. One that is written again goes to
the end of that order, so that a place in it is enough to go on from.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.connectors.digime import accounts
from functions.connectors.digime.answers import File, Files, SessionLost, files_of, order
from functions.connectors.digime.downloads import Downloads
from functions.connectors.digime.envelope import may_be_envelope
from functions.connectors.digime.files import (
    Fetched,
    failed,
    fetched,
    opened_file,
    opens,
    payload_of,
    revision,
)
from functions.core.errors import (
    ConsentMissing,
    EnvelopeInvalid,
    FetchWaits,
    FreshetError,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
    named,
)
from functions.core.model import Part, PartState, reckon_as_of
from functions.core.ports import Beginning, Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from functions.connectors.digime.answers import Listing
    from functions.connectors.digime.api import Api
    from functions.connectors.http.answers import Download
    from functions.core.contract import Cursor
    from functions.core.ports import Sleep

PAGE_FILES: Final = 32
PAGE_BYTES: Final = 8 * 1024 * 1024
PAGE_SECONDS: Final = 15
"""A page ends at so many files, bytes of what they hold, or seconds, whichever comes first: a
call that runs out of time loses no more than one page."""

MOST_PUT_OFF: Final = 5
"""So many files in a row that cannot be had, and it is not they but digi.me that is away."""

MAX_ACCOUNTS_BYTES: Final = 8 * 1024 * 1024

REREADS: Final = 3
"""How often files that were written while they were read are looked for and read again."""

SETTLE_SECONDS: Final = 3
"""How long to stay away while the library is being written; digi.me's Node SDK waits as long."""


_REFUSED: Final = frozenset({ConsentMissing.name(), UnexpectedAnswer.name()})
"""Why a file may be refused that say something of all where no other is to be had."""


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a fetch is. ``session``, sealed, takes the place of the job's; it is the ``losses``-th.

    ``updated`` and ``name`` are of the last file read, ``rereads`` how often all were. ``sealed``
    says that something could not be opened, ``keyed`` that something has shown the key to be good,
    ``refused`` names why something could not be had, ``came`` says that a file was read.
    ``put_off`` is a JSON array of files to be tried again after all others, ``barren`` how many
    were put off since the last one that was read.
    """

    session: str = ""
    losses: int = 0
    accounts: bool = False
    updated: int = -1
    name: str = ""
    rereads: int = 0
    sealed: bool = False
    keyed: bool = False
    refused: str = ""
    came: bool = False
    put_off: str = "[]"
    barren: int = 0

    @property
    def waiting(self) -> list[str]:
        """The files that were put off."""
        return msgspec.json.decode(self.put_off, type=list[str])

    def put(self, waiting: Iterable[str]) -> Place:
        """The same place with these files put off."""
        return replace(self, put_off=msgspec.json.encode(list(waiting)).decode())

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
        self._api, self._key, self._downloads = api, key, Downloads(api, sleep=sleep)
        self.place, self._held = place, held
        self._had: dict[str, int] | None = None
        self._since = self._at = 0.0

    def pages(
        self, session_key: str, *, datasets: Sequence[str], since: float, at: float
    ) -> Iterator[Page]:
        """What there is from this place on; the last page tells how each account ended.

        Raises:
            SessionLost: go on with another session.
            EnvelopeInvalid: nothing could be opened: the key is not the contract's.
            FetchWaits: digi.me is writing the library again.
            ProviderUnavailable: ``instead`` goes on without a file that alone cannot be had.
        """
        self._since, self._at = since, at
        listing = self._settled(session_key)
        if "accounts" in datasets and not self.place.accounts:
            try:
                yield self._accounts(session_key)
            except ProviderUnavailable as fault:
                if "files" in datasets:
                    fault.instead = self._without_accounts(fault)
                raise
        files, due = Files([]), []
        if "files" in datasets:
            files = files_of(listing)
            while (due := self._due(files)) and self.place.rereads <= REREADS:
                yield from self._files(session_key, due)
                self.place = replace(self.place, rereads=self.place.rereads + 1)
                listing = self._settled(session_key)
                files = files_of(listing)
        self._require_something(session_key, files)
        told = accounts.states(listing.status, since=since, at=at)
        yield Page(
            dataset=datasets[-1],
            deletions=self._gone(files) if "files" in datasets else (),
            parts=(*told, *map(self._stale, due), *map(_odd, files.odd)),
            begins=self._begins(),
        )

    def _begins(self) -> dict[str, Beginning]:
        """The files' revisions stand in their records: there is nothing else to keep in mind."""
        return {"files": Beginning(adds=self._held is not None, bookmark={})}

    def _gone(self, files: Files) -> list[str]:
        """The files that are there already and no longer listed.

        One whose row has no name to be known by may be any of them.
        """
        listed = {*files.odd, *(file.name for file in files.sound)}
        return [] if files.nameless else sorted((self._held or {}).keys() - listed)

    def _require_something(self, session_key: str, files: Files) -> None:
        """Fail where everything has failed: nothing is there to be read.

        Raises:
            EnvelopeInvalid: nothing could be opened: the key is not the contract's.
            ConsentMissing, UnexpectedAnswer: nothing could be had, for this reason.
        """
        if self.place.keyed:
            return
        held = self._held or {}
        known = next((file for file in files.sound if held.get(file.name) == revision(file)), None)
        if self.place.sealed:
            self._require_the_key(session_key, known)
        elif known is None and (why := self.place.refused or self._unreadable(files)):
            raise named(why)

    def _unreadable(self, files: Files) -> str:
        """Why there is nothing, where there are rows and none that can be read."""
        return UnexpectedAnswer.name() if files.odd and not files.sound else ""

    def _require_the_key(self, session_key: str, known: File | None) -> None:
        """Publish nothing where the key is not the contract's: nothing could be opened with it.

        Where only what is new was tried, it may just be damaged, and would be each time. So one
        that was opened before is tried as well.
        """
        download = self._downloads.one(session_key, known.name) if known else None
        if download is None or not opens(download, key=self._key):
            raise EnvelopeInvalid

    def _settled(self, session_key: str) -> Listing:
        listing = self._api.listing(session_key)
        if not listing.status.ended:
            raise FetchWaits(SETTLE_SECONDS)
        return listing

    def _accounts(self, session_key: str) -> Page:
        """The accounts, which are one file. Where it fails, the dataset does."""
        file = File(name=accounts.NAME, updated_date=0)
        answer = self._downloads.one(session_key, file.name)
        again = partial(self._download_again, session_key, file)
        found = fetched(file, answer, opened=self._opened_accounts, again=again)
        self.place = replace(self.place, accounts=True)
        self._note([found])
        parts = tuple(replace(part, part="accounts") for part in found.parts)
        return self._page("accounts", [replace(found, parts=parts)])

    def _without_accounts(self, fault: ProviderUnavailable) -> Page:
        """The page to go on with where only the accounts cannot be had."""
        self.place = replace(self.place, accounts=True, refused=fault.name())
        state = PartState(part="accounts", state=Part.FAILED, why=fault.name())
        return self._page("accounts", [], parts=(state,))

    def _opened_accounts(self, file: File, answer: Download) -> Fetched:
        with payload_of(answer, key=self._key, most=MAX_ACCOUNTS_BYTES) as payload:
            try:
                records, all_of_them = accounts.records(payload.read())
            except UnexpectedAnswer as odd:
                return Fetched(file=file, parts=(failed(file, odd.name()),))
        lacking = PartState(
            part=file.name,
            state=Part.INCOMPLETE,
            as_of=self._since,
            why=UnexpectedAnswer.name(),
        )
        return Fetched(file=file, records=tuple(records), parts=() if all_of_them else (lacking,))

    def _download_again(self, session_key: str, file: File, size: int) -> Download | str | None:
        """A file once more that came damaged or cut off; None where the key may be at fault."""
        damaged = self.place.keyed or not may_be_envelope(size)
        return self._downloads.one(session_key, file.name) if damaged else None

    def _due(self, files: Files) -> list[File]:
        """The files that are new, or newer than when they were read, oldest first."""
        if self._had is None:
            place, held = (self.place.updated, self.place.name), self._held or {}
            self._had = {
                file.name: file.updated_date
                for file in files.sound
                if (order(file) <= place and file.name not in self.place.waiting)
                or held.get(file.name) == revision(file)
            }
        had, last = self._had, self.place.waiting
        due = [file for file in files.sound if had.get(file.name, -1) < file.updated_date]
        return sorted(due, key=lambda file: file.name in last)

    def _files(self, session_key: str, due: Sequence[File]) -> Iterator[Page]:
        """Pages of the files that are due. What came before a fault is not lost with it."""
        batch: list[Fetched] = []
        left = deque(due)
        opened, began = partial(opened_file, key=self._key), monotonic()
        try:
            for file, answer in self._downloads.all(session_key, due):
                again = partial(self._download_again, session_key, file)
                batch.append(fetched(file, answer, opened=opened, again=again))
                left.popleft()
                if _is_full(batch) or monotonic() - began > PAGE_SECONDS:
                    yield self._read(batch)
                    batch, began = [], monotonic()
        except (FreshetError, SessionLost) as fault:
            if batch:
                yield self._read(batch)
            if isinstance(fault, ProviderUnavailable) and not isinstance(fault, RateLimited):
                fault.instead = self._without(left[0], fault)
            raise
        if batch:
            yield self._read(batch)

    def _without(self, file: File, fault: ProviderUnavailable) -> Page | None:
        """The page to go on with where this file cannot be had for too long.

        It is put off until all others were tried, and given up where it cannot be had then and
        others could.
        """
        waiting = self.place.waiting
        if file.name in waiting:
            if not (self.place.came or self._held):
                return None
            self.place = self.place.put(name for name in waiting if name != file.name)
            return self._page("files", [], parts=(failed(file, fault.name()),))
        if self.place.barren == MOST_PUT_OFF:
            return None
        updated, name = max((self.place.updated, self.place.name), order(file))
        behind = replace(self.place, updated=updated, name=name, barren=self.place.barren + 1)
        self.place = behind.put([*waiting, file.name])
        return self._page("files", [])

    def _read(self, batch: Sequence[Fetched]) -> Page:
        """The page of these files, and the place behind them."""
        self._had = (self._had or {}) | {each.file.name: each.file.updated_date for each in batch}
        updated, name = max(
            (self.place.updated, self.place.name), *(order(each.file) for each in batch)
        )
        came = any(each.records for each in batch)
        place = replace(
            self.place,
            updated=updated,
            name=name,
            came=self.place.came or came,
            barren=0 if came else self.place.barren,
        )
        read = {each.file.name for each in batch}
        self.place = place.put(name for name in place.waiting if name not in read)
        self._note(batch)
        return self._page("files", batch)

    def _note(self, batch: Sequence[Fetched]) -> None:
        """Keep in mind what these say of the whole, see ``_require_something``."""
        whys = (part.why for each in batch for part in each.parts if part.why in _REFUSED)
        self.place = replace(
            self.place,
            sealed=self.place.sealed or any(each.quarantined for each in batch),
            keyed=self.place.keyed or any(each.records for each in batch),
            refused=next(whys, self.place.refused),
        )

    def _page(
        self, dataset: str, batch: Sequence[Fetched], *, parts: Iterable[PartState] = ()
    ) -> Page:
        again = self.place.rereads > 0
        mended = [
            PartState(part=each.file.name, state=Part.FRESH, as_of=self._since)
            for each in batch
            if again and each.records
        ]
        told = (*mended, *parts, *(part for each in batch for part in each.parts))
        return Page(
            dataset=dataset,
            records=[record for each in batch for record in each.records],
            parts=tuple(replace(part, datasets=(dataset,)) for part in told),
            quarantined=[found for each in batch for found in each.quarantined],
            begins=self._begins(),
            cursor=self.place.cursor(),
        )

    def _stale(self, file: File) -> PartState:
        """The state of a file that has been written more often than it was read."""
        had = (self._had or {}).get(file.name, 0)
        return PartState(
            part=file.name,
            state=Part.STALE,
            as_of=reckon_as_of(had / 1000, now=self._at),
            why="Rewritten",
            datasets=("files",),
        )


def _is_full(batch: Sequence[Fetched]) -> bool:
    return len(batch) == PAGE_FILES or sum(each.size for each in batch) >= PAGE_BYTES


def _odd(name: str) -> PartState:
    """The state of a file whose row in the list cannot be read."""
    return PartState(part=name, state=Part.FAILED, why=UnexpectedAnswer.name(), datasets=("files",))
