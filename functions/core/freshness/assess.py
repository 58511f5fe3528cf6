"""Says how fresh a connection's data are, and why they are not: for callers and the operator."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from functions.core.errors import (
    Aborted,
    Action,
    CallerError,
    ConsentMissing,
    CoolingDown,
    DefectError,
    FreshetError,
    InteractionRequired,
    OperatorError,
    Paused,
    PlatformFault,
    ProviderPaused,
    ReauthRequired,
    RetryError,
    Superseded,
    UserError,
    find_error,
)
from functions.core.model import (
    Connection,
    Manifest,
    Part,
    PartState,
    Refresh,
    Status,
    Verdict,
)
from functions.core.refresh.steps import find_next_try, find_obstacle
from functions.core.refresh.verdict import judge, select_lacking
from functions.core.schedules import find_next_run, next_firing

if TYPE_CHECKING:
    from functions.core.contract import Schedule
    from functions.core.refresh.history import Line
    from functions.core.refresh.ports import Refreshes, Snapshots

LATEST: Final = 20
"""How many refreshes are read: an older failure tells nothing any more."""

LATE_SECONDS: Final = 60
"""How long after its firing a scheduled refresh is admitted at the latest."""


class Cause(StrEnum):
    """Why data are not fresh, or that they are."""

    FRESH = "fresh"
    REFRESHING = "refreshing"
    REAUTH_REQUIRED = "reauth_required"
    INTERACTION_REQUIRED = "interaction_required"
    CONSENT_MISSING = "consent_missing"
    PAUSED = "paused"
    COOLING_DOWN = "cooling_down"
    CONNECTION_REFUSED = "connection_refused"
    OPERATOR = "operator"
    PROVIDER_PAUSED = "provider_paused"
    PROVIDER_FAILED = "provider_failed"
    PLATFORM_FAILED = "platform_failed"
    STOPPED = "stopped"
    DEFECT = "defect"
    NEVER_REFRESHED = "never_refreshed"
    SCHEDULE_LATE = "schedule_late"
    NOT_DUE = "not_due"
    NOT_REQUESTED = "not_requested"
    SOURCE_REAUTH = "source_reauth"
    UNKNOWN_AGE = "unknown_age"
    SOURCE_STALE = "source_stale"


_BY_ERROR: Final[tuple[tuple[type[FreshetError], Cause], ...]] = (
    (ReauthRequired, Cause.REAUTH_REQUIRED),
    (ConsentMissing, Cause.CONSENT_MISSING),
    (InteractionRequired, Cause.INTERACTION_REQUIRED),
    (Paused, Cause.PAUSED),
    (CallerError, Cause.CONNECTION_REFUSED),
    (OperatorError, Cause.OPERATOR),
    (CoolingDown, Cause.COOLING_DOWN),
    (ProviderPaused, Cause.PROVIDER_PAUSED),
    (PlatformFault, Cause.PLATFORM_FAILED),
    (Aborted, Cause.STOPPED),
    (Superseded, Cause.STOPPED),
    (RetryError, Cause.PROVIDER_FAILED),
    (DefectError, Cause.DEFECT),
)
"""The cause for each error that can end a refresh: the first row whose class it is."""


class Advice(NamedTuple):
    """What to do, in a word for programs and a sentence for people; None where nothing."""

    action: Action | None
    what_to_do: str


_ADVICE: Final = {
    Cause.FRESH: Advice(None, "Nothing."),
    Cause.REFRESHING: Advice(Action.WAIT, "Wait for the refresh that is running."),
    Cause.NEVER_REFRESHED: Advice(Action.RETRY, "Start a refresh, or wait for the schedule."),
    Cause.SCHEDULE_LATE: Advice(
        Action.CONTACT_OPERATOR,
        "The schedule has missed two firings. Start a refresh; if the next firing does not come"
        " either, the operator must look at the queue of undelivered events.",
    ),
    Cause.NOT_DUE: Advice(
        Action.RETRY,
        "The schedule has not refreshed these data since. Wait for its next firing, start a"
        " refresh, or have it fire more often.",
    ),
    Cause.NOT_REQUESTED: Advice(
        Action.RETRY,
        "These data have not been refreshed since. Start a refresh, or set a schedule.",
    ),
    Cause.SOURCE_REAUTH: Advice(
        Action.ASK_USER,
        "Let the end user sign in, at the provider, to the sources of the parts that need it.",
    ),
    Cause.UNKNOWN_AGE: Advice(
        None,
        "Nothing: the provider does not say how old its data are, or what it says cannot be.",
    ),
    Cause.SOURCE_STALE: Advice(
        Action.RETRY,
        "Refresh again later. Where the provider says for a part when it can be asked again, not"
        " before.",
    ),
}
"""The advice for each cause that is no error; an error has its own."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection's freshness is judged by.

    ``latest`` are its latest refreshes, newest first. ``manifest`` is of the published snapshot.
    """

    connection: Connection
    latest: Sequence[Refresh] = ()
    running: Refresh | None = None
    manifest: Manifest | None = None

    @property
    def published_at(self) -> float:
        """When the snapshot was published; 0 where there is none."""
        return self.connection.snapshot.published_at if self.connection.snapshot else 0

    @property
    def failures(self) -> list[Refresh]:
        """The refreshes that failed after the publication, newest first, up to another end."""
        ended = (one for one in self.latest if one.status in _TELLING)
        later = takewhile(lambda one: one.told_at > self.published_at, ended)
        return list(takewhile(lambda one: one.status is Status.FAILED, later))


_TELLING: Final = {Status.PUBLISHED, Status.PARTIAL, Status.FAILED}
"""A refresh that was cancelled says nothing of its provider."""


class NextTry(msgspec.Struct, frozen=True, kw_only=True):
    """When data are tried next, 0 where that is not known, and by what."""

    by: Literal["refresh", "schedule"]
    at: float = 0


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh a connection's data are.

    ``since`` is when the cause began, and ``as_of`` the age of the data; each 0 where unknown.
    """

    verdict: Verdict
    cause: Cause
    advice: Advice
    as_of: float
    since: float
    next_try: NextTry | None
    not_fresh: tuple[Part, ...]
    last_failed: Refresh | None


def read_known(
    connection: Connection,
    *,
    latest: Line[Refresh],
    refreshes: Refreshes,
    snapshots: Snapshots,
    at: float,
) -> Known:
    """Read what the freshness of a connection is judged by: three or four reads.

    Raises:
        Gone: its snapshot has been deleted since the connection was read.
    """
    slot, snapshot = connection.running, connection.snapshot
    running = refreshes.get(slot.refresh_id) if slot and at < slot.until else None
    return Known(
        connection=connection,
        latest=latest(limit=LATEST, after=None)[0],
        running=None if running is None or running.status.has_ended else running,
        manifest=snapshots.manifest(snapshot) if snapshot else None,
    )


def assess(known: Known, *, at: float, max_age_seconds: int | None = None) -> Freshness:
    """How fresh the data are, and the first cause that holds.

    Without ``max_age_seconds`` they are as fresh as the evidence of their parts says, unless
    a refresh has failed since, or the credentials are dead.
    """
    parts = known.manifest.parts if known.manifest else ()
    not_before = _find_bound(known, at=at, max_age_seconds=max_age_seconds)
    verdict = judge(parts, not_before=not_before)
    if verdict is Verdict.FRESH and known.manifest and known.manifest.as_of < not_before:
        verdict = Verdict.PARTLY_FRESH  # a dataset is too old whose parts are all gone
    cause, since, error = _find_cause(known, verdict, not_before=not_before, at=at)
    return Freshness(
        verdict=verdict,
        cause=cause,
        advice=Advice(error.action, error.text) if error else _ADVICE[cause],
        as_of=known.manifest.as_of if known.manifest else 0,
        since=since,
        next_try=_find_next(known, at=at),
        not_fresh=select_lacking(parts, not_before),
        last_failed=next((one for one in known.latest if one.status is Status.FAILED), None),
    )


def to_cause(error: type[FreshetError]) -> Cause:
    """The cause for an error that can end a refresh."""
    return next(cause for class_, cause in _BY_ERROR if issubclass(error, class_))


def _find_bound(known: Known, *, at: float, max_age_seconds: int | None) -> float:
    """The instant before which data are not fresh."""
    if max_age_seconds is not None:
        return at - max_age_seconds
    if known.connection.reauth_required:
        return at
    return known.failures[0].told_at if known.failures else 0


class Found(NamedTuple):
    """A cause, since when it holds (0: not known), and the error that it is, if it is one."""

    cause: Cause
    since: float
    error: type[FreshetError] | None = None


def _find_cause(known: Known, verdict: Verdict, *, not_before: float, at: float) -> Found:
    """The first row that holds."""
    if verdict is Verdict.FRESH:
        return Found(Cause.FRESH, known.published_at)
    if known.running is not None:
        return _find_obstacle(known.running)
    if obstacle := _find_refusal(known, at=at):
        return obstacle
    if known.manifest is None:
        return Found(Cause.NEVER_REFRESHED, known.connection.created_at)
    return _find_lack(known, known.manifest, verdict, not_before=not_before, at=at)


def _find_obstacle(running: Refresh) -> Found:
    """What a running refresh waits for: its user, or its provider."""
    obstacle = find_obstacle(running)
    if obstacle and issubclass(obstacle, UserError):
        return Found(to_cause(obstacle), running.told_at, obstacle)
    return Found(Cause.REFRESHING, running.requested_at)


def _find_refusal(known: Known, *, at: float) -> Found | None:
    """Why a refresh would fail, or has failed."""
    connection, failures = known.connection, _select_standing(known)
    if connection.reauth_required:
        return Found(Cause.REAUTH_REQUIRED, _find_begin(failures, ReauthRequired), ReauthRequired)
    if connection.paused:
        return Found(Cause.PAUSED, 0, Paused)
    if at < connection.next_allowed_at:
        since = failures[0].told_at if failures else 0
        return Found(Cause.COOLING_DOWN, since, CoolingDown)
    if not failures:
        return None
    error = find_error(failures[0].error)
    return Found(to_cause(error), _find_begin(failures, error), error)


def _find_lack(
    known: Known, manifest: Manifest, verdict: Verdict, *, not_before: float, at: float
) -> Found:
    """Why a snapshot is not fresh though no refresh has failed since, and since when."""
    lacking = select_lacking(manifest.parts, not_before)
    aged = [part.as_of for part in lacking if part.state is PartState.FRESH]
    if not lacking and manifest.as_of < not_before:
        aged = [manifest.as_of]
    if aged or known.published_at < not_before:
        since = min(aged, default=known.published_at)
        schedule = known.connection.schedule
        if schedule is None:
            return Found(Cause.NOT_REQUESTED, since)
        due = _find_second_firing(known, schedule)
        return Found(Cause.SCHEDULE_LATE, due) if 0 < due < at else Found(Cause.NOT_DUE, since)
    if any(part.reauth and part.state is not PartState.FRESH for part in manifest.parts):
        return Found(Cause.SOURCE_REAUTH, known.published_at)
    if verdict is Verdict.UNKNOWN:
        return Found(Cause.UNKNOWN_AGE, known.published_at)
    return Found(Cause.SOURCE_STALE, known.published_at)


def _select_standing(known: Known) -> list[Refresh]:
    """The failures that still stand: none where the credentials they lacked have been replaced."""
    failures = known.failures
    replaced = failures and known.connection.credentials_at > failures[0].told_at
    return [] if replaced and find_error(failures[0].error) is ReauthRequired else failures


def _find_begin(failures: Sequence[Refresh], error: type[FreshetError]) -> float:
    """When the first of the latest failures with this error ended; 0 where there is none."""
    same = list(takewhile(lambda one: find_error(one.error) is error, failures))
    return same[-1].told_at if same else 0


def _find_second_firing(known: Known, schedule: Schedule) -> float:
    """The instant of the second firing after the last one that is known; 0 where unknown.

    A firing that finds the data young enough leaves no refresh.
    """
    last = known.connection.scheduled_at
    young = known.published_at + (schedule.max_age_seconds or 0)
    first = next_firing(schedule, after=max(last, young), last=last) if last else None
    second = next_firing(schedule, after=first, last=last) if first else None
    return second + 60 * schedule.jitter_minutes + LATE_SECONDS if second else 0


def _find_next(known: Known, *, at: float) -> NextTry | None:
    """Find what tries next by itself; a firing during a cooldown starts nothing."""
    connection, running = known.connection, known.running
    if running is not None:
        return NextTry(by="refresh", at=find_next_try(running))
    if connection.schedule is None or connection.paused:
        return None
    return NextTry(by="schedule", at=find_next_run(connection, at=at))
