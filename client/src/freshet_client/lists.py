"""Lists that are read page by page, and the changes of a dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

import msgspec

from freshet_client.errors import ChangesGone, Gone, SnapshotGone
from freshet_client.flows.effects import Emit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from freshet_client.exchange import Call, Exchange
    from freshet_client.flows.effects import Stream
    from freshet_client.flows.shells import AsyncShell, SyncShell

Item = TypeVar("Item")
Page = TypeVar("Page")
Shape = TypeVar("Shape")


class ChangesState(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a dataset's changes have been read: to be kept beside what they were applied to.

    ``since`` is the refresh that is known whole. ``cursor`` leads on within what came after it.
    """

    since: str | None = None
    cursor: str | None = None

    def to_json(self) -> str:
        """Write it as a text."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> ChangesState:
        """Read it from the text that ``to_json`` wrote.

        Raises:
            ValueError: it is no such text.
        """
        return msgspec.json.decode(text, type=cls)


class Reader(Protocol):
    """Reads a list's pages, and knows where it is."""

    @property
    def place(self) -> ChangesState:
        """Where to go on once the page that came last is done with."""
        ...

    def pages(self, shape: Any) -> Stream[Any]:  # noqa: ANN401 - a type of any kind
        """Read the pages as values of a type."""
        ...


class ListReader:
    """Reads a list from one page to the next.

    Args:
        exchange: sends the calls.
        call: of the first page.
        of_snapshot: its pages are of one snapshot, or of what came after one.
    """

    def __init__(self, exchange: Exchange, call: Call[Any], *, of_snapshot: bool = False) -> None:
        self._exchange, self._call, self._of_snapshot = exchange, call, of_snapshot
        self.place = ChangesState(cursor=call.query.get("cursor"))

    def pages(self, shape: Any) -> Stream[Any]:  # noqa: ANN401 - a type of any kind
        """Read the pages as values of a type.

        Raises:
            SnapshotGone: two later snapshots have been published meanwhile.
            ChangesGone: what came ``since`` is no longer known.
        """
        call = replace(self._call, answer=shape)
        while True:
            try:
                page = yield from self._exchange.send(call)
            except Gone as error:
                if not self._of_snapshot:
                    raise
                has_cursor = call.query.get("cursor") is not None
                raise error.turned_into(SnapshotGone if has_cursor else ChangesGone) from None
            self.place = ChangesState(cursor=page.next_cursor)
            yield Emit(page)
            if page.next_cursor is None or not getattr(page, "more", True):
                return
            call = replace(call, query={**call.query, "cursor": page.next_cursor})


class ChangesReader:
    """Reads what has changed in a dataset since a place.

    Args:
        exchange: sends the calls.
        call: of the records, without a place.
        state: the place; without a ``since`` the whole dataset is read.
    """

    def __init__(self, exchange: Exchange, call: Call[Any], state: ChangesState) -> None:
        self._exchange, self._call = exchange, call
        self.place = state

    def pages(self, shape: Any) -> Stream[Any]:  # noqa: ANN401 - a type of any kind
        """Read the pages as values of a type.

        Where the snapshot is gone in which it has read, it reads the changes once more from
        their beginning, which repeats some: to apply them again changes nothing.

        Raises:
            SnapshotGone: the whole dataset was being read, and is gone.
            ChangesGone: what came ``since`` is no longer known.
        """
        here = self.place
        while True:
            query = {**self._call.query, "since": here.since, "cursor": here.cursor}
            try:
                page = yield from self._exchange.send(
                    replace(self._call, answer=shape, query=query)
                )
            except Gone as error:
                if here.since is None or here.cursor is None:
                    kind = ChangesGone if here.cursor is None else SnapshotGone
                    raise error.turned_into(kind) from None
                here = ChangesState(since=here.since)
                continue
            if page.next_cursor is None:
                self.place = ChangesState(since=page.refresh_id)
            else:
                self.place = here = ChangesState(since=here.since, cursor=page.next_cursor)
            yield Emit(page)
            if page.next_cursor is None:
                return


@dataclass(frozen=True)
class Listing(Generic[Page, Item]):
    """A list to read: by what, what its pages are, and which items a page has."""

    reader: Reader
    shape: type[Page]
    items: Callable[[Page], Sequence[Item]]


class Pages(Generic[Page, Item]):
    """A list: iterate over it for its items, or over its ``pages()``.

    ``state`` is how far it has been read. It counts a page when that is handed out whole: an item
    by item reader has then taken its last item, a reader of pages the page.
    """

    def __init__(self, shell: SyncShell, listing: Listing[Page, Item]) -> None:
        self._shell, self._listing = shell, listing
        self.state = listing.reader.place

    def __iter__(self) -> Iterator[Item]:
        """Read item by item."""
        for page in self._shell.iterate(self._listing.reader.pages(self._listing.shape)):
            yield from self._listing.items(page)
            self.state = self._listing.reader.place

    @overload
    def pages(self) -> Iterator[Page]: ...
    @overload
    def pages(self, shape: type[Shape]) -> Iterator[Shape]: ...
    def pages(self, shape: Any = None) -> Iterator[Any]:
        """Read page by page.

        Args:
            shape: what to decode a page as; a struct of your own has a ``next_cursor``, and for
                changes a ``refresh_id``. A field of msgspec's ``Raw`` keeps the bytes.
        """
        for page in self._shell.iterate(self._listing.reader.pages(shape or self._listing.shape)):
            self.state = self._listing.reader.place
            yield page


class AsyncPages(Generic[Page, Item]):
    """As ``Pages``, for ``async for``."""

    def __init__(self, shell: AsyncShell, listing: Listing[Page, Item]) -> None:
        self._shell, self._listing = shell, listing
        self.state = listing.reader.place

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Read item by item."""
        async for page in self._shell.iterate(self._listing.reader.pages(self._listing.shape)):
            for item in self._listing.items(page):
                yield item
            self.state = self._listing.reader.place

    @overload
    def pages(self) -> AsyncIterator[Page]: ...
    @overload
    def pages(self, shape: type[Shape]) -> AsyncIterator[Shape]: ...
    async def pages(self, shape: Any = None) -> AsyncIterator[Any]:
        """Read page by page, as ``Pages.pages`` does."""
        async for page in self._shell.iterate(
            self._listing.reader.pages(shape or self._listing.shape)
        ):
            self.state = self._listing.reader.place
            yield page
