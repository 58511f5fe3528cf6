"""The API's bodies about bulk runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from functions.core.bulk.model import BulkOutcome, BulkRun, BulkStatus, Result
from functions.core.contract import Reason
from functions.core.errors import Busy, CoolingDown, InvalidRequest, NotFound
from functions.core.model import iso
from functions.rest.models import ErrorOut, error_out, when

if TYPE_CHECKING:
    from collections.abc import Mapping

NEVER_BEGUN = frozenset(error.name() for error in (Busy, CoolingDown, InvalidRequest, NotFound))
"""Where an outcome has one of these errors, there never was a refresh."""


class OutcomesOut(msgspec.Struct, frozen=True, kw_only=True):
    """How many connections have each outcome so far.

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
    """A bulk run. ``total`` is null until the connections have been listed.

    ``named`` is how many connections the request named; null where it named none. ``error``
    says why a run failed; what its outcomes say stands all the same.
    """

    bulk_id: str
    status: BulkStatus
    reason: Reason
    requested_at: str
    ended_at: str | None
    provider: str | None
    named: int | None
    older_than_seconds: int | None
    max_age_seconds: int | None
    spread_seconds: int
    deadline_seconds: int | None
    total: int | None
    outcomes: OutcomesOut
    error: ErrorOut | None


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


def bulk_out(bulk: BulkRun, counts: Mapping[BulkOutcome, int]) -> BulkOut:
    """Render a run."""
    asked = bulk.options
    return BulkOut(
        bulk_id=bulk.bulk_id,
        status=bulk.status,
        reason=bulk.reason,
        requested_at=iso(bulk.requested_at),
        ended_at=when(bulk.ended_at),
        provider=asked.provider,
        named=len(asked.connection_ids) if asked.connection_ids else None,
        older_than_seconds=asked.older_than_seconds,
        max_age_seconds=asked.max_age_seconds,
        spread_seconds=asked.spread_seconds,
        deadline_seconds=asked.deadline_seconds,
        total=bulk.total if bulk.began_at else None,
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
