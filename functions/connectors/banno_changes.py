"""What of Banno's transactions has to be read again, and what only where it has changed.

Banno's transactions reference has a filter `updatedSince` and says little of what an update is.
So it is asked from well before the last refresh, only about accounts that this one had read, and
never for long: the state machine has everything read again now and then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.core.model import Part, iso
from functions.core.ports import Beginning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.core.contract import Bookmark
    from functions.core.model import PartState
    from functions.core.ports import Base

NAME: Final = "transactions"

OVERLAP_SECONDS: Final = 60 * 60
"""How long before the last refresh an update may have happened that it did not see yet. What is
read twice for it does no harm."""


def beginning(
    base: Base | None, *, ids: Sequence[str], parts: Sequence[PartState], since: float
) -> Beginning:
    """How the transactions of these accounts are read: in full, or only their changes.

    Only changes where the accounts are those of the base: nothing tells that the transactions of
    an account that has gone have gone with it.

    Args:
        ids: all accounts that there are.
        parts: how fresh each account is.
        since: when the task was started, by Banno's clock.
    """
    known = base.bookmarks.get(NAME) if base else None
    # A stale account's updates may bear any time since its own last fetch.
    bookmark: Bookmark = {
        part.part: min(since, part.as_of) for part in parts if part.state is not Part.GONE
    }
    return Beginning(
        adds=known is not None and known.keys() == set(ids),
        bookmark=bookmark if all(bookmark.values()) else None,
    )


def updated_since(base: Base | None, account: str) -> str | None:
    """From when on an account's changes are asked for; None: all of its transactions are."""
    known = base.bookmarks.get(NAME, {}).get(account) if base else None
    return iso(max(0, float(known) - OVERLAP_SECONDS)) if known else None
