"""Reads a user's library page by page, and again the files that were rewritten meanwhile.

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

from functions.connectors.digime import accounts
from functions.connectors.digime.answers import SessionLost
from functions.connectors.digime.envelope import may_be_envelope
from functions.connectors.digime.files import (
    File,
    Files,
    Result,
    failure,
    files_of,
    open_file,
    open_or_keep,
    open_payload,
    opens,
)
from functions.core.errors import (
    AnswerTooLarge,
    ConsentMissing,
    EnvelopeInvalid,
    FetchWaits,
    FreshetError,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
    find_error,
)
from functions.core.model import Evidence, Part, PartState, clamp_as_of
from functions.core.ports import Page, ReadMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from functions.connectors.digime.answers import Listing
    from functions.connectors.digime.api import Api
    from functions.connectors.http.answers import Download
    from functions.core.contract import Cursor, Sleep

PAGE_FILES: Final = 32
PAGE_BYTES: Final = 8 * 1024 * 1024
PAGE_SECONDS: Final = 15
"""A page ends at so many files, bytes of content, or seconds, whichever comes first."""

IN_FLIGHT: Final = 5
"""How many files are downloaded at a time: as many as digi.me's own SDKs for phones do."""

NOT_READY_PAUSES: Final = (0.75, 1.125, 1.7)
"""Seconds after which a file that is listed and not found is asked for again. The iOS SDK
begins like this; files of a library that is complete should not need it."""

MOST_PUT_OFF: Final = 5
"""After so many files in a row that cannot be had, digi.me itself counts as away."""

MAX_ACCOUNTS_BYTES: Final = 8 * 1024 * 1024

REREADS: Final = 3
"""How often files that were written while they were read are looked for and read again."""

SETTLE_SECONDS: Final = 3
"""How long to stay away while the library is being written; digi.me's Node SDK waits as long."""

_REFUSALS: Final = (AnswerTooLarge, ConsentMissing, UnexpectedAnswer)
"""Refusals of one file that say nothing of the others."""

_REFUSED: Final = frozenset({ConsentMissing.name(), UnexpectedAnswer.name()})
"""Reasons for which a file is refused that fail the fetch where no file at all is to be had."""


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a fetch is. ``session``, sealed, replaces the job's; it is the ``losses``-th.

    ``updated`` and ``name`` are of the last file read, ``rereads`` counts the passes over all.
    ``sealed``: something could not be opened. ``keyed``: the key has opened something. ``refused``
    names why something could not be had. ``came``: a file was read. ``put_off`` is a JSON array of
    files to try again after all others, ``barren`` counts those put off since the last one read.
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

    def behind(self, *files: File) -> Place:
        """The place with these files passed."""
        updated, name = max((self.updated, self.name), *(file.order for file in files))
        return replace(self, updated=updated, name=name)

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
        scoped: bool = False,
    ) -> None:
        """Take the way to digi.me, the key that opens files, and where to go on.

        ``held`` are the revisions of the files that were read before; None: read everything.
        ``scoped``: files may be left out or be cut, so the next refresh cannot go by these.
        """
        self._api, self._key, self._sleep, self._scoped = api, key, sleep, scoped
        self.place, self._held = place, held
        self._had: dict[str, int] | None = None
        self._since = self._at = 0.0

    def pages(
        self, session_key: str, *, datasets: Sequence[str], since: float, at: float
    ) -> Iterator[Page]:
        """Yield the pages from this place on; the last one has the state of each account.

        Raises:
            SessionLost: go on with another session.
            EnvelopeInvalid: nothing could be opened: the key is not the contract's.
            FetchWaits: digi.me is writing the library again.
            ProviderUnavailable: ``instead`` goes on without a file that alone cannot be had.
        """
        self._since, self._at = since, at
        listing = self._list(session_key)
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
                listing = self._list(session_key)
                files = files_of(listing)
        self._require_something(session_key, files)
        yield Page(
            dataset=datasets[-1],
            deletions=self._deletions(files) if "files" in datasets else (),
            parts=(
                *accounts.states(listing.status, since=since, at=at),
                *map(self._stale, due),
                *map(_unreadable, files.odd),
            ),
            read_modes=self._begins(),
        )

    def _list(self, session_key: str) -> Listing:
        listing = self._api.listing(session_key)
        if not listing.status.is_final:
            raise FetchWaits(SETTLE_SECONDS)
        return listing

    def _begins(self) -> dict[str, ReadMode]:
        """Say that files may be added next time. The revisions in the records are the bookmark."""
        if self._scoped:
            return {}
        return {"files": ReadMode(incremental=self._held is not None, bookmark={})}

    def _deletions(self, files: Files) -> list[str]:
        """The files read before that are not listed any more; none, where a row has no name."""
        listed = {*files.odd, *(file.name for file in files.sound)}
        return [] if files.nameless else sorted((self._held or {}).keys() - listed)

    def _require_something(self, session_key: str, files: Files) -> None:
        """Fail where everything has failed, with the reason."""
        if self.place.keyed:
            return
        held = self._held or {}
        known = next((file for file in files.sound if held.get(file.name) == file.revision), None)
        if self.place.sealed:
            # Files that are new may just be damaged. So one that was opened before is tried, too.
            download = self._download(session_key, known.name) if known else None
            if download is None or not opens(download, key=self._key):
                raise EnvelopeInvalid
        elif known is None:
            unreadable = UnexpectedAnswer.name() if files.odd and not files.sound else ""
            if why := self.place.refused or unreadable:
                raise find_error(why)

    # --- accounts ------------------------------------------------------------------------------

    def _accounts(self, session_key: str) -> Page:
        """The accounts, which are one file. Where it fails, the dataset does."""
        file = File(name=accounts.NAME, updated_date=0)
        answer = self._download(session_key, file.name)
        again = partial(self._download_again, session_key, file)
        found = open_or_keep(file, answer, opening=self._open_accounts, again=again)
        self.place = replace(self.place, accounts=True)
        self._note([found])
        parts = tuple(replace(part, part="accounts") for part in found.parts)
        page = self._page("accounts", [replace(found, parts=parts)])
        return replace(page, labels=accounts.find_labels(page.records))

    def _without_accounts(self, fault: ProviderUnavailable) -> Page:
        self.place = replace(self.place, accounts=True, refused=fault.name())
        state = Part(part="accounts", state=PartState.FAILED, why=fault.name())
        return self._page("accounts", [], parts=(state,))

    def _open_accounts(self, file: File, answer: Download) -> Result:
        with open_payload(answer, key=self._key, most=MAX_ACCOUNTS_BYTES) as payload:
            try:
                records, are_all = accounts.records(payload.read())
            except UnexpectedAnswer as odd:
                return Result(file=file, parts=(failure(file, odd.name()),))
        why = UnexpectedAnswer.name()
        lacking = Part(
            part=file.name,
            state=PartState.INCOMPLETE,
            as_of=self._since,
            evidence=Evidence.COMPLETED,
            why=why,
        )
        return Result(file=file, records=tuple(records), parts=() if are_all else (lacking,))

    # --- files ---------------------------------------------------------------------------------

    def _due(self, files: Files) -> list[File]:
        """The files that are new, or newer than when they were read, the oldest first."""
        last = self.place.waiting
        if self._had is None:
            place, held = (self.place.updated, self.place.name), self._held or {}
            self._had = {
                file.name: file.updated_date
                for file in files.sound
                if (file.order <= place and file.name not in last)
                or held.get(file.name) == file.revision
            }
        due = [file for file in files.sound if self._had.get(file.name, -1) < file.updated_date]
        return sorted(due, key=lambda file: file.name in last)

    def _files(self, session_key: str, due: Sequence[File]) -> Iterator[Page]:
        """Read the files that are due. What came before a fault is not lost with it."""
        batch: list[Result] = []
        left = deque(due)
        opening, began = partial(open_file, key=self._key), monotonic()
        try:
            for file, answer in self._download_all(session_key, due):
                again = partial(self._download_again, session_key, file)
                batch.append(open_or_keep(file, answer, opening=opening, again=again))
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
        """Put a file off until all others were tried, then give it up; the page to go on with."""
        waiting = self.place.waiting
        if file.name in waiting:
            if not (self.place.came or self._held):
                return None
            self.place = self.place.put(name for name in waiting if name != file.name)
            return self._page("files", [], parts=(failure(file, fault.name()),))
        if self.place.barren == MOST_PUT_OFF:
            return None
        behind = replace(self.place.behind(file), barren=self.place.barren + 1)
        self.place = behind.put([*waiting, file.name])
        return self._page("files", [])

    def _read(self, batch: Sequence[Result]) -> Page:
        """Move the place behind these files and return their page."""
        read = {each.file.name: each.file.updated_date for each in batch}
        self._had = (self._had or {}) | read
        came = any(each.records for each in batch)
        place = replace(
            self.place.behind(*(each.file for each in batch)),
            came=self.place.came or came,
            barren=0 if came else self.place.barren,
        )
        self.place = place.put(name for name in place.waiting if name not in read)
        self._note(batch)
        return self._page("files", batch)

    def _note(self, batch: Sequence[Result]) -> None:
        """Note in the place what ``_require_something`` asks for."""
        whys = (part.why for each in batch for part in each.parts if part.why in _REFUSED)
        self.place = replace(
            self.place,
            sealed=self.place.sealed or any(each.quarantined for each in batch),
            keyed=self.place.keyed or any(each.records for each in batch),
            refused=next(whys, self.place.refused),
        )

    def _page(self, dataset: str, batch: Sequence[Result], *, parts: Iterable[Part] = ()) -> Page:
        again = self.place.rereads > 0
        mended = [
            Part(
                part=each.file.name,
                state=PartState.FRESH,
                as_of=self._since,
                evidence=Evidence.COMPLETED,
            )
            for each in batch
            if again and each.records
        ]
        states = (*mended, *parts, *(part for each in batch for part in each.parts))
        return Page(
            dataset=dataset,
            records=[record for each in batch for record in each.records],
            parts=tuple(replace(part, datasets=(dataset,)) for part in states),
            quarantined=[found for each in batch for found in each.quarantined],
            read_modes=self._begins(),
            cursor=self.place.cursor(),
        )

    def _stale(self, file: File) -> Part:
        """The state of a file that has been written more often than it was read."""
        had = (self._had or {}).get(file.name, 0)
        return Part(
            part=file.name,
            state=PartState.STALE,
            as_of=clamp_as_of(had / 1000, now=self._at),
            evidence=Evidence.DATED,
            why="Rewritten",
            datasets=("files",),
        )

    # --- downloads -----------------------------------------------------------------------------

    def _download(self, session_key: str, name: str) -> Download | str:
        """Download a sealed file; the name of an error where it cannot be had."""
        for pause in (*NOT_READY_PAUSES, 0):
            try:
                answer = self._api.download(session_key, name)
            except _REFUSALS as error:
                return error.name()
            if answer is not None:
                return answer
            if pause:
                self._sleep(pause)
        return "NotReady"

    def _download_again(self, session_key: str, file: File, size: int) -> Download | str | None:
        """Download a damaged file once more; None where the key may be at fault."""
        damaged = self.place.keyed or not may_be_envelope(size)
        return self._download(session_key, file.name) if damaged else None

    def _download_all(
        self, session_key: str, due: Iterable[File]
    ) -> Iterator[tuple[File, Download | str]]:
        """Download files, ``IN_FLIGHT`` at a time, and yield them in their order."""
        waiting: deque[tuple[File, Future[Download | str]]] = deque()
        pool = ThreadPoolExecutor(IN_FLIGHT)
        try:
            for file in due:
                waiting.append((file, pool.submit(self._download, session_key, file.name)))
                if len(waiting) == IN_FLIGHT:
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        finally:
            pool.shutdown(cancel_futures=True)
            for _, unwanted in waiting:
                _close(unwanted)


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


def _is_full(batch: Sequence[Result]) -> bool:
    return len(batch) == PAGE_FILES or sum(each.size for each in batch) >= PAGE_BYTES


def _unreadable(name: str) -> Part:
    """The state of a file whose row in the list cannot be read."""
    return Part(part=name, state=PartState.FAILED, why=UnexpectedAnswer.name(), datasets=("files",))
