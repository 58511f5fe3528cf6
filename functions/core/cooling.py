"""A provider that wants to be left alone for longer than a refresh has time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from functions.core.contract import Ticket
    from functions.core.errors import ProviderUnavailable
    from functions.core.model import Refresh
    from functions.core.stores import Refreshes

COOLING_SECONDS: Final = 60 * 60
"""Longer than this no connection is kept from its provider, whatever that says: it may be mistaken,
and says so again where it is not."""


def cool(
    fault: ProviderUnavailable, failed: Refresh | Ticket, *, refreshes: Refreshes, at: float
) -> None:
    """Remember at the connection until when its provider has forbidden to ask again.

    For whoever is about to fail a refresh of this fault. Where the provider has not said how
    long to wait, or no longer than the deadline is away, there is nothing to remember; nor
    where it was not the provider who said it, but our own budget for it.
    """
    wait = 0 if fault.unsent else fault.wait_seconds
    if wait and at + wait >= failed.deadline:
        refreshes.forbid(failed, until=at + min(wait, COOLING_SECONDS))
