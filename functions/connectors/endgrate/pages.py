"""Reads what transfers brought, one after the other, page by page.

Endgrate documents no order of the records and no rate; it says to follow each page to the next.
So there is one request at a time. Records that come twice are left out by whoever writes them.

Each dataset costs itself. One that Endgrate fails to give for long is put off once until all others
have been read, and given up then. Only where nothing came of any, that is the fetch's own error.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.connectors.endgrate.answers import Item, RecordId, lenient
from functions.connectors.endgrate.api import Refused, Way
from functions.connectors.endgrate.parts import failed, is_locked_out, state
from functions.connectors.http.answers import is_json, members, read
from functions.core.errors import (
    AnswerTooLarge,
    CallerError,
    DeadlineExceeded,
    FetchWaits,
    FreshetError,
    JobLost,
    OperatorError,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    UnexpectedAnswer,
    UserError,
    named,
)
from functions.core.ports import Page, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.connectors.endgrate.answers import Entries
    from functions.connectors.endgrate.api import Api
    from functions.core.contract import Cursor
    from functions.core.model import PartState

AGAIN_SECONDS: Final = 5
"""How long to stay away from a transfer that is not completed any more."""

MOST_EMPTY: Final = 100
"""How many empty pages in a row are read. Some may stand between others, but a list that goes on
with nothing for longer than this has no end that could be waited for."""

COSTS_ITSELF: Final = (
    DeadlineExceeded,
    UserError,
    CallerError,
    OperatorError,
    JobLost,
    UnexpectedAnswer,
    AnswerTooLarge,
)
"""Errors that asking again does not mend; of one dataset, they say nothing of the others."""


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a dataset: a transfer's records, or the name of the error it failed for.

    ``type`` is what Endgrate calls the dataset.
    """

    dataset: str
    type: str
    id: str = ""
    error: str = ""


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a fetch is: in which transfer, at which record of it, or ``past`` the last.

    ``had``, ``flagged`` and ``odd`` are of the pages read of that transfer: whether there was a
    record, whether they spoke of errors, and how many records were unreadable. ``last`` is the
    digest of the page before, ``empty`` how many empty ones came in a row. ``again`` says that it
    was put off before.

    The others are of the fetch: how many transfers were ``begun``; those put off until ``later``,
    a JSON array of places; whether anything ``came``, if only word that there is nothing; and the
    ``error`` of the first dataset that failed for one.
    """

    transfer: int = 0
    offset: int = 0
    past: bool = False
    had: bool = False
    flagged: bool = False
    odd: int = 0
    last: str = ""
    empty: int = 0
    again: bool = False
    begun: int = 1
    later: str = "[]"
    came: bool = msgspec.field(default=False, name="signed_in")
    error: str = ""

    def cursor(self) -> Cursor:
        """The same as a page carries it."""
        cursor: Cursor = msgspec.to_builtins(self)
        return cursor

    @property
    def queue(self) -> list[Place]:
        """The places put off."""
        return msgspec.json.decode(self.later, type=list[Place])


class Reading:
    """One fetch of the transfers of one session."""

    def __init__(
        self, api: Api, *, session_id: str, transfers: Sequence[Transfer], since: float, late: bool
    ) -> None:
        """Take the transfers, when the first was triggered, and whether the deadline is over."""
        self._api, self._session_id = api, session_id
        self._transfers, self._since, self._late = transfers, since, late

    def pages(self, place: Place) -> Iterator[Page]:
        """What there is from this place on; each dataset's last page tells how fresh it is.

        Raises:
            FetchWaits: a transfer is not completed, and there is time left for it.
            ProviderUnavailable: Endgrate does not give a dataset at present; ``instead`` goes on
                without it, where there is something to go on with.
            FreshetError: nothing came at all; the error is the first dataset's.
        """
        following: Place | None = replace(place, begun=max(place.begun, place.transfer + 1))
        while following is not None:
            page, following = self._step(following)
            yield page

    def _step(self, here: Place) -> tuple[Page, Place | None]:
        """The page at a place, and the place behind it."""
        transfer = self._transfers[here.transfer]
        if transfer.error:
            return self._given_up(here, named(transfer.error)())
        try:
            if not here.past:
                return self._page(here, transfer)
            part = self._state(here, transfer)
        except ProviderUnavailable as fault:
            fault.instead = self._without(here, fault)
            raise
        except COSTS_ITSELF as error:
            return self._given_up(here, error)
        return self._ended(here, part, error=ReauthRequired.name() if is_locked_out(part) else "")

    # --- what goes well ------------------------------------------------------------------------

    def _page(self, here: Place, transfer: Transfer) -> tuple[Page, Place | None]:
        try:
            entries = self._api.items(
                Way.PULL,
                endgrate_type=transfer.type,
                transfer_id=transfer.id,
                offset=here.offset,
            )
        except Refused:
            raise self._refusal(transfer) from None
        items = [(raw, _item(raw)) for raw in entries.entries]
        whole = [(raw, item) for raw, item in items if item is not None]
        after = _behind(here, entries, had=bool(whole), odd=len(items) - len(whole))
        page = Page(
            dataset=transfer.dataset,
            part=transfer.dataset,
            records=[Record(item.id, raw) for raw, item in whole if item.deleted is not True],
            deletions=[item.id for _, item in whole if item.deleted is True],
            cursor=after.cursor(),
        )
        return page, after

    def _state(self, here: Place, transfer: Transfer) -> PartState:
        try:
            failures = self._api.failures(session_id=self._session_id, transfer_id=transfer.id)
        except Refused:
            raise self._refusal(transfer) from None
        return state(
            transfer.dataset,
            failures,
            had=here.had,
            flagged=here.flagged,
            odd=here.odd,
            since=self._since,
        )

    def _ended(self, here: Place, part: PartState, *, error: str) -> tuple[Page, Place | None]:
        """Say how a dataset stands, and go on to the next one.

        Raises:
            FreshetError: there is none, and nothing came of any.
        """
        here = replace(here, came=here.came or not error, error=here.error or error)
        following = self._next(here, queue=here.queue)
        if following is None and not here.came:
            raise named(here.error)
        cursor = following.cursor() if following else None
        page = Page(dataset=part.part, part=part.part, parts=(part,), cursor=cursor)
        return page, following

    # --- what does not -------------------------------------------------------------------------

    def _refusal(self, transfer: Transfer) -> FreshetError:
        """What it means that Endgrate does not give what it was asked for."""
        try:
            completed = self._api.completed(
                Way.PULL, session_id=self._session_id, transfer_id=transfer.id
            )
        except Refused:
            return JobLost()
        if completed:
            return UnexpectedAnswer()
        return DeadlineExceeded() if self._late else FetchWaits(AGAIN_SECONDS)

    def _given_up(self, here: Place, error: FreshetError) -> tuple[Page, Place | None]:
        part = failed(
            self._transfers[here.transfer].dataset,
            error.name(),
            had=here.had,
            odd=here.odd,
            since=self._since,
        )
        return self._ended(here, part, error="" if here.had else error.name())

    def _without(self, here: Place, fault: ProviderUnavailable) -> Page | None:
        """The page with which to go on without a dataset; None: there is nothing else.

        A limited rate is no dataset's own: none is asked for instead, unless something came.
        """
        put_off = not here.again and not isinstance(fault, RateLimited)
        following = self._next(here, queue=[*here.queue, replace(here, again=True)])
        if put_off and following and following.transfer != here.transfer:
            dataset = self._transfers[here.transfer].dataset
            return Page(dataset=dataset, part=dataset, cursor=following.cursor())
        return self._given_up(here, fault)[0] if here.came or here.had else None

    def _next(self, here: Place, *, queue: list[Place]) -> Place | None:
        """The next dataset's place: one that was not begun, or else the first of the queue."""
        begun = here.begun
        if begun < len(self._transfers):
            following, begun = Place(transfer=begun), begun + 1
        elif queue:
            following = queue.pop(0)
        else:
            return None
        own = [replace(each, begun=1, later="[]", came=False, error="") for each in queue]
        later = msgspec.json.encode(own).decode()
        return replace(following, begun=begun, later=later, came=here.came, error=here.error)


def _behind(here: Place, entries: Entries, *, had: bool, odd: int) -> Place:
    """The place behind a page; one that came before is the last, where none is named.

    Raises:
        UnexpectedAnswer: it came before, or is one too many without a record, and yet another is
            named: where the list ends is unknown.
    """
    last = sha256(b",".join(map(bytes, entries.entries))).hexdigest()
    again = bool(entries.entries) and last == here.last  # places in the middle may be empty
    empty = 0 if entries.entries else here.empty + 1
    endless = again or empty > MOST_EMPTY
    if endless and entries.following is not None and not entries.guessed:
        raise UnexpectedAnswer
    following = None if again else entries.following
    return replace(
        here,
        offset=here.offset if following is None else following,
        past=following is None,
        had=here.had or had,
        flagged=here.flagged or entries.flagged,
        odd=here.odd + (0 if again else odd),
        last=last,
        empty=empty,
    )


def _item(raw: msgspec.Raw) -> Item | None:
    """What matters of a record; None: it is unreadable, and costs itself."""
    with suppress(UnexpectedAnswer):
        return read(raw, Item)
    with suppress(KeyError, UnexpectedAnswer):
        told = members(raw)
        id_ = read(told["id"], RecordId)
        if is_json(raw):
            return Item(id_, lenient(told.get("deleted"), bool, otherwise=False))
    return None
