"""Lists that are read page by page, and the changes of a dataset."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import msgspec

from freshet_client.errors import ChangesGone, Gone, SnapshotGone
from freshet_client.flows.effects import Emit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from freshet_client.exchange import Call, Exchange
    from freshet_client.flows.effects import Stream
    from freshet_client.flows.runners import AsyncRunner, SyncRunner

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


class Listing(Generic[Page, Item]):
    """A list to read from one page to the next.

    Args:
        exchange: sends the calls.
        call: of the first page.
        items: which items a page has.
        of_snapshot: its pages are of one snapshot, or of what came after one.
    """

    def __init__(
        self,
        exchange: Exchange,
        call: Call[Page],
        items: Callable[[Page], Sequence[Item]],
        *,
        of_snapshot: bool = False,
    ) -> None:
        self._exchange, self._call, self._of_snapshot = exchange, call, of_snapshot
        self.items = items
        self.place = ChangesState(cursor=call.query.get("cursor"))
        """Where to go on once the page that came last is done with."""

    def pages(self, shape: Any = None) -> Stream[Any]:  # noqa: ANN401 - a type of any kind
        """Read the pages, as values of a type of the caller's if there is one.

        Raises:
            SnapshotGone: two later snapshots have been published meanwhile.
            ChangesGone: what came ``since`` is no longer known.
        """
        call = replace(self._call, answer=shape or self._call.answer)
        while True:
            try:
                page: Any = yield from self._exchange.send(call)
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


class ChangesListing(Listing[Page, Item]):
    """What has changed in a dataset since a place; without a ``since`` the whole dataset."""

    def __init__(
        self,
        exchange: Exchange,
        call: Call[Page],
        items: Callable[[Page], Sequence[Item]],
        *,
        state: ChangesState,
    ) -> None:
        super().__init__(exchange, call, items)
        self.place = state

    def pages(self, shape: Any = None) -> Stream[Any]:  # noqa: ANN401 - a type of any kind
        """Read the pages, as values of a type of the caller's if there is one.

        Where the snapshot is gone in which it has read, it reads the changes once more from
        their beginning, which repeats some: to apply them again changes nothing.

        Raises:
            SnapshotGone: the whole dataset was being read, and is gone.
            ChangesGone: what came ``since`` is no longer known.
        """
        here = self.place
        while True:
            query = {**self._call.query, **msgspec.to_builtins(here)}
            call = replace(self._call, answer=shape or self._call.answer, query=query)
            try:
                page: Any = yield from self._exchange.send(call)
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


class Pages(Generic[Page, Item]):
    """A list: iterate over it for its items, or over its ``pages()``.

    ``state`` is how far it has been read. It counts a page when that is handed out whole: an item
    by item reader has then taken its last item, a reader of pages the page.
    """

    def __init__(self, runner: SyncRunner, listing: Listing[Page, Item]) -> None:
        self._runner, self._listing = runner, listing
        self.state = listing.place

    def __iter__(self) -> Iterator[Item]:
        """Read item by item."""
        for page in self._runner.iterate(self._listing.pages()):
            yield from self._listing.items(page)
            self.state = self._listing.place

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
        for page in self._runner.iterate(self._listing.pages(shape)):
            self.state = self._listing.place
            yield page


class AsyncPages(Generic[Page, Item]):
    """As ``Pages``, for ``async for``."""

    def __init__(self, runner: AsyncRunner, listing: Listing[Page, Item]) -> None:
        self._runner, self._listing = runner, listing
        self.state = listing.place

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Read item by item."""
        async for page in self._runner.iterate(self._listing.pages()):
            for item in self._listing.items(page):
                yield item
            self.state = self._listing.place

    @overload
    def pages(self) -> AsyncIterator[Page]: ...
    @overload
    def pages(self, shape: type[Shape]) -> AsyncIterator[Shape]: ...
    async def pages(self, shape: Any = None) -> AsyncIterator[Any]:
        """Read page by page, as ``Pages.pages`` does."""
        async for page in self._runner.iterate(self._listing.pages(shape)):
            self.state = self._listing.place
            yield page
