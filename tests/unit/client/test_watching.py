"""What runs is followed to its end, and no state of it is lost."""

from __future__ import annotations

from typing import Any

import pytest

from freshet_client import errors
from tests.unit.client.conftest import Either, Script, Time, ok, refused


def refresh(status: str, version: int, **more: Any) -> Any:
    ended = None if status == "running" else "2026-11-29T00:00:00Z"
    told: dict[str, Any] = {
        "refresh_id": "ref_1",
        "connection_id": "con_1",
        "provider": "banno",
        "reason": "api",
    }
    told |= {"requested_at": "", "deadline": "", "datasets": [], "attempts": 1}
    return ok(
        {
            **told,
            "status": status,
            "version": version,
            "records_read": {},
            "records_total": {},
            "ended_at": ended,
            **more,
        }
    )


FAILED = refresh(
    "failed",
    3,
    error={
        "name": "ReauthRequired",
        "action": "reauthenticate",
        "detail": "Sign in.",
        "help": "https://x/#y",
    },
)


def test_each_new_state_is_given_and_the_next_one_waited_for(client: Either, api: Script) -> None:
    api.answer(
        refresh("running", 1), refresh("running", 1), refresh("running", 4), refresh("published", 5)
    )

    states = client.all(client("watch_refresh", "ref_1"))

    assert [each.version for each in states] == [1, 4, 5]
    assert api.paths == [
        "/refreshes/ref_1",
        "/refreshes/ref_1?wait=20&since_version=1",
        "/refreshes/ref_1?wait=20&since_version=1",
        "/refreshes/ref_1?wait=20&since_version=4",
    ]


def test_what_has_ended_is_told_once(client: Either, api: Script) -> None:
    api.answer(refresh("partial", 5))

    assert len(client.all(client("watch_refresh", "ref_1"))) == 1


def test_a_status_of_a_later_server_goes_on_until_it_has_ended(client: Either, api: Script) -> None:
    api.answer(refresh("running", 1), refresh("pondering", 2, ended_at=None), refresh("partial", 3))

    states = client.all(client("watch_refresh", "ref_1"))

    assert [each.status for each in states] == ["running", "pondering", "partial"]


def test_a_fault_between_two_states_loses_none(client: Either, api: Script) -> None:
    api.answer(refresh("running", 1), refused(503, "unavailable"), refresh("published", 9))

    assert [each.version for each in client.all(client("watch_refresh", "ref_1"))] == [1, 9]


def test_the_callers_time_ends_the_watch(client: Either, api: Script, clock: Time) -> None:
    api.answer(refresh("running", 1))

    with pytest.raises(errors.StillRunning, match="ref_1 is still running") as told:
        client.all(client("watch_refresh", "ref_1", timeout=2))

    assert isinstance(told.value, TimeoutError)
    assert sum(clock.slept) == 2


def test_what_cannot_be_waited_for_is_looked_at_now_and_then(
    client: Either, api: Script, clock: Time
) -> None:
    bulk: dict[str, Any] = {
        "bulk_id": "b",
        "status": "running",
        "reason": "api",
        "requested_at": "",
        "outcomes": {},
    }
    bulk |= {"spread_seconds": 0, "total": 2}
    bulk["outcomes"] = dict.fromkeys(
        [
            "published",
            "partial",
            "fresh",
            "joined",
            "busy",
            "failed",
            "cancelled",
            "not_found",
            "unknown",
        ],
        0,
    )
    api.answer(ok(bulk), ok(bulk), ok({**bulk, "status": "done", "ended_at": "2026"}))

    states = client.all(client("watch_bulk_refresh", "b", every=7))

    assert [each.status for each in states] == ["running", "done"]
    assert clock.slept == [7, 7]


def test_a_refresh_is_waited_for_from_its_start(client: Either, api: Script) -> None:
    api.answer(refresh("running", 1), refresh("partial", 5))

    found = client("refresh", "con_1", wait=True, max_age_seconds=60)

    assert (found.status, found.version) == ("partial", 5)
    assert api.asked[0].headers["Prefer"] == "wait=20"
    assert api.body(0) == {"connection_id": "con_1", "max_age_seconds": 60}
    assert api.paths[1] == "/refreshes/ref_1?wait=20&since_version=1"


def test_it_is_only_started_where_nobody_waits(client: Either, api: Script) -> None:
    api.answer(refresh("running", 1))

    assert client("refresh", "con_1").status == "running"
    assert "Prefer" not in api.asked[0].headers


def test_one_that_has_failed_says_what_to_do(client: Either, api: Script) -> None:
    api.answer(refresh("running", 1), FAILED)

    with pytest.raises(errors.RefreshFailed) as told:
        client("refresh", "con_1", wait=True)

    found = told.value
    assert (found.name, found.action) == ("ReauthRequired", "reauthenticate")
    assert (found.what_to_do, found.help) == ("Sign in.", "https://x/#y")
    assert str(found) == "ref_1 failed: ReauthRequired. Sign in."


def test_one_that_was_cancelled_and_one_that_goes_on_are_told_apart(
    client: Either, api: Script
) -> None:
    api.answer(refresh("cancelled", 2))
    with pytest.raises(errors.RefreshCancelled):
        client("wait_for", "ref_1")

    api.answer(refresh("running", 2))
    with pytest.raises(errors.StillRunning):
        client("refresh", "con_1", wait=True, timeout=5)


def test_a_sign_in_is_followed_to_its_end(client: Either, api: Script) -> None:
    session: dict[str, Any] = {
        "connect_session_id": "ses_1",
        "purpose": "connect",
        "provider": "banno",
    }
    session |= {"settings": {}, "labels": {}, "created_at": "", "expires_at": ""}
    session |= {"attempts": 0, "reused": False}
    api.answer(
        ok({**session, "status": "open", "version": 1}),
        ok({**session, "status": "connected", "version": 3, "connection_id": "con_1"}),
    )

    *_, last = client.all(client("watch_connect_session", "ses_1"))

    assert last.connection_id == "con_1"
