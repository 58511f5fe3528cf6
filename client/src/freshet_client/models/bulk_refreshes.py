"""Models: bulk refreshes. ``make tables`` writes them from the OpenAPI document."""

from __future__ import annotations

import msgspec

from freshet_client.models.shared import ErrorOut


class BulkOut(msgspec.Struct, frozen=True, kw_only=True):
    """A bulk run. ``total`` is null until the connections have been listed, and so is ``running``.

    ``running`` is about how many of its refreshes are under way, and ``ends_about`` when the run
    will have ended; null where it has, or where too few outcomes tell. Both are estimated from the
    outcomes so far. ``named`` is how many connections the request named; null where it named none.
    ``error`` says why a run failed; what its outcomes say stands all the same.
    ``requested_by`` is the ``sub`` of the token, else its ``client_id``; null where it had none.
    """

    bulk_id: str
    status: str
    reason: str
    requested_by: str | None = None
    requested_at: str
    ended_at: str | None = None
    provider: str | None = None
    named: int | None = None
    older_than_seconds: int | None = None
    max_age_seconds: int | None = None
    spread_seconds: int
    deadline_seconds: int | None = None
    total: int | None = None
    running: int | None = None
    ends_about: str | None = None
    outcomes: OutcomesOut
    error: ErrorOut | None = None


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


class BulksOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of bulk runs, newest first; ``next_cursor`` null on the last."""

    bulk_refreshes: list[BulkOut]
    next_cursor: str | None = None


class FailuresOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of failures; ``next_cursor`` null on the last."""

    failures: list[FailureOut]
    next_cursor: str | None = None


class FailureOut(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that was not refreshed, and why. Without a refresh, none was begun.

    Where the outcome is ``unknown``, so is what became of the refresh: it may have ended in any
    way, or never have begun, and then there is none of this id.
    """

    connection_id: str
    refresh_id: str | None = None
    outcome: str
    error: ErrorOut | None = None
