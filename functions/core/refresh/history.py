"""Lists what a tenant has asked for, newest first, page by page: refreshes, pushes, bulk runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

READ_AT_ONCE: Final = 100
READ_AT_MOST: Final = 300
"""How many entries are read for a page with a filter. Where too few of them match, the page is
shorter, and says where to go on."""

Entry = TypeVar("Entry")


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A position in a list: behind the entry of this RFC 3339 time and id."""

    requested_at: str
    id: str


class Line(Protocol[Entry]):
    """Entries in their order, newest first."""

    def __call__(self, *, limit: int, after: Place | None) -> tuple[list[Entry], Place | None]:
        """Read at most so many behind a place, and the place to go on from; None at the end."""


def read_page(
    line: Line[Entry],
    *,
    wanted: Callable[[Entry], bool] | None,
    place: Callable[[Entry], Place],
    limit: int,
    after: Place | None,
) -> tuple[list[Entry], Place | None]:
    """At most ``limit`` matching entries, and the place to go on from; None at the end.

    There may be fewer, even none, although more follow: see ``READ_AT_MOST``.

    Args:
        line: the entries.
        wanted: whether one matches; None for all.
        place: the position of one.
        limit: how many there may be.
        after: where to begin; None for the newest.
    """
    if wanted is None:
        return line(limit=limit, after=after)
    found: list[Entry] = []
    for _ in range(READ_AT_MOST // READ_AT_ONCE):
        some, following = line(limit=READ_AT_ONCE, after=after)
        for entry in some:
            if wanted(entry):
                found.append(entry)
            if len(found) == limit:
                return found, following if entry is some[-1] else place(entry)
        if following is None:
            return found, None
        after = following
    return found, after
