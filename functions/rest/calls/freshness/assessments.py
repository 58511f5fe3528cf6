"""How fresh a connection's data are, and why they are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from functions.core.contract import MAX_AGE_SECONDS
from functions.core.errors import Action, Gone
from functions.core.freshness.assess import Cause, assess
from functions.core.freshness.objectives import ObjectiveOf, find_objective
from functions.core.model import Status, Verdict, iso, when
from functions.rest.call import Call, Reply, connection_of
from functions.rest.calls.datasets import PartOut, part_out
from functions.rest.models import ErrorOut, error_out
from functions.rest.route import Answer, Route, Tag, whole

if TYPE_CHECKING:
    from functions.core.freshness.assess import Freshness, Known
    from functions.core.freshness.objectives import Objective
    from functions.core.model import Connection
    from functions.wiring.services import Wiring

MAX_PARTS: Final = 20


class RunningOut(msgspec.Struct, frozen=True, kw_only=True):
    """The refresh that is running, and since when."""

    refresh_id: str
    status: Status
    since: str


class PublishedOut(msgspec.Struct, frozen=True, kw_only=True):
    """The refresh that published the snapshot, and when."""

    refresh_id: str
    at: str


class FailedOut(msgspec.Struct, frozen=True, kw_only=True):
    """The last refresh that failed, when, and why."""

    refresh_id: str
    at: str
    error: ErrorOut | None


class NextTryOut(msgspec.Struct, frozen=True, kw_only=True):
    """What tries next by itself: the refresh that is running, or the schedule.

    ``at`` is null where that is not known: a running refresh that waits for nothing, a rate that
    has not fired yet, a cron expression with a year, ``L``, ``W`` or ``#``.
    """

    by: Literal["refresh", "schedule"]
    at: str | None


class ObjectiveStandOut(msgspec.Struct, frozen=True, kw_only=True):
    """How old the data may be by the objective of the connection, or else of its tenant.

    ``breached_at``: when they were found to be older; null where they are not, or were not yet.
    """

    max_age_seconds: int
    of: ObjectiveOf
    breached_at: str | None


class FreshnessOut(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh a connection's data are, and why they are not.

    ``as_of``: as of the snapshot; null where it is not known or there is none, and so is
    ``age_seconds``. ``action`` says who has to do something, and ``what_to_do`` what; null where
    nothing is to be done. ``since``: when the cause began, where that is known. Before
    ``next_allowed_at`` the provider wants no refresh. ``not_fresh``: at most 20 of the parts that
    are not fresh, the oldest first; ``more`` counts the others.
    """

    verdict: Verdict
    as_of: str | None
    age_seconds: int | None
    cause: Cause
    action: Action | None
    what_to_do: str
    since: str | None
    objective: ObjectiveStandOut | None
    next_try: NextTryOut | None
    next_allowed_at: str | None
    running: RunningOut | None
    last_published: PublishedOut | None
    last_failed: FailedOut | None
    not_fresh: list[PartOut]
    more: int


def find_freshness(
    here: Wiring, connection: Connection, *, max_age_seconds: int | None
) -> tuple[Freshness, FreshnessOut]:
    """Find how fresh a connection's data are; return that, and the same rendered.

    Args:
        max_age_seconds: by its objective where it is None.

    Raises:
        Gone: its snapshot has been deleted since the connection was read.
    """
    at = here.clock()
    known = here.known(connection, at=at)
    objective = find_objective(connection, here.objectives)
    if max_age_seconds is None and objective is not None:
        max_age_seconds = objective.max_age_seconds
    found = assess(known, at=at, max_age_seconds=max_age_seconds)
    return found, freshness_out(found, known, objective, at=at)


def freshness_out(
    found: Freshness, known: Known, objective: Objective | None, *, at: float
) -> FreshnessOut:
    """Render how fresh a connection's data are."""
    connection, running, next_try = known.connection, known.running, found.next_try
    snapshot, failed = connection.snapshot, found.last_failed
    parts = sorted(found.not_fresh, key=lambda part: part.as_of)
    return FreshnessOut(
        verdict=found.verdict,
        as_of=when(found.as_of),
        age_seconds=max(0, int(at - found.as_of)) if found.as_of else None,
        cause=found.cause,
        action=found.advice.action,
        what_to_do=found.advice.what_to_do,
        since=when(found.since),
        objective=ObjectiveStandOut(
            max_age_seconds=objective.max_age_seconds,
            of=objective.of,
            breached_at=when(objective.breached_at),
        )
        if objective
        else None,
        next_try=NextTryOut(by=next_try.by, at=when(next_try.at)) if next_try else None,
        next_allowed_at=when(connection.next_allowed_at),
        running=RunningOut(
            refresh_id=running.refresh_id, status=running.status, since=iso(running.requested_at)
        )
        if running
        else None,
        last_published=PublishedOut(refresh_id=snapshot.refresh_id, at=iso(snapshot.published_at))
        if snapshot
        else None,
        last_failed=FailedOut(
            refresh_id=failed.refresh_id, at=iso(failed.told_at), error=error_out(failed.error)
        )
        if failed
        else None,
        not_fresh=[part_out(part) for part in parts[:MAX_PARTS]],
        more=len(parts[MAX_PARTS:]),
    )


@Route(
    "GET /v1/connections/<connection_id>/freshness",
    Tag.CONNECTIONS,
    (Answer("How fresh its data are.", FreshnessOut),),
    query=(
        whole(
            "max_age_seconds",
            "How old data may be to count as fresh. Left out, as old as the objective says. Where"
            " there is none, what the provider's evidence of the last refresh says is fresh, unless"
            " a refresh has failed since or must fail.",
            example=3600,
            most=MAX_AGE_SECONDS,
        ),
    ),
    problems=(Gone,),
)
def read_freshness(call: Call, connection_id: str, *, max_age_seconds: int | None) -> Reply:
    """Learn how fresh a connection's data are, and why they are not.

    Nothing is asked of the provider. A refresh that has ended a moment ago may not count yet.
    """
    connection = connection_of(call, connection_id)
    return Reply(find_freshness(call.here, connection, max_age_seconds=max_age_seconds)[1])
