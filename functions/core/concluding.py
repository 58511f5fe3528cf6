"""Door 4's decisions: end what is not published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from functions.core import refresh as step
from functions.core.contract import Outcome, Ticket
from functions.core.errors import FreshetError, named
from functions.core.model import Refresh, Status

if TYPE_CHECKING:
    from functions.core.ports import Clock, Refreshes


class Concluded(msgspec.Struct, frozen=True, kw_only=True):
    """What is left to do: count the refresh if this call ended it, and fail the execution.

    ``unpublished`` says that whatever the refresh had staged can go; ``refresh`` is the one
    that is stored, if there is one.
    """

    refresh: Refresh | None = None
    ended: bool = False
    unpublished: bool = False
    error: FreshetError | None = None


def conclude(ticket: Ticket, *, refreshes: Refreshes, clock: Clock) -> Concluded:
    """End the refresh and free its slot.

    There is no error where the request joined another refresh, found the snapshot fresh
    enough, or turns out to have been published before something broke; nor where the
    execution has ended already (``aborted``) and only its refresh is left to end.
    """
    if ticket.outcome in {Outcome.JOINED, Outcome.FRESH}:
        return Concluded()
    error = named(ticket.error)
    refresh = refreshes.get(ticket.refresh_id)
    aborted = ticket.outcome is Outcome.ABORTED
    if refresh is None:
        return Concluded(unpublished=True, error=None if aborted else error())
    ended = not refresh.status.ended
    if ended:
        seen, refresh = refresh.version, step.failed(refresh, error, at=clock())
        refreshes.save(refresh, seen=seen)
    refreshes.release(refresh)
    if refresh.status is not Status.FAILED:
        return Concluded(refresh=refresh)
    failed = None if aborted else named(refresh.error)()
    return Concluded(refresh=refresh, ended=ended, unpublished=True, error=failed)
