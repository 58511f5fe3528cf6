"""The log of events, oldest first, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from functions.core.events.model import OutboxEvent


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A position in the log: behind the event of this RFC 3339 time and id."""

    occurred_at: str
    event_id: str


class Line(Protocol):
    """Events in their order, oldest first."""

    def __call__(
        self, *, since: float, until: float, limit: int, after: Place | None
    ) -> tuple[list[OutboxEvent], Place | None]:
        """Read at most so many of that time behind a place.

        Returns:
            The events, fewer where some are no longer kept, and the place to go on from; None at
            the end.
        """
