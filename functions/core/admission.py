"""Lets a refresh in: one at a time for a connection, whichever way it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from functions.core import refresh as step
from functions.core.contract import SLOT_SECONDS, Outcome, RefreshRequest
from functions.core.errors import Busy, InvalidRequest, NotFound, Superseded
from functions.core.refresh import Admission

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.core.model import Refresh
    from functions.core.ports import Connections, Refreshes


def admit(
    request: RefreshRequest,
    *,
    refresh_id: str,
    at: float,
    connections: Connections,
    refreshes: Refreshes,
    datasets: Mapping[str, Sequence[str]],
    tenant: str | None = None,
) -> Admission:
    """Take the connection's slot for a new refresh, join the one that has it, or find it idle.

    Asked again under the same id, it gives the same refresh: a lost answer costs nothing.

    Args:
        datasets: what each provider yields; a request that names none asks for all.
        tenant: whose connection it must be; None for a start from inside (console, schedule).

    Raises:
        InvalidRequest: it asks for a dataset that the provider does not have.
        Busy: the refresh that is running does not fetch all that was asked for.
        NotFound: there is no such connection, or it is another tenant's.
        Superseded: the connection was erased meanwhile, or a refresh of this id has lost its
            slot; it does not become another's companion, for then nobody would end it.
    """
    connection = connections.get(request.connection_id)
    if connection is None or tenant not in {None, connection.tenant}:
        raise NotFound
    request = _named(request, known=datasets[connection.provider])
    running = connection.running
    mine = running is not None and running.refresh_id == refresh_id
    own = refreshes.get(refresh_id) if mine else None
    if own is not None:
        return Admission(outcome=Outcome.RUNNING, refresh_id=refresh_id, refresh=own)
    answer = step.already_answered(connection, request, at=at) or _admitted(
        step.admitted(connection, request, refresh_id=refresh_id, at=at), refreshes=refreshes
    )
    if answer.refresh_id != refresh_id and refreshes.get(refresh_id) is not None:
        raise Superseded
    if answer.outcome is Outcome.JOINED:
        _require_coverage(refreshes.get(answer.refresh_id), request)
    return answer


def _require_coverage(joined: Refresh | None, request: RefreshRequest) -> None:
    """Refuse to join a refresh that does not fetch all that was asked for."""
    if joined is not None and not set(request.datasets or ()) <= set(joined.datasets):
        raise Busy


def _admitted(refresh: Refresh, *, refreshes: Refreshes) -> Admission:
    holder = refreshes.admit(refresh, until=refresh.deadline + SLOT_SECONDS)
    if holder != refresh.refresh_id:
        return Admission(outcome=Outcome.JOINED, refresh_id=holder)
    return Admission(outcome=Outcome.RUNNING, refresh_id=holder, refresh=refresh)


def _named(request: RefreshRequest, *, known: Sequence[str]) -> RefreshRequest:
    """The request with its datasets spelled out, in the order in which they are fetched."""
    wanted = request.datasets or known
    if unknown := set(wanted) - set(known):
        raise InvalidRequest(
            f"No such dataset: {', '.join(sorted(unknown))}. There are: {', '.join(known)}."
        )
    return replace(request, datasets=tuple(name for name in known if name in wanted))
