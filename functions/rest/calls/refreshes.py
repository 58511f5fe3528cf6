"""Refreshes: start, follow, list and cancel them."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec
from msgspec.structs import asdict

from functions.aws.ends import tell_end
from functions.connectors.registry import Provider
from functions.core.contract import Reason, RefreshOptions, RefreshRequest
from functions.core.errors import (
    Busy,
    CoolingDown,
    KeyReused,
    Superseded,
    UserError,
)
from functions.core.model import (
    REFRESH_PREFIX,
    Coverage,
    Refresh,
    Status,
    Verdict,
    iso,
    when,
)
from functions.core.refresh import conclude
from functions.core.refresh.admission import RefreshOutcome, admit, to_admission
from functions.core.refresh.history import Place, read_page
from functions.core.refresh.steps import (
    find_next_look,
    find_next_try,
    find_obstacle,
    find_ready,
    read_lateness,
)
from functions.core.wait import MAX_WAIT_SECONDS
from functions.rest import cursors
from functions.rest.call import Call, Reply, connection_of, hold, once, own
from functions.rest.headers import APPLIED, PREFER, idempotency_key
from functions.rest.models import ErrorOut, EventOut, error_out, events_out
from functions.rest.route import (
    LOCATION,
    REPLAYED,
    WAITING,
    Answer,
    Parameter,
    Route,
    Tag,
    limit,
    one_of,
)

if TYPE_CHECKING:
    from functions.core.idempotency import Key
    from functions.core.refresh.admission import Admission

WaitsFor: TypeAlias = Literal["user", "provider", "pause"]

LIMIT: Final = 50
MAX_LIMIT: Final = 100


class RefreshOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refresh.

    ``records_read``, by dataset, are the records that it has brought: none where nothing had
    changed. ``records_total`` are those of the snapshot, see ``DatasetOut``. They, ``coverage``,
    ``as_of`` and ``verdict`` are of the datasets that it was to fetch: where none of their parts is
    stale, incomplete or failed it is ``published``, else ``partial``. The snapshot's own are of all
    that is published. ``changes_since`` is what to give as `since` to read what it has changed.
    ``ready_at`` is when the job was seen to be ready. It was so for ``noticed_within_seconds`` at
    the most, since the look before. While the refresh runs, ``waits_for`` says for what: its end
    ``user``, by what its last event says; the ``provider``, which works on the job or is fetched
    from; or a ``pause`` until ``next_try_at``, when the provider is asked again. ``next_look_at``
    is when its job is looked at next, as that was planned at the trigger: a webhook brings it
    forward, a fault or a wish of the provider puts it off. While the provider holds a look open,
    that look ends then at the latest. While the data are fetched it still names a look, which does
    not come. Where your own call was held, it is as of the answer. ``requested_by`` is who asked
    for the refresh first: the token's `sub`, else its `client_id`; none where no caller of the
    API did.
    ``outcome`` stands only in the answer to the request that asked for it, ``events`` not in a list
    of refreshes.
    """

    refresh_id: str
    connection_id: str
    provider: str
    status: Status
    reason: Reason
    requested_at: str
    deadline: str
    datasets: tuple[str, ...]
    version: int
    attempts: int
    records_read: dict[str, int]
    records_total: dict[str, int]
    events: tuple[EventOut, ...] = ()
    coverage: Coverage | None = None
    as_of: str | None = None
    verdict: Verdict | None = None
    changes_since: str | None = None
    triggered_at: str | None = None
    ready_at: str | None = None
    noticed_within_seconds: float | None = None
    ended_at: str | None = None
    error: ErrorOut | None = None
    waits_for: WaitsFor | None = None
    next_try_at: str | None = None
    next_look_at: str | None = None
    requested_by: str | None = None
    outcome: RefreshOutcome | None = None


class RefreshesOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of refreshes, newest first; ``next_cursor`` null on the last."""

    refreshes: list[RefreshOut]
    next_cursor: str | None


def refresh_out(
    refresh: Refresh, *, at: float, outcome: RefreshOutcome | None = None, events: bool = True
) -> RefreshOut:
    """Render a refresh as it is ``at`` now, with its events or without.

    Its ``outcome`` says how it was admitted just now.
    """
    ready = find_ready(refresh)
    return RefreshOut(
        refresh_id=refresh.refresh_id,
        connection_id=refresh.connection_id,
        provider=refresh.provider,
        status=refresh.status,
        reason=refresh.reason,
        requested_at=iso(refresh.requested_at),
        deadline=iso(refresh.deadline),
        datasets=refresh.datasets,
        version=refresh.version,
        attempts=refresh.attempts,
        records_read=refresh.records_read,
        records_total=refresh.records_total,
        events=events_out(refresh.events) if events else (),
        coverage=refresh.coverage,
        as_of=when(refresh.as_of),
        verdict=refresh.verdict,
        changes_since=refresh.changes_since or None,
        triggered_at=when(refresh.triggered_at),
        ready_at=iso(ready.at) if ready else None,
        noticed_within_seconds=read_lateness(ready) if ready else None,
        ended_at=iso(refresh.told_at) if refresh.status.has_ended else None,
        error=error_out(refresh.error),
        waits_for=_waits_for(refresh),
        next_try_at=when(find_next_try(refresh)),
        next_look_at=when(find_next_look(refresh, at=at)),
        requested_by=refresh.requested_by or None,
        outcome=outcome,
    )


def _waits_for(refresh: Refresh) -> WaitsFor | None:
    if obstacle := find_obstacle(refresh):
        return "user" if issubclass(obstacle, UserError) else "pause"
    return "provider" if refresh.job is not None and not refresh.status.has_ended else None


@Route(
    "POST /v1/refreshes",
    Tag.REFRESHES,
    (
        Answer(
            "The refresh has been started, or joined, and has not ended yet.",
            RefreshOut,
            (LOCATION, REPLAYED, APPLIED),
            status=202,
        ),
        Answer(
            "The snapshot is fresh enough: the refresh that published it. Or the answer was held,"
            " and the refresh has ended.",
            RefreshOut,
            (LOCATION, REPLAYED, APPLIED),
        ),
    ),
    body=RefreshOptions,
    headers=(
        idempotency_key(
            "Your own name for this request. The same body under the same key is the same request,"
            " for a day: it gets the same answer, and starts nothing again. What a registration or"
            " a bulk run has come with is refused.",
            example="login-4711",
        ),
        PREFER,
    ),
    problems=(Busy, CoolingDown, KeyReused, Superseded),
)
def start_refresh(
    call: Call, *, body: RefreshOptions, idempotency_key: str | None, prefer: int | None
) -> Reply:
    """Refresh a connection.

    Joins the refresh that is running, if it fetches what is asked for: `outcome` says so, and
    `status` how that refresh stands. Reads only what has changed, where the provider tells, and
    everything with `full`. With `wait_for_user` it waits, until its deadline, for a user who has to
    sign in again or to act at the provider first. With `synchronous` the answer is held for up to
    25 seconds, unless `Prefer` says otherwise.
    """
    began = call.here.clock()
    admission, replayed = once(
        call,
        idempotency_key,
        body,
        create=lambda key: _admit(call, body, key=key),
        replay=to_admission,
    )
    refresh = _start(call, admission)
    wait = MAX_WAIT_SECONDS if body.synchronous and prefer is None else prefer
    if wait is not None:
        look = partial(_read, call, refresh.refresh_id)
        refresh = hold(call, refresh, look, until=began + wait)
    done = admission.outcome is RefreshOutcome.FRESH or (
        wait is not None and refresh.status.has_ended
    )
    return Reply(
        refresh_out(refresh, at=call.here.clock(), outcome=admission.outcome),
        200 if done else 202,
        location=f"/v1/refreshes/{refresh.refresh_id}",
        replayed=replayed,
        headers={APPLIED.name: f"wait={prefer}"} if prefer is not None else {},
    )


@Route(
    "GET /v1/refreshes",
    Tag.REFRESHES,
    (Answer("A page of them.", RefreshesOut),),
    query=(
        Parameter(
            "connection_id",
            "Only those of this connection.",
            "con_5d2c8a1f4e7b4c0d8a9b0c1d2e3f4a5b",
        ),
        one_of("provider", Provider, example=Provider.BANNO),
        one_of("status", Status, example=Status.FAILED),
        limit(LIMIT, MAX_LIMIT),
        Parameter(
            "cursor",
            "The `next_cursor` of the page before, of a list with the same filters.",
            "WyJjOWU1YjU3NTk2MjE4ZmI5IixbIjIwMjYtMTEtMjJUMDk6MzE6MDAuMDAwWiIsInJlZl8xZjBjNWE0YmUyZDg0"
            "ZDBmOWE2YjdjOGQ5ZTBmMWEyYiJdXQ",
        ),
    ),
)
def list_refreshes(
    call: Call,
    *,
    connection_id: str | None,
    provider: Provider | None,
    status: Status | None,
    limit: int,
    cursor: str | None,
) -> Reply:
    """List your refreshes, newest first.

    Without their events. A page may hold fewer than the limit, even none, although more follow:
    read on while there is a `next_cursor`.
    """
    here = ("refreshes", connection_id, provider, status)
    after = cursors.read_place(cursor, of=here)

    def is_wanted(refresh: Refresh) -> bool:
        return provider in {None, refresh.provider} and status in {None, refresh.status}

    if connection_id is None:
        line = call.here.refreshes.of_tenant(call.tenant)
    else:
        connection_of(call, connection_id)
        line = call.here.refreshes.of_connection(connection_id)
    found, following = read_page(
        line,
        wanted=is_wanted if provider or status else None,
        place=lambda one: Place(iso(one.requested_at), one.refresh_id),
        limit=limit,
        after=after,
    )
    at = call.here.clock()
    return Reply(
        RefreshesOut(
            refreshes=[refresh_out(one, at=at, events=False) for one in found],
            next_cursor=cursors.write(following, of=here) if following else None,
        )
    )


@Route(
    "GET /v1/refreshes/<refresh_id>",
    Tag.REFRESHES,
    (Answer("The refresh.", RefreshOut),),
    query=WAITING,
)
def read_refresh(call: Call, refresh_id: str, *, wait: int, since_version: int | None) -> Reply:
    """See how a refresh stands.

    With a `wait` the answer is held until the refresh is past the version that you know, or has
    ended.
    """
    refresh = _read(call, refresh_id)
    until = call.here.clock() + wait
    look = partial(_read, call, refresh_id)
    refresh = hold(call, refresh, look, until=until, since=since_version)
    return Reply(refresh_out(refresh, at=call.here.clock()))


@Route(
    "POST /v1/refreshes/<refresh_id>/cancel",
    Tag.REFRESHES,
    (Answer("The refresh as it has ended.", RefreshOut),),
)
def cancel_refresh(call: Call, refresh_id: str) -> Reply:
    """Stop a refresh here.

    For all requests that have joined it. Nothing of it is published, and the connection is free.
    What the provider has begun runs on there: none of them has a way to stop it. A refresh that
    has ended stays as it is.
    """
    refresh, ended = conclude.cancel(
        _read(call, refresh_id), refreshes=call.here.refreshes, clock=call.here.clock
    )
    if ended:
        tell_end(refresh)
    if refresh.status is Status.CANCELLED:  # also repeated after a fault
        call.here.executions.stop(refresh.refresh_id)
        call.here.snapshots.discard(refresh.connection_id, refresh_id=refresh.refresh_id)
    return Reply(refresh_out(refresh, at=call.here.clock()))


def _admit(call: Call, options: RefreshOptions, *, key: Key | None) -> Admission:
    return admit(
        RefreshRequest(**asdict(options), reason=Reason.API),
        refresh_id=REFRESH_PREFIX + secrets.token_hex(16),
        at=call.here.clock(),
        ports=call.here.admission,
        tenant=call.tenant,
        requested_by=call.caller,
        key=key,
    )


def _start(call: Call, admission: Admission) -> Refresh:
    """The refresh that answers a request. Its own is started, also by a repetition."""
    refresh = admission.refresh if admission.outcome is RefreshOutcome.STARTED else None
    refresh = refresh or _read(call, admission.refresh_id)
    if admission.outcome is RefreshOutcome.STARTED and refresh.status is Status.ADMITTED:
        call.here.executions.start(refresh)
    return refresh


def _read(call: Call, refresh_id: str) -> Refresh:
    return own(call, refresh_id, lambda here: here.refreshes.get(refresh_id))
