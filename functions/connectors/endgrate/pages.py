"""Reads what transfers brought, one after the other, page by page.

Endgrate documents no order of the records and no rate; it says to follow each page to the next.
So there is one request at a time.

A dataset that fails costs only itself. One that Endgrate fails to give for long is put off once
until all others have been read, and given up then. The fetch fails only where nothing came of any.

A transfer completes whether it went well or not. A dataset is fresh when the error log has no
entry that is neither resolved nor a warning, and its pages have no word of errors. It is not where
the two disagree, or where nothing came and the log has only errors resolved since.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.connectors.endgrate.api import Refused, Way
from functions.connectors.endgrate.entries import Item, RecordId
from functions.connectors.http.answers import is_json, members, read, read_leniently
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
    find_error,
)
from functions.core.model import Evidence, Part, PartState
from functions.core.ports import Page, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.connectors.endgrate.api import Api
    from functions.connectors.endgrate.entries import Entries, Failure
    from functions.core.contract import Cursor

AGAIN_SECONDS: Final = 5
"""How long to stay away from a transfer that is not completed any more."""

MOST_EMPTY: Final = 100
"""How many empty pages in a row are read. Some may stand between others; more have no end."""

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

UNNAMED: Final = "unnamed"
"""The reason where Endgrate says that there were errors and has no name for them."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_AUTHENTICATION: Final = "authentication"


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """The transfer of a dataset that Endgrate calls ``type``, or the ``error`` it failed for."""

    dataset: str
    type: str
    id: str = ""
    error: str = ""


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a fetch is: in which transfer, at which record of it, or ``past`` the last.

    Of the pages read of that transfer: ``had`` a record, ``flagged`` errors, ``odd`` counts
    unreadable records, ``last`` is the digest of the page before, ``empty`` counts empty pages in
    a row. ``again``: it was put off before.

    Of the fetch: how many transfers were ``begun``; those put off until ``later``, a JSON array of
    places; whether anything ``came``, if only word that there is nothing; and the ``error`` of the
    first dataset that failed for one.
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
        """Yield the pages from this place on; each dataset's last one tells how fresh it is.

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
            return self._give_up(here, find_error(transfer.error)())
        try:
            if not here.past:
                return self._page(here, transfer)
            part = self._state(here, transfer)
        except ProviderUnavailable as fault:
            fault.instead = self._without(here, fault)
            raise
        except COSTS_ITSELF as error:
            return self._give_up(here, error)
        is_locked_out = part.state is PartState.FAILED and part.reauth
        return self._end(here, part, error=ReauthRequired.name() if is_locked_out else "")

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
        text = b",".join(entries.entries)
        items = list(zip(entries.entries, _items(entries.entries, text), strict=True))
        sound = [(raw, item) for raw, item in items if item is not None]
        digest, odd = sha256(text).hexdigest(), len(items) - len(sound)
        after = _behind(here, entries, digest=digest, had=bool(sound), odd=odd)
        page = Page(
            dataset=transfer.dataset,
            part=transfer.dataset,
            records=[Record(item.id, raw) for raw, item in sound if item.deleted is not True],
            deletions=[item.id for _, item in sound if item.deleted is True],
            cursor=after.cursor(),
        )
        return page, after

    def _state(self, here: Place, transfer: Transfer) -> Part:
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

    def _end(self, here: Place, part: Part, *, error: str) -> tuple[Page, Place | None]:
        """Say how a dataset stands, and go on to the next one.

        Raises:
            FreshetError: there is none, and nothing came of any.
        """
        here = replace(here, came=here.came or not error, error=here.error or error)
        following = self._next(here, queue=here.queue)
        if following is None and not here.came:
            raise find_error(here.error)
        cursor = following.cursor() if following else None
        page = Page(dataset=part.part, part=part.part, parts=(part,), cursor=cursor)
        return page, following

    def _refusal(self, transfer: Transfer) -> FreshetError:
        """The error for a transfer whose records or errors Endgrate refuses."""
        try:
            completed = self._api.is_completed(
                Way.PULL, session_id=self._session_id, transfer_id=transfer.id
            )
        except Refused:
            return JobLost()
        if completed:
            return UnexpectedAnswer()
        return DeadlineExceeded() if self._late else FetchWaits(AGAIN_SECONDS)

    def _give_up(self, here: Place, error: FreshetError) -> tuple[Page, Place | None]:
        dataset, why = self._transfers[here.transfer].dataset, error.name()
        part = failure_of(dataset, why, had=here.had, odd=here.odd, since=self._since)
        return self._end(here, part, error="" if here.had else why)

    def _without(self, here: Place, fault: ProviderUnavailable) -> Page | None:
        """The page with which to go on without a dataset; None: there is nothing else.

        A limited rate concerns all datasets: no other is asked for then, unless something came.
        """
        put_off = not here.again and not isinstance(fault, RateLimited)
        following = self._next(here, queue=[*here.queue, replace(here, again=True)])
        if put_off and following and following.transfer != here.transfer:
            dataset = self._transfers[here.transfer].dataset
            return Page(dataset=dataset, part=dataset, cursor=following.cursor())
        return self._give_up(here, fault)[0] if here.came or here.had else None

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


def _behind(here: Place, entries: Entries, *, digest: str, had: bool, odd: int) -> Place:
    """The place behind a page; one that came before is the last, where none is named.

    Raises:
        UnexpectedAnswer: it came before, or is one too many without a record, and names another.
    """
    again = bool(entries.entries) and digest == here.last  # places in the middle may be empty
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
        last=digest,
        empty=empty,
    )


def _items(raws: Sequence[msgspec.Raw], text: bytes) -> Sequence[Item | None]:
    """Read records; ``text`` is them with commas between, which is faster to read at once."""
    with suppress(UnexpectedAnswer):
        return read(b"[%s]" % text, list[Item])
    return [_item(raw) for raw in raws]


def _item(raw: msgspec.Raw) -> Item | None:
    """Read a record; None: it is unreadable, and costs only itself."""
    with suppress(UnexpectedAnswer):
        return read(raw, Item)
    with suppress(KeyError, UnexpectedAnswer):
        fields = members(raw)
        id_ = read(fields["id"], RecordId)
        if is_json(raw):
            return Item(id_, bool(read_leniently(fields.get("deleted"), bool)))
    return None


def state(
    dataset: str,
    failures: Sequence[Failure],
    *,
    had: bool,
    flagged: bool,
    since: float,
    odd: int = 0,
) -> Part:
    """The dataset's freshness: fresh or incomplete as of ``since``, or failed.

    Args:
        failures: the transfer's error log.
        had: whether the transfer brought any record that could be read.
        flagged: whether its pages say that there were errors.
        since: when it was triggered.
        odd: how many records could not be read.
    """
    errors = [each for each in failures if not each.warn]
    standing = [each for each in errors if not each.resolved]
    if not standing and not (flagged or odd or (errors and not had)):
        return Part(
            part=dataset,
            state=PartState.FRESH,
            as_of=since,
            evidence=Evidence.COMPLETED,
            datasets=(dataset,),
        )
    names = Counter(name_of(each.error_type) for each in standing or errors)
    unread = UnexpectedAnswer.name() if odd else UNNAMED
    why = names.most_common(1)[0][0] if names else unread
    part = failure_of(dataset, why, had=had, since=since, odd=len(standing) + odd)
    return replace(part, reauth=any(each.error_type == _AUTHENTICATION for each in standing))


def failure_of(dataset: str, why: str, *, had: bool, since: float, odd: int = 0) -> Part:
    """The state of a dataset that failed, or came only in part; arguments as for ``state``."""
    return Part(
        part=dataset,
        state=PartState.INCOMPLETE if had else PartState.FAILED,
        as_of=since if had else 0,
        evidence=Evidence.COMPLETED if had else Evidence.NONE,
        why=why,
        failures=odd,
        datasets=(dataset,),
    )


def name_of(error_type: str) -> str:
    """An error's type, where it is a name and not prose."""
    return error_type if _NAME.fullmatch(error_type) else UNNAMED
