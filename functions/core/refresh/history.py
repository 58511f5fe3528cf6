"""Lists refreshes of a tenant or of a connection, newest first, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from functions.core.model import Refresh, iso

if TYPE_CHECKING:
    from collections.abc import Callable

READ_AT_ONCE: Final = 100
READ_AT_MOST: Final = 300
"""How many refreshes are read for a page with a filter. Where too few of them match, the page is
shorter, and says where to go on."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A position in a list: behind the refresh of this RFC 3339 time and id."""

    requested_at: str
    refresh_id: str


class Line(Protocol):
    """Refreshes in their order, newest first."""

    def __call__(self, *, limit: int, after: Place | None) -> tuple[list[Refresh], Place | None]:
        """Read at most so many behind a place, and the place to go on from; None at the end."""


def list_refreshes(
    line: Line, *, wanted: Callable[[Refresh], bool] | None, limit: int, after: Place | None
) -> tuple[list[Refresh], Place | None]:
    """At most ``limit`` matching refreshes, and the place to go on from; None at the end.

    There may be fewer, even none, although more follow: see ``READ_AT_MOST``.
    """
    if wanted is None:
        return line(limit=limit, after=after)
    found: list[Refresh] = []
    for _ in range(READ_AT_MOST // READ_AT_ONCE):
        some, following = line(limit=READ_AT_ONCE, after=after)
        for refresh in some:
            if wanted(refresh):
                found.append(refresh)
            if len(found) == limit:
                return found, following if refresh is some[-1] else _to_place(refresh)
        if following is None:
            return found, None
        after = following
    return found, after


def _to_place(refresh: Refresh) -> Place:
    return Place(iso(refresh.requested_at), refresh.refresh_id)
