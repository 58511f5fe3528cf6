"""Endgrate's transfers, looked at until they are completed, and sessions that are not configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from functions.core.checking import check
from functions.core.contract import Outcome
from functions.core.errors import (
    FreshetError,
    InteractionRequired,
    JobLost,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)
from tests.contract.endgrate_caller import CONTACT
from tests.contract.endgrate_trial import Trial, sessions_of
from tests.fakes import Refreshes
from tests.scripted import a_ticket

if TYPE_CHECKING:
    from tests.contract.endgrate_trial import Simulator
    from tests.contract.stands.endgrate import EndgrateSessions


STATISTICS = "/api/statistics"
CONFIGURATION = "/api/session/configuration"


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


def test_a_look_asks_no_further_than_to_the_first_transfer_that_is_not_completed(
    sessions: EndgrateSessions,
) -> None:
    one = Trial(sessions)
    sessions.job_takes(100)
    job = one.trigger()
    looked = one.look(one.look(job).job)
    assert one.asked(STATISTICS) == 2
    sessions.later(101)
    assert one.look(looked.job).done
    assert one.asked(STATISTICS) == 5


def test_what_has_been_seen_completed_is_not_asked_again(sessions: EndgrateSessions) -> None:
    one = Trial(sessions)
    sessions.job_takes(0)
    first = one.connector.trigger(one.connection, one.order)
    sessions.job_takes(100)
    job = one.connector.trigger(one.connection, replace(one.order, job=first.job)).job
    looked = one.look(job)
    assert not looked.done
    before = one.asked(STATISTICS)
    assert not one.look(looked.job).done
    assert one.asked(STATISTICS) == before + 1
    assert one.asked(CONFIGURATION) == 0


@pytest.mark.parametrize("status", [200, 400, 404, 409, 422, 499])
def test_a_session_that_is_not_configured_waits_for_its_user_and_goes_on(
    sessions: EndgrateSessions, status: int
) -> None:
    sessions.settings(unconfigured_status=status)
    one = Trial(sessions, "thyme")
    looked = one.look(one.trigger())
    assert looked.user
    assert not looked.done
    assert not looked.lost
    sessions.job_takes(100)
    sessions.control("POST", "configure", {"session_id": one.connection.subject})
    looked = one.look(looked.job)
    assert not looked.user
    asked = one.asked(CONFIGURATION)
    assert asked == 2
    looked = one.look(looked.job)
    assert one.asked(CONFIGURATION) == asked
    sessions.later(101)
    sessions.job_takes(0)
    assert one.fetch(one.check(looked.job)).truth == sessions.truth("thyme")


def test_a_user_who_never_configures_is_who_has_to_act(sessions: EndgrateSessions) -> None:
    one, at = Trial(sessions, "thyme"), sessions.clock()
    ticket = check(
        a_ticket(at=at, job=one.trigger(), deadline=at + 5, looks=(1, 2, 5)),
        connection=one.connection,
        connector=one.connector,
        refreshes=Refreshes(one.tables),
        clock=sessions.clock,
        sleep=sessions.later,
    )
    assert (ticket.outcome, ticket.error) == (Outcome.FAILED, InteractionRequired.name())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 401}, ProviderRefusesApplication),
        ({"status": 403}, ProviderRefusesApplication),
        ({"status": 429}, RateLimited),
        ({"status": 408}, ProviderUnavailable),
        ({"status": 500}, ProviderUnavailable),
        ({"status": 302}, UnexpectedAnswer),
        ({"status": 200, "body": {}}, UnexpectedAnswer),
        ({"status": 200, "body": []}, UnexpectedAnswer),
        ({"status": 400, "body": {"schemas": {}, "message": "no"}}, UnexpectedAnswer),
        ({"status": 404, "kind": "html"}, UnexpectedAnswer),
        ({"status": 400, "kind": "html"}, UnexpectedAnswer),
    ],
    ids=str,
)
def test_an_answer_that_says_nothing_of_the_configuration_is_not_taken_for_one(
    sessions: EndgrateSessions, fault: dict[str, Any], error: type[FreshetError]
) -> None:
    one = Trial(sessions, "thyme")
    job = one.trigger()
    sessions.fault(method="GET", path=CONFIGURATION, **{"kind": "status", **fault})
    assert type(one.refused(lambda: one.look(job))) is error


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
    one = Trial(sessions)
    job = one.trigger()
    sessions.fault(method="GET", path=STATISTICS, kind="status", status=200, body=body)
    assert type(one.refused(lambda: one.look(job))) is UnexpectedAnswer


def ended(one: Trial, how: str) -> None:
    if how == "deleted":
        one.simulated.caller.post("/api/session/delete", session_id=one.connection.subject)
    else:
        one.simulated.later(73 * 3600)


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_a_session_that_ends_is_found_out_when_its_transfers_are_triggered_anew(
    sessions: EndgrateSessions, how: str
) -> None:
    subject = sessions.caller.configured(CONTACT)
    one = Trial(sessions, subject=subject, datasets=(CONTACT,))
    job = one.trigger()
    ended(one, how)
    assert one.look(job).lost
    assert type(one.refused(one.trigger)) is ProviderRefusesConnection


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_a_session_that_ends_before_its_records_are_read_has_lost_the_job(
    sessions: EndgrateSessions, how: str
) -> None:
    subject = sessions.caller.configured(CONTACT)
    one = Trial(sessions, subject=subject, datasets=(CONTACT,))
    job = one.check(one.trigger())
    ended(one, how)
    assert type(one.refused(lambda: one.fetch(job))) is JobLost
