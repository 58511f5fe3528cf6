"""Bulk runs: start, follow, list and cancel them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from functions.aws.boundary import setting
from functions.connectors.registry import REGISTRY
from functions.core.bulk.model import (
    BULK_PREFIX,
    BulkOptions,
    BulkOutcome,
    BulkRequest,
    BulkRun,
    BulkStatus,
    Result,
)
from functions.core.bulk.run import check, create, estimate, keep
from functions.core.contract import Reason, Variable
from functions.core.errors import (
    BulkRunning,
    Busy,
    CoolingDown,
    InvalidRequest,
    KeyReused,
    NotFound,
    PlatformFault,
)
from functions.core.model import iso, when
from functions.rest import cursors
from functions.rest.call import Call, Reply, once, own
from functions.rest.headers import idempotency_key
from functions.rest.models import ErrorOut, error_out
from functions.rest.route import LOCATION, REPLAYED, Answer, Parameter, Route, Tag, limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.idempotency import Key

RUNS: Final = 20
MAX_RUNS: Final = 100
"""How many runs a page may have: the counts of each are a read of their own."""

LIMIT: Final = 100
MAX_LIMIT: Final = 500

Place = Annotated[str, Meta(min_length=1, max_length=64)]
"""Where a reader of failures goes on: behind this connection."""

NEVER_BEGUN = frozenset(error.name() for error in (Busy, CoolingDown, InvalidRequest, NotFound))
"""An outcome with one of these errors has no refresh."""


class OutcomesOut(msgspec.Struct, frozen=True, kw_only=True):
    """The number of connections with each outcome so far.

    ``fresh``: the snapshot was young enough. ``joined``: a refresh was running already.
    ``busy``: one of other datasets was. ``not_found``: there is no such connection, or it is
    not yours. ``unknown``: the run ended without a word of it.
    """

    published: int
    partial: int
    fresh: int
    joined: int
    busy: int
    failed: int
    cancelled: int
    not_found: int
    unknown: int


class BulkOut(msgspec.Struct, frozen=True, kw_only=True):
    """A bulk run. ``total`` is null until the connections have been listed, and so is ``running``.

    ``running`` is about how many of its refreshes are under way, and ``ends_about`` when the run
    will have ended; null where it has, or where too few outcomes tell. Both are estimated from the
    outcomes so far. ``named`` is how many connections the request named; null where it named none.
    ``error`` says why a run failed; what its outcomes say stands all the same.
    ``requested_by`` is the `sub` of the token, else its `client_id`; null where it had none.
    """

    bulk_id: str
    status: BulkStatus
    reason: Reason
    requested_by: str | None
    requested_at: str
    ended_at: str | None
    provider: str | None
    named: int | None
    older_than_seconds: int | None
    max_age_seconds: int | None
    spread_seconds: int
    deadline_seconds: int | None
    total: int | None
    running: int | None
    ends_about: str | None
    outcomes: OutcomesOut
    error: ErrorOut | None


class BulksOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of bulk runs, newest first; ``next_cursor`` null on the last."""

    bulk_refreshes: list[BulkOut]
    next_cursor: str | None


class FailureOut(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that was not refreshed, and why. Without a refresh, none was begun.

    Where the outcome is ``unknown``, so is what became of the refresh: it may have ended in any
    way, or never have begun, and then there is none of this id.
    """

    connection_id: str
    refresh_id: str | None
    outcome: BulkOutcome
    error: ErrorOut | None


class FailuresOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of failures; ``next_cursor`` null on the last."""

    failures: list[FailureOut]
    next_cursor: str | None


def bulk_out(bulk: BulkRun, counts: Mapping[BulkOutcome, int], *, at: float, most: int) -> BulkOut:
    """Render a run as it stands now, where so many refreshes run at a time."""
    asked = bulk.options
    progress = estimate(bulk, with_outcome=sum(counts.values()), at=at, most=most)
    return BulkOut(
        bulk_id=bulk.bulk_id,
        status=bulk.status,
        reason=bulk.reason,
        requested_by=bulk.requested_by or None,
        requested_at=iso(bulk.requested_at),
        ended_at=when(bulk.ended_at),
        provider=asked.provider,
        named=len(asked.connection_ids) if asked.connection_ids else None,
        older_than_seconds=asked.older_than_seconds,
        max_age_seconds=asked.max_age_seconds,
        spread_seconds=asked.spread_seconds,
        deadline_seconds=asked.deadline_seconds,
        total=bulk.total if bulk.began_at else None,
        running=progress.running if progress else None,
        ends_about=when(progress.ends_at) if progress else None,
        outcomes=OutcomesOut(**{outcome.value: counts.get(outcome, 0) for outcome in BulkOutcome}),
        error=error_out(bulk.error),
    )


def failure_out(result: Result) -> FailureOut:
    """Render an outcome that is not good."""
    return FailureOut(
        connection_id=result.connection_id,
        refresh_id=None if result.error in NEVER_BEGUN else result.refresh_id or None,
        outcome=result.outcome,
        error=error_out(result.error or None),
    )


@Route(
    "POST /v1/bulk-refreshes",
    Tag.BULK_REFRESHES,
    (Answer("The run is under way.", BulkOut, (LOCATION, REPLAYED), status=202),),
    body=BulkOptions,
    headers=(
        idempotency_key(
            "Your own name for this run. The same body under the same key is the same run, for a"
            " day.",
            example="nightly-2026-11-22",
        ),
    ),
    problems=(BulkRunning, KeyReused),
)
def start_bulk_refresh(call: Call, *, body: BulkOptions, idempotency_key: str | None) -> Reply:
    """Refresh many connections.

    Those that are named, or all of yours: with `provider`, those of one provider; with
    `older_than_seconds`, those with an older snapshot or none. Each has an outcome of its own. You
    can have one run under way at a time; another is refused until it ends, and `detail` names it.
    """
    check(body, providers=REGISTRY)
    bulk, replayed = once(
        call,
        idempotency_key,
        body,
        create=lambda key: _create(call, body, key=key),
        replay=lambda claim: _read(call, claim.resource_id),
    )
    if bulk.status is BulkStatus.LISTING:
        call.here.bulk_executions.start(bulk)
    return Reply(
        _show(call, bulk),
        202,
        location=f"/v1/bulk-refreshes/{bulk.bulk_id}",
        replayed=replayed,
    )


@Route(
    "GET /v1/bulk-refreshes",
    Tag.BULK_REFRESHES,
    (Answer("A page of them.", BulksOut),),
    query=(
        limit(RUNS, MAX_RUNS),
        Parameter(
            "cursor",
            "The `next_cursor` of the page before.",
            "WyIwZjI1MzI0ZmJiZjAzZTJjIixbIjIwMjYtMTEtMjJUMDM6MDA6MDAuMDAwWiIsImJsa18wYTFiMmMzZDRlNWY2"
            "YTdiOGM5ZDBlMWYyYTNiNGM1ZCJdXQ",
        ),
    ),
)
def list_bulk_refreshes(call: Call, *, limit: int, cursor: str | None) -> Reply:
    """List your bulk runs, newest first.

    Those of the last 30 days, also those that an operator has started for you alone.
    """
    here = ("bulk-refreshes",)
    after = cursors.read_place(cursor, of=here)
    found, following = call.here.bulk_runs.of_tenant(call.tenant)(limit=limit, after=after)
    return Reply(
        BulksOut(
            bulk_refreshes=[_show(call, bulk) for bulk in found],
            next_cursor=cursors.write(following, of=here) if following else None,
        )
    )


@Route(
    "GET /v1/bulk-refreshes/<bulk_id>",
    Tag.BULK_REFRESHES,
    (Answer("The run and its counts.", BulkOut),),
)
def read_bulk_refresh(call: Call, bulk_id: str) -> Reply:
    """See how a bulk run stands."""
    return Reply(_show(call, _read(call, bulk_id)))


@Route(
    "POST /v1/bulk-refreshes/<bulk_id>/cancel",
    Tag.BULK_REFRESHES,
    (Answer("The run as it stood when it was told to stop.", BulkOut, status=202),),
)
def cancel_bulk_refresh(call: Call, bulk_id: str) -> Reply:
    """Stop a bulk run.

    It ends as `failed` within some seconds, and so do its refreshes that are under way; a
    connection that it had not come to is `unknown`. A run that has ended stays as it is.
    """
    bulk = _read(call, bulk_id)
    # Only what was begun can be stopped, and only what was stopped is closed.
    if bulk.status is BulkStatus.LISTING and not call.here.bulk_executions.start(bulk):
        raise PlatformFault
    if not bulk.status.has_ended:
        call.here.bulk_executions.stop(bulk_id)
    return Reply(_show(call, bulk), 202)


@Route(
    "GET /v1/bulk-refreshes/<bulk_id>/failures",
    Tag.BULK_REFRESHES,
    (Answer("A page of them.", FailuresOut),),
    query=(
        limit(LIMIT, MAX_LIMIT),
        Parameter(
            "cursor",
            "The `next_cursor` of the page before, of this run.",
            "WyI3MTdmYTQyYjJkMDY5ZTZkIiwiY29uXzVkMmM4YTFmIl0",
        ),
    ),
)
def list_bulk_failures(call: Call, bulk_id: str, *, limit: int, cursor: str | None) -> Reply:
    """See which connections a bulk run has not refreshed.

    While the run is under way, a connection that fails later may stand before your cursor: read
    the list again when it has ended.
    """
    here = ("failures", bulk_id)
    after = cursors.read(cursor, Place, of=here)
    bulk = _read(call, bulk_id)
    found, following = call.here.bulk_runs.failures(bulk.bulk_id, limit=limit, after=after)
    return Reply(
        FailuresOut(
            failures=[failure_out(one) for one in found],
            next_cursor=cursors.write(following, of=here) if following else None,
        )
    )


def _create(call: Call, options: BulkOptions, *, key: Key | None) -> BulkRun:
    """A new run.

    Raises:
        BulkRunning: the tenant has another under way.
    """
    bulk_id = BULK_PREFIX + secrets.token_hex(16)
    request = BulkRequest(
        **msgspec.structs.asdict(options), bulk_id=bulk_id, tenant=call.tenant, reason=Reason.API
    )
    new = msgspec.structs.replace(
        create(request, bulk_id=bulk_id, at=call.here.clock()), requested_by=call.caller
    )
    keep(new, bulk_runs=call.here.bulk_runs, key=key)
    return new


def _show(call: Call, bulk: BulkRun) -> BulkOut:
    return bulk_out(
        bulk,
        call.here.bulk_runs.counts(bulk.bulk_id),
        at=call.here.clock(),
        most=int(setting(Variable.BULK_CONCURRENCY)),
    )


def _read(call: Call, bulk_id: str) -> BulkRun:
    return own(call, bulk_id, lambda here: here.bulk_runs.get(bulk_id))
