"""Admits refreshes: one at a time for each connection."""

from __future__ import annotations

from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.core.contract import SLOT_SECONDS, RefreshRequest
from functions.core.errors import (
    Busy,
    CoolingDown,
    InvalidRequest,
    NotFound,
    Paused,
    PlatformFault,
    Superseded,
)
from functions.core.idempotency import Answer, Claim
from functions.core.model import Refresh, Status
from functions.core.refresh import steps as step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.core.contract import Ticket
    from functions.core.errors import ProviderUnavailable
    from functions.core.idempotency import Key, Keys
    from functions.core.model import Connection, Running, SnapshotPointer
    from functions.core.refresh.ports import AdmissionPorts, Connections, Refreshes


class RefreshOutcome(StrEnum):
    """What became of a request for a refresh, however that refresh stands by now.

    ``started``: a refresh for this request. ``joined``: one that was running already. ``fresh``:
    none; the refresh is the one whose snapshot is fresh enough.
    """

    STARTED = "started"
    JOINED = "joined"
    FRESH = "fresh"


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """The refresh that answers a request; ``refresh`` is set where it was started for it."""

    outcome: RefreshOutcome
    refresh_id: str
    refresh: Refresh | None = None


COOLDOWN_SECONDS: Final = 60 * 60
"""The longest pause that is stored: a provider may be mistaken, and says so again where it is
not."""


def note_cooldown(
    fault: ProviderUnavailable, failed: Refresh | Ticket, *, refreshes: Refreshes, at: float
) -> None:
    """Store at the connection until when its provider wants no refresh.

    Call this just before failing a refresh of this fault. Nothing is stored where the provider has
    named no pause, or one that ends before the deadline, or where it was our own budget that
    refused.
    """
    wait = 0 if fault.unsent else fault.wait_seconds
    if wait and at + wait >= failed.deadline:
        refreshes.forbid(failed, until=at + min(wait, COOLDOWN_SECONDS))


UNBEGUN_SECONDS: Final = 600
"""How long a refresh may be admitted and not begun until it is taken for lost. It is started at
once, or within minutes by the reconciler; the state machine tries its first function for six
minutes."""


def admit(
    request: RefreshRequest,
    *,
    refresh_id: str,
    at: float,
    ports: AdmissionPorts,
    tenant: str | None = None,
    requested_by: str = "",
    key: Key | None = None,
) -> Admission:
    """Give the connection's slot to a new refresh, join the one that has it, or find it fresh.

    A repetition under the same id returns the same refresh.

    Args:
        tenant: which one must own the connection; None for a start from inside (console,
            schedule).
        requested_by: who asks, where a caller of the API does; a refresh that is joined keeps its
            own.
        key: the request's, if it has one; it is noted with the answer. A new refresh notes it in
            the write that takes the slot.

    Raises:
        InvalidRequest: it asks for a dataset that the provider does not have.
        Busy: the refresh that is running does not fetch all that was asked for.
        Paused: its application has paused the connection.
        CoolingDown: the provider wants no refresh yet, and none is there to be joined.
        NotFound: there is no such connection, or it is another tenant's.
        Superseded: the connection was erased meanwhile, or the key noted with another answer;
            or a refresh of this id has ended or lost its slot. It does not join another, as
            then no execution would end it.
    """
    connections, refreshes = ports.connections, ports.refreshes
    connection = _require(request.connection_id, connections=connections, tenant=tenant)
    request = _name_datasets(
        request, known=connection.datasets or ports.datasets[connection.provider]
    )
    own = _find_own(connection, refresh_id=refresh_id, refreshes=refreshes)
    if own is not None:
        return Admission(outcome=RefreshOutcome.STARTED, refresh_id=refresh_id, refresh=own)
    answer = find_answer(connection, request, at=at)
    while answer is not None and _is_over(answer, refreshes=refreshes, at=at):
        # Its end has left a snapshot, or the provider's word that it wants no other for now.
        connection = _require(request.connection_id, connections=connections, tenant=tenant)
        answer = find_answer(connection, request, at=at)
    if answer is None:
        if refreshes.get(refresh_id) is None:
            _require_allowed(connection, at=at)
        new = step.create(
            connection, request, refresh_id=refresh_id, at=at, requested_by=requested_by
        )
        answer = _take_slot(new, before=connection.running, refreshes=refreshes, key=key)
    if answer.refresh_id != refresh_id and refreshes.get(refresh_id) is not None:
        raise Superseded
    if answer.outcome is RefreshOutcome.JOINED:
        _require_coverage(refreshes.get(answer.refresh_id), request)
    if key is not None and answer.refresh_id != refresh_id:
        _note(key, answer, refresh_id=refresh_id, keys=ports.keys, at=at)
    return answer


def _require_allowed(connection: Connection, *, at: float) -> None:
    """Refuse a new refresh while the application or the provider wants none."""
    if connection.paused:
        raise Paused
    until = connection.next_allowed_at
    if at < until:
        raise CoolingDown(next_allowed_at=until, wait_seconds=ceil(until - at))


def find_answer(connection: Connection, request: RefreshRequest, *, at: float) -> Admission | None:
    """The answer that needs no new refresh, if there is one.

    A snapshot that has all requested datasets, each young enough by its ``as_of``, comes before a
    refresh that is running; but not where everything is to be read again (``full``).
    """
    snapshot, running = connection.snapshot, connection.running
    if (
        request.max_age_seconds is not None
        and not request.full
        and snapshot is not None
        and set(request.datasets or ()) <= set(snapshot.datasets)
        and at - _as_of(snapshot, request.datasets or ()) <= request.max_age_seconds
    ):
        return Admission(outcome=RefreshOutcome.FRESH, refresh_id=snapshot.refresh_id)
    if running is not None and at < running.until:
        return Admission(outcome=RefreshOutcome.JOINED, refresh_id=running.refresh_id)
    return None


def _as_of(snapshot: SnapshotPointer, datasets: Iterable[str]) -> float:
    """The oldest ``as_of`` of these datasets."""
    ages = (snapshot.as_of_by_dataset.get(name, snapshot.as_of) for name in datasets)
    return min(ages, default=snapshot.as_of)


def to_admission(claim: Claim) -> Admission:
    """The admission that was noted under a key."""
    if claim.answer is None:
        return Admission(outcome=RefreshOutcome.STARTED, refresh_id=claim.resource_id)
    outcome, refresh_id = RefreshOutcome(claim.answer.outcome), claim.answer.resource_id
    return Admission(outcome=outcome, refresh_id=refresh_id)


def _note(key: Key, found: Admission, *, refresh_id: str, keys: Keys, at: float) -> None:
    answer = Answer(outcome=found.outcome, resource_id=found.refresh_id)
    claim = Claim(digest=key.digest, resource_id=refresh_id, answer=answer)
    if keys.claim(key.name, claim, at=at) != claim:
        raise Superseded


def _require(connection_id: str, *, connections: Connections, tenant: str | None) -> Connection:
    connection = connections.get(connection_id)
    if connection is None or tenant not in {None, connection.tenant}:
        raise NotFound
    return connection


def _find_own(connection: Connection, *, refresh_id: str, refreshes: Refreshes) -> Refresh | None:
    """The refresh of this id, where it has the slot already."""
    running = connection.running
    if running is None or running.refresh_id != refresh_id:
        return None
    own = refreshes.get(refresh_id)
    if own is not None and own.status.has_ended:
        raise Superseded  # it was ended, and the slot not freed
    return own


def _is_over(answer: Admission, *, refreshes: Refreshes, at: float) -> bool:
    """Whether the refresh to be joined has ended, or was never begun; its slot is freed then."""
    joined = refreshes.get(answer.refresh_id) if answer.outcome is RefreshOutcome.JOINED else None
    if joined is None:
        return False
    unbegun = joined.status is Status.ADMITTED and at - joined.requested_at >= UNBEGUN_SECONDS
    if not (joined.status.has_ended or (unbegun and _give_up(joined, refreshes, at=at))):
        return False
    refreshes.release(joined)
    return True


def _give_up(refresh: Refresh, refreshes: Refreshes, *, at: float) -> bool:
    """Fail a refresh that no execution ends; return False if it has been written meanwhile."""
    try:
        refreshes.save(step.fail(refresh, PlatformFault, at=at), seen=refresh.version)
    except Superseded:
        return False
    return True


def _require_coverage(joined: Refresh | None, request: RefreshRequest) -> None:
    """Refuse to join a refresh that does not fetch all that was asked for."""
    if joined is None:
        return
    if not set(request.datasets or ()) <= set(joined.datasets) or request.full > joined.full:
        raise Busy


def _take_slot(
    refresh: Refresh, *, before: Running | None, refreshes: Refreshes, key: Key | None
) -> Admission:
    """Take the slot for a new refresh, and end the refresh whose slot had run out."""
    holder = refreshes.admit(refresh, until=refresh.deadline + SLOT_SECONDS, key=key)
    if holder != refresh.refresh_id:
        return Admission(outcome=RefreshOutcome.JOINED, refresh_id=holder)
    lost = refreshes.get(before.refresh_id) if before else None
    if lost is not None and not lost.status.has_ended:
        _give_up(lost, refreshes, at=refresh.requested_at)
    return Admission(outcome=RefreshOutcome.STARTED, refresh_id=holder, refresh=refresh)


def _name_datasets(request: RefreshRequest, *, known: Sequence[str]) -> RefreshRequest:
    """The request with its datasets spelled out, in the order in which they are fetched."""
    wanted = request.datasets or known
    require_known(wanted, known=known)
    return replace(request, datasets=tuple(name for name in known if name in wanted))


def require_known(wanted: Sequence[str], *, known: Sequence[str]) -> None:
    """Refuse datasets that a connection does not have.

    Raises:
        InvalidRequest: there is one.
    """
    if unknown := set(wanted) - set(known):
        raise InvalidRequest(
            f"No such dataset: {', '.join(sorted(unknown))}. There are: {', '.join(known)}."
        )
