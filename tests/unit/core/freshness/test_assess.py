"""How fresh data are: the verdict, the first cause that holds, and what is tried next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import pytest
from msgspec.structs import replace

from functions.core.contract import Schedule
from functions.core.errors import (
    BY_NAME,
    FreshetError,
    InteractionRequired,
    PlatformFault,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    Signal,
)
from functions.core.freshness.assess import (
    Cause,
    Known,
    NextTry,
    assess,
    read_known,
    to_cause,
)
from functions.core.model import Part, PartState, Refresh, SnapshotPointer, Status, Verdict
from functions.core.refresh import steps as step
from functions.core.refresh.verdict import judge
from tests.support.fakes.stores import Clock, Tables
from tests.support.scripted_connector import (
    CONNECTION,
    a_connection,
    a_manifest,
    a_refresh,
    stocked,
)
from tests.tables import ONLY_ANSWERS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_800_000_000.0
HOUR, DAY = 60 * 60, 24 * 60 * 60
DONE = NOW - HOUR
"""When the snapshot was published."""

FRESH = Part(part="a", state=PartState.FRESH, as_of=DONE)
STALE = Part(part="b", state=PartState.STALE, as_of=DONE - DAY)
LOCKED = replace(STALE, reauth=True)
AGELESS = replace(STALE, as_of=0)
FAILED = Part(part="c", state=PartState.FAILED, why="UnexpectedAnswer")
GONE = Part(part="d", state=PartState.GONE)


def failed(error: type[FreshetError], *, ago: float = 60, **changes: Any) -> Refresh:
    return step.fail(a_refresh("ref_2", at=NOW - ago, **changes), error, at=NOW - ago)


def published(*, ago: float) -> Refresh:
    done = a_refresh("ref_1", at=NOW - ago, status=Status.PUBLISHED)
    return replace(done, events=step.cancel(done, at=NOW - ago).events)


def running(error: type[FreshetError] | None = None) -> Refresh:
    begun = step.begin_trigger(a_refresh("ref_3", at=NOW - 30), at=NOW - 30)
    return step.postpone(begun, error, wait_seconds=50, at=NOW - 20) if error else begun


def known(*parts: Part, as_of: float = DONE, **changes: Any) -> Known:
    """A connection whose snapshot was published an hour ago, with these parts; none without any."""
    manifest = replace(a_manifest(as_of=DONE), parts=parts, as_of=as_of) if parts else None
    pointer = SnapshotPointer(
        refresh_id="ref_1", key="k", version_id="1", published_at=DONE, as_of=DONE
    )
    outside = {name: changes.pop(name) for name in ("latest", "running") if name in changes}
    connection = a_connection(snapshot=pointer if parts else None, **changes)
    return Known(connection=connection, manifest=manifest, **outside)


@pytest.mark.parametrize(
    ("parts", "not_before", "verdict"),
    [
        pytest.param([FRESH], 0, "fresh", id="one"),
        pytest.param([FRESH, GONE], 0, "fresh", id="one-is-gone"),
        pytest.param([FRESH], DONE, "fresh", id="young-enough"),
        pytest.param([FRESH], DONE + 1, "stale", id="too-old"),
        pytest.param([FRESH, STALE], 0, "partly_fresh", id="one-is-stale"),
        pytest.param([FRESH, FAILED], 0, "partly_fresh", id="one-failed"),
        pytest.param([FRESH, AGELESS], 0, "partly_fresh", id="one-has-no-age"),
        pytest.param([STALE, FAILED], 0, "stale", id="none"),
        pytest.param([AGELESS, FAILED], 0, "unknown", id="no-age"),
        pytest.param([GONE], 0, "unknown", id="only-gone"),
        pytest.param([], 0, "unknown", id="no-part"),
    ],
)
def test_the_verdict_is_by_the_parts(parts: list[Part], not_before: float, verdict: str) -> None:
    assert judge(parts, not_before=not_before) == verdict


HOURLY = Schedule(expression="rate(1 hour)")

ROWS: list[Any] = [
    pytest.param(known(FRESH), None, "fresh", None, DONE, id="fresh"),
    pytest.param(known(FRESH, paused=True), None, "fresh", None, DONE, id="fresh-and-paused"),
    pytest.param(
        known(FRESH, latest=[failed(ReauthRequired)], reauth_required=True),
        2 * HOUR,
        "fresh",
        None,
        DONE,
        id="as-fresh-as-asked-for",
    ),
    pytest.param(
        known(STALE, running=running(), reauth_required=True),
        None,
        "refreshing",
        "wait",
        NOW - 30,
        id="refreshing",
    ),
    pytest.param(
        known(running=running(ProviderUnavailable)),
        None,
        "refreshing",
        "wait",
        NOW - 30,
        id="refreshing-later",
    ),
    pytest.param(
        known(running=running(InteractionRequired)),
        None,
        "interaction_required",
        "ask_user",
        NOW - 20,
        id="waiting-for-the-user",
    ),
    pytest.param(
        known(FRESH, reauth_required=True),
        None,
        "reauth_required",
        "reauthenticate",
        0,
        id="dead-credentials",
    ),
    pytest.param(
        known(
            FRESH,
            latest=[failed(ReauthRequired), failed(ReauthRequired, ago=90)],
            reauth_required=True,
            paused=True,
        ),
        None,
        "reauth_required",
        "reauthenticate",
        NOW - 90,
        id="dead-since",
    ),
    pytest.param(
        known(FRESH, latest=[failed(ReauthRequired)], credentials_at=NOW - 5),
        None,
        "not_requested",
        "retry",
        DONE,
        id="credentials-replaced",
    ),
    pytest.param(
        known(latest=[failed(ReauthRequired)], credentials_at=NOW - 5),
        None,
        "never_refreshed",
        "retry",
        0,
        id="credentials-replaced-before-the-first",
    ),
    pytest.param(
        known(FRESH, latest=[failed(ReauthRequired)], credentials_at=NOW - 100),
        None,
        "reauth_required",
        "reauthenticate",
        NOW - 60,
        id="rotated-before",
    ),
    pytest.param(known(paused=True), None, "paused", "fix_request", 0, id="paused"),
    pytest.param(
        known(latest=[failed(RateLimited)], next_allowed_at=NOW + 9),
        None,
        "cooling_down",
        "retry",
        NOW - 60,
        id="cooling-down",
    ),
    pytest.param(
        known(latest=[failed(RateLimited)], next_allowed_at=NOW),
        None,
        "provider_failed",
        "retry",
        NOW - 60,
        id="cooled-down",
    ),
    pytest.param(
        known(
            FRESH,
            latest=[
                step.cancel(a_refresh("ref_9", at=NOW), at=NOW),
                failed(PlatformFault),
                failed(PlatformFault, ago=70),
                failed(ProviderUnavailable, ago=80),
            ],
        ),
        None,
        "platform_failed",
        "retry",
        NOW - 70,
        id="failed-twice",
    ),
    pytest.param(
        known(FRESH, latest=[failed(PlatformFault, ago=HOUR + 1)]),
        None,
        "fresh",
        None,
        DONE,
        id="failed-before",
    ),
    pytest.param(known(), None, "never_refreshed", "retry", 0, id="never"),
    pytest.param(known(FRESH, LOCKED), 60, "not_requested", "retry", DONE, id="aged"),
    pytest.param(known(STALE), 60, "not_requested", "retry", DONE, id="aged-and-stale"),
    pytest.param(
        known(FRESH, GONE, as_of=DONE - DAY),
        2 * HOUR,
        "not_requested",
        "retry",
        DONE - DAY,
        id="what-is-aged-has-only-gone-parts",
    ),
    pytest.param(
        known(FRESH, GONE, as_of=DONE - DAY, running=running()),
        2 * HOUR,
        "refreshing",
        "wait",
        NOW - 30,
        id="what-is-aged-is-being-refreshed",
    ),
    pytest.param(
        known(FRESH, schedule=HOURLY, scheduled_at=NOW - HOUR - 9),
        60,
        "not_due",
        "retry",
        DONE,
        id="fires-too-seldom",
    ),
    pytest.param(
        known(FRESH, schedule=HOURLY), 60, "not_due", "retry", DONE, id="has-not-fired-yet"
    ),
    pytest.param(
        known(FRESH, schedule=HOURLY, scheduled_at=NOW - 4 * HOUR),
        60,
        "not_due",
        "retry",
        DONE,
        id="refreshed-by-another-since",
    ),
    pytest.param(
        known(
            FRESH,
            schedule=Schedule(expression="rate(10 minutes)"),
            scheduled_at=NOW - HOUR,
        ),
        60,
        "schedule_late",
        "contact_operator",
        DONE + 21 * 60,
        id="late",
    ),
    pytest.param(
        known(
            FRESH,
            schedule=Schedule(expression="rate(10 minutes)", max_age_seconds=HOUR),
            scheduled_at=NOW - HOUR,
        ),
        60,
        "not_due",
        "retry",
        DONE,
        id="finds-the-data-young-enough",
    ),
    pytest.param(known(FRESH, LOCKED), None, "source_reauth", "ask_user", DONE, id="locked"),
    pytest.param(known(AGELESS), None, "unknown_age", None, DONE, id="ageless"),
    pytest.param(known(GONE), None, "unknown_age", None, DONE, id="gone"),
    pytest.param(known(FRESH, STALE), None, "source_stale", "retry", DONE, id="stale"),
    pytest.param(known(FRESH, FAILED), None, "source_stale", "retry", DONE, id="one-failed"),
]


@pytest.mark.parametrize(("one", "max_age", "cause", "action", "since"), ROWS)
def test_the_first_cause_that_holds_is_told(
    one: Known, max_age: int | None, cause: str, action: str | None, since: float
) -> None:
    found = assess(one, at=NOW, max_age_seconds=max_age)
    assert (found.cause, found.advice.action, found.since) == (cause, action, since)
    assert (found.verdict is Verdict.FRESH) is (found.cause is Cause.FRESH)
    assert bool(found.not_fresh) or cause not in {"source_reauth", "source_stale"}


CAUSES = {
    "Aborted": "stopped",
    "AnswerTooLarge": "defect",
    "Busy": "connection_refused",
    "ConfigurationInvalid": "operator",
    "ConnectionExists": "connection_refused",
    "ConsentMissing": "consent_missing",
    "CoolingDown": "cooling_down",
    "DeadlineExceeded": "provider_failed",
    "Defect": "defect",
    "EnvelopeInvalid": "defect",
    "InteractionRequired": "interaction_required",
    "InvalidRequest": "connection_refused",
    "JobLost": "provider_failed",
    "NotFound": "connection_refused",
    "OutcomeUnknown": "connection_refused",
    "Paused": "paused",
    "PlatformFault": "platform_failed",
    "ProviderPaused": "provider_paused",
    "ProviderRefusesApplication": "operator",
    "ProviderRefusesConnection": "connection_refused",
    "ProviderUnavailable": "provider_failed",
    "RateLimited": "provider_failed",
    "ReauthRequired": "reauth_required",
    "Superseded": "stopped",
    "UnexpectedAnswer": "defect",
}


def endings() -> Iterator[type[FreshetError]]:
    """The errors with which a refresh can end."""
    answers = get_args(ONLY_ANSWERS)
    return (leaf for leaf in BY_NAME.values() if not issubclass(leaf, (Signal, *answers)))


def test_each_error_that_ends_a_refresh_has_its_cause_and_its_own_action() -> None:
    assert {error.name(): to_cause(error) for error in endings()} == CAUSES
    for error in endings():
        found = assess(known(latest=[failed(error)]), at=NOW)
        assert (found.cause, *found.advice) == (CAUSES[error.name()], error.action, error.text)


def test_each_cause_comes_of_an_error_or_of_a_row() -> None:
    assert set(Cause) == {*CAUSES.values(), *(row.values[2] for row in ROWS)}


def test_the_guide_has_each_cause_in_its_row() -> None:
    guide = (ROOT / "docs" / "guides" / "freshness.md").read_text().partition("| `cause` |")[2]
    assert {*re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE)} == set(Cause)


def test_no_text_says_anything_of_a_person() -> None:
    told = [assess(row.values[0], at=NOW, max_age_seconds=row.values[1]) for row in ROWS]
    for each in told:
        assert not re.search(r"user-1|[0-9]|con_|ref_", each.advice.what_to_do)


@pytest.mark.parametrize(
    ("one", "next_try"),
    [
        pytest.param(known(), None, id="nothing"),
        pytest.param(known(running=running()), NextTry(by="refresh"), id="running"),
        pytest.param(
            known(running=running(RateLimited)), NextTry(by="refresh", at=NOW + 30), id="put-off"
        ),
        pytest.param(known(schedule=HOURLY), NextTry(by="schedule"), id="has-not-fired"),
        pytest.param(
            known(schedule=HOURLY, scheduled_at=NOW - 90 * 60),
            NextTry(by="schedule", at=NOW + 30 * 60),
            id="by-schedule",
        ),
        pytest.param(
            known(schedule=HOURLY, scheduled_at=NOW - 90 * 60, next_allowed_at=NOW + HOUR),
            NextTry(by="schedule", at=NOW + 90 * 60),
            id="after-the-cooldown",
        ),
        pytest.param(known(schedule=HOURLY, paused=True), None, id="paused"),
    ],
)
def test_what_tries_next_is_told(one: Known, next_try: NextTry | None) -> None:
    assert assess(one, at=NOW).next_try == next_try


def test_data_are_not_fresh_where_a_dataset_without_a_part_is_too_old() -> None:
    one = known(FRESH, GONE, as_of=DONE - DAY)
    assert assess(one, at=NOW, max_age_seconds=2 * HOUR).verdict is Verdict.PARTLY_FRESH
    assert assess(one, at=NOW, max_age_seconds=2 * DAY).verdict is Verdict.FRESH
    assert assess(one, at=NOW).verdict is Verdict.FRESH


def test_the_parts_that_are_not_fresh_and_the_last_failure_are_told() -> None:
    old = failed(PlatformFault, ago=2 * DAY)
    found = assess(known(FRESH, STALE, FAILED, GONE, latest=[published(ago=HOUR), old]), at=NOW)
    assert (found.verdict, found.not_fresh) == (Verdict.PARTLY_FRESH, (STALE, FAILED))
    assert (found.as_of, found.last_failed) == (DONE, old)


def test_a_refresh_counts_as_running_while_it_has_the_slot() -> None:
    clock = Clock()
    connections, refreshes = stocked(Tables(), clock)
    refresh = a_refresh(at=clock())
    refreshes.admit(refresh, until=clock() + 900)

    def read(at: float) -> Refresh | None:
        connection = connections.get(CONNECTION)
        assert connection is not None
        nothing: Any = None
        return read_known(
            connection,
            latest=lambda **_: ([], None),
            refreshes=refreshes,
            snapshots=nothing,
            at=at,
        ).running

    assert read(clock()) == refresh
    assert read(clock() + 900) is None
    refreshes.save(step.fail(refresh, PlatformFault, at=clock()), seen=refresh.version)
    assert read(clock()) is None
