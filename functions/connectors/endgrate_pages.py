"""Reads what transfers brought, one after the other, page by page.

Endgrate documents no order of the records and no rate; it says to follow each page to the next.
So there is one request at a time. Records that come twice are left out by whoever writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.connectors.endgrate_answers import Item
from functions.connectors.endgrate_api import Refused, Way, beyond
from functions.connectors.endgrate_parts import state
from functions.core.errors import (
    FetchWaits,
    FreshetError,
    JobLost,
    ReauthRequired,
    UnexpectedAnswer,
)
from functions.core.model import Part, PartState
from functions.core.ports import Page, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.connectors.endgrate_answers import Items, Next
    from functions.connectors.endgrate_api import Api
    from functions.core.contract import Cursor

AGAIN_SECONDS: Final = 5
"""How long to stay away from a transfer that is not completed any more."""


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a fetch is: in which transfer, and at which record of it.

    ``had`` and ``flagged`` are of the pages read of that transfer: whether there was a record,
    and whether they spoke of errors. ``signed_in`` says that an earlier transfer did not end for
    lack of good credentials alone.
    """

    transfer: int = 0
    offset: int = 0
    had: bool = False
    flagged: bool = False
    signed_in: bool = False

    def cursor(self) -> Cursor:
        """The same as a page carries it."""
        cursor: Cursor = msgspec.to_builtins(self)
        return cursor


class Reading:
    """One fetch of the transfers of one session."""

    def __init__(
        self, api: Api, *, session_id: str, transfers: Sequence[tuple[str, str]], since: float
    ) -> None:
        """Take the transfers as pairs of dataset and id, and when the first was triggered."""
        self._api, self._session_id = api, session_id
        self._transfers, self._since = transfers, since

    def pages(self, place: Place) -> Iterator[Page]:
        """What there is from this place on; each dataset's last page tells how fresh it is.

        Raises:
            FetchWaits: a transfer is not completed.
            JobLost: Endgrate does not know a transfer any more.
            ReauthRequired: nothing came at all, for lack of good credentials.
            UnexpectedAnswer: Endgrate does not give the records of a completed transfer.
        """
        following: Place | None = place
        while following is not None:
            page, following = self._page(following)
            yield page

    def _page(self, place: Place) -> tuple[Page, Place | None]:
        """The page at a place, and the place behind it."""
        dataset, transfer_id = self._transfers[place.transfer]
        try:
            items = self._api.items(
                Way.PULL, endgrate_type=dataset, transfer_id=transfer_id, offset=place.offset
            )
            place = _after(place, items)
            part = self._state(place) if items.meta.next is None else None
        except Refused:
            raise self._refusal(transfer_id) from None
        following = self._following(place, items.meta.next, part=part)
        read = [(raw, _item(raw)) for raw in items.transfer_data]
        page = Page(
            dataset=dataset,
            part=dataset,
            records=[Record(item.id, raw) for raw, item in read if not item.deleted],
            deletions=[item.id for _, item in read if item.deleted],
            parts=(part,) if part else (),
            cursor=following.cursor() if following else None,
        )
        return page, following

    def _state(self, place: Place) -> PartState:
        dataset, transfer_id = self._transfers[place.transfer]
        failures = self._api.failures(session_id=self._session_id, transfer_id=transfer_id)
        return state(dataset, failures, had=place.had, flagged=place.flagged, since=self._since)

    def _following(
        self, place: Place, following: Next | None, *, part: PartState | None
    ) -> Place | None:
        """The place behind a page; after the last transfer there is none.

        Where each transfer failed for lack of credentials, there is nothing to publish.
        """
        if following is not None:
            return replace(place, offset=beyond(place.offset, following.offset))
        signed_in = place.signed_in or not _is_locked_out(part)
        if place.transfer + 1 < len(self._transfers):
            return Place(transfer=place.transfer + 1, signed_in=signed_in)
        if not signed_in:
            raise ReauthRequired
        return None

    def _refusal(self, transfer_id: str) -> FreshetError:
        """What it means that Endgrate does not give what it was asked for."""
        try:
            completed = self._api.completed(
                Way.PULL, session_id=self._session_id, transfer_id=transfer_id
            )
        except Refused:
            return JobLost()
        return UnexpectedAnswer() if completed else FetchWaits(AGAIN_SECONDS)


def _after(place: Place, items: Items) -> Place:
    return replace(
        place,
        had=place.had or bool(items.transfer_data),
        flagged=place.flagged or items.transfer_errors,
    )


def _is_locked_out(part: PartState | None) -> bool:
    return part is not None and part.state is Part.FAILED and part.reauth


def _item(raw: msgspec.Raw) -> Item:
    try:
        return msgspec.json.decode(raw, type=Item)
    except (msgspec.DecodeError, RecursionError):
        raise UnexpectedAnswer from None
