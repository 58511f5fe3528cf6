"""Endgrate's transfers, looked at until they are completed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from functions.core.errors import JobLost, ProviderRefusesConnection, UnexpectedAnswer
from tests.support.clients.endgrate import CONTACT
from tests.support.providers.endgrate_harness import EndgrateHarness, sessions_of

if TYPE_CHECKING:
    from tests.contract.provider_cases.endgrate import EndgrateSessions
    from tests.support.providers.endgrate_harness import Simulator


STATISTICS = "/api/statistics"


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


def test_a_look_asks_no_further_than_to_the_first_transfer_that_is_not_completed(
    sessions: EndgrateSessions,
) -> None:
    one = EndgrateHarness(sessions)
    sessions.job_takes(100)
    job = one.trigger()
    looked = one.look(one.look(job).job)
    assert one.count_requests(STATISTICS) == 2
    sessions.later(101)
    assert one.look(looked.job).done
    assert one.count_requests(STATISTICS) == 5


def test_what_has_been_seen_completed_is_not_asked_again(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions)
    sessions.job_takes(0)
    first = one.connector.trigger(one.connection, one.order)
    sessions.job_takes(100)
    job = one.connector.trigger(one.connection, replace(one.order, job=first.job)).job
    looked = one.look(job)
    assert not looked.done
    before = one.count_requests(STATISTICS)
    assert not one.look(looked.job).done
    assert one.count_requests(STATISTICS) == before + 1


@pytest.mark.parametrize(
    "body",
    [
        {"completed": "true"},
        {"completed": 1},
        {"completed": None},
        {},
        {"message": "completed"},
    ],
    ids=str,
)
def test_only_a_true_completion_is_one(sessions: EndgrateSessions, body: dict[str, Any]) -> None:
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    job = one.trigger()
    sessions.fault(method="GET", path=STATISTICS, kind="status", status=200, body=body)
    assert type(one.refused(lambda: one.look(job))) is UnexpectedAnswer


def ended(one: EndgrateHarness, how: str) -> None:
    if how == "deleted":
        one.simulated.caller.post("/api/session/delete", session_id=one.connection.subject)
    else:
        one.simulated.later(73 * 3600)


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_a_session_that_ends_is_found_out_when_its_transfers_are_triggered_anew(
    sessions: EndgrateSessions, how: str
) -> None:
    subject = sessions.caller.open_session(CONTACT)
    one = EndgrateHarness(sessions, subject=subject, datasets=(CONTACT,))
    job = one.trigger()
    ended(one, how)
    assert one.look(job).lost
    assert type(one.refused(one.trigger)) is ProviderRefusesConnection


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_a_session_that_ends_before_its_records_are_read_has_lost_the_job(
    sessions: EndgrateSessions, how: str
) -> None:
    subject = sessions.caller.open_session(CONTACT)
    one = EndgrateHarness(sessions, subject=subject, datasets=(CONTACT,))
    job = one.check(one.trigger())
    ended(one, how)
    assert type(one.refused(lambda: one.fetch(job))) is JobLost
