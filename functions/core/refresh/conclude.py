"""Ends refreshes that are not published: failed, cancelled, joined, fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from functions.core.contract import Ticket, TicketOutcome
from functions.core.errors import (
    Aborted,
    Action,
    CoolingDown,
    FreshetError,
    NotFound,
    Superseded,
    find_error,
)
from functions.core.model import Refresh, Status
from functions.core.refresh import steps as step

if TYPE_CHECKING:
    from functions.core.contract import Clock
    from functions.core.refresh.ports import Refreshes


class Concluded(msgspec.Struct, frozen=True, kw_only=True):
    """What the function has to do: count the refresh if this call ended it, fail the execution.

    ``unpublished`` says that what the refresh had staged can be deleted; ``refresh`` is the stored
    one, if there is one. ``action`` says what to do about the failure with which this call ends,
    or which it has stored in the execution's place.
    """

    refresh: Refresh | None = None
    ended: bool = False
    unpublished: bool = False
    error: FreshetError | None = None
    action: Action | None = None


MOOT: Final = (Aborted, CoolingDown, Superseded)
"""No action follows from these: a person stopped the execution, the provider wants no refresh yet,
or the connection was erased in between. An execution that takes too long has its own alarm."""


def conclude(ticket: Ticket, *, refreshes: Refreshes, clock: Clock) -> Concluded:
    """End the refresh and free its slot.

    There is no error where the request joined another refresh, found the snapshot fresh enough,
    or was published or cancelled before something broke; nor where the execution has ended
    already (``aborted``).
    """
    if ticket.outcome in {TicketOutcome.JOINED, TicketOutcome.FRESH}:
        return Concluded()
    error = find_error(ticket.error)
    refresh = refreshes.get(ticket.refresh_id)
    aborted = ticket.outcome is TicketOutcome.ABORTED
    if refresh is None:
        if aborted:
            return Concluded(unpublished=True)
        return Concluded(unpublished=True, error=error(), action=_action(error))
    ended = not refresh.status.has_ended
    if ended:
        seen, refresh = refresh.version, step.fail(refresh, error, at=clock())
        refreshes.save(refresh, seen=seen)
    refreshes.release(refresh)
    failed = find_error(refresh.error) if refresh.status is Status.FAILED else None
    return Concluded(
        refresh=refresh,
        ended=ended,
        unpublished=refresh.status.is_unpublished,
        error=failed() if failed and not aborted else None,
        action=_action(failed) if failed and (ended or not aborted) else None,
    )


def _action(error: type[FreshetError]) -> Action | None:
    return None if error in MOOT else error.action


def cancel(refresh: Refresh, *, refreshes: Refreshes, clock: Clock) -> tuple[Refresh, bool]:
    """Cancel the refresh, and free its slot; one that has ended stays as it is.

    Where another call writes the refresh at the same moment, this one repeats: a refresh is
    written only a few times.

    Returns:
        The refresh as it has ended, and whether this call has ended it.

    Raises:
        NotFound: it was erased meanwhile.
    """
    ended = False
    while not (ended or refresh.status.has_ended):
        told = step.cancel(refresh, at=clock())
        try:
            refreshes.save(told, seen=refresh.version)
        except Superseded:
            stored = refreshes.get(refresh.refresh_id)
            if stored is None:
                raise NotFound from None
            refresh = stored
        else:
            ended, refresh = True, told
    refreshes.release(refresh)
    return refresh, ended
