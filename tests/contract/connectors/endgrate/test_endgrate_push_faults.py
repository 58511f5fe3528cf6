"""Pushes at Endgrate's simulator under faults: its ledger says what it was asked to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from functions.connectors.endgrate.webhooks import read_webhook
from functions.core.push.advance import take_webhook
from functions.core.push.model import PushStatus
from tests.contract.connectors.endgrate.test_endgrate_connector_sessions import hooked
from tests.support.clients.endgrate import PAGE_VIEWS
from tests.support.providers.endgrate_harness import sessions_of
from tests.support.providers.endgrate_push_harness import TRANSFER, EndgratePushHarness

if TYPE_CHECKING:
    from tests.contract.provider_cases.endgrate import EndgrateSessions
    from tests.support.providers.endgrate_harness import Simulator

STATISTICS = "/api/statistics"


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


@pytest.mark.parametrize(
    ("fault", "taken"),
    [
        pytest.param({"kind": "disconnect"}, 0, id="closed-before"),
        pytest.param({"kind": "disconnect", "processed": True}, 1, id="closed-after"),
        pytest.param({"kind": "truncate"}, 1, id="cut-off"),
        pytest.param({"kind": "status", "status": 503}, 0, id="503"),
        pytest.param({"kind": "status", "status": 500, "processed": True}, 1, id="500"),
        pytest.param({"kind": "status", "status": 504, "processed": True}, 1, id="504"),
        pytest.param({"kind": "html", "status": 200, "processed": True}, 1, id="a-page"),
        pytest.param({"kind": "cut_short"}, 1, id="half-unseen"),
        pytest.param({"kind": "malformed"}, 1, id="no-json"),
        pytest.param({"kind": "empty"}, 1, id="empty"),
        pytest.param({"kind": "status", "status": 302}, 0, id="elsewhere"),
    ],
)
def test_where_the_answer_is_lost_the_outcome_is_unknown_and_nothing_is_sent_twice(
    sessions: EndgrateSessions, fault: dict[str, Any], taken: int
) -> None:
    harness = EndgratePushHarness(sessions)
    harness.strike_push(**fault)
    push = harness.run()
    assert (push.status, push.error) == (PushStatus.UNKNOWN_OUTCOME, "OutcomeUnknown")
    assert (harness.triggered_count, harness.count_requests(TRANSFER)) == (taken, 1)
    assert harness.run() == push
    assert harness.count_requests(TRANSFER) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 400, "body": {"message": "m"}}, "ProviderRefusesConnection"),
        ({"kind": "html", "status": 400}, "ProviderRefusesConnection"),
        ({"kind": "status", "status": 404}, "ProviderRefusesConnection"),
        ({"kind": "status", "status": 422}, "ProviderRefusesConnection"),
        ({"kind": "status", "status": 401}, "ProviderRefusesApplication"),
        ({"kind": "status", "status": 403}, "ProviderRefusesApplication"),
    ],
)
def test_what_is_refused_has_failed(
    sessions: EndgrateSessions, fault: dict[str, Any], error: str
) -> None:
    harness = EndgratePushHarness(sessions)
    harness.strike_push(**fault)
    push = harness.run()
    assert (push.status, push.error) == (PushStatus.FAILED, error)
    assert (harness.triggered_count, harness.count_requests(TRANSFER)) == (0, 1)


def test_what_the_provider_itself_refuses_has_failed(sessions: EndgrateSessions) -> None:
    push = EndgratePushHarness(sessions, dataset=PAGE_VIEWS).run()
    assert (push.status, push.error) == (PushStatus.FAILED, "ProviderRefusesConnection")


def test_a_session_that_is_not_there_is_refused(sessions: EndgrateSessions) -> None:
    harness = EndgratePushHarness(sessions)
    harness.connection = replace(harness.connection, subject="f" * 24)
    assert harness.run().error == "ProviderRefusesConnection"


def test_a_provider_that_limits_is_asked_again(sessions: EndgrateSessions) -> None:
    harness = EndgratePushHarness(sessions)
    harness.strike_push(kind="status", status=429, retry_after="3", times=2)
    push = harness.run()
    assert (push.status, push.attempts, harness.triggered_count) == (PushStatus.DONE, 3, 1)
    waits = [event.facts["wait_seconds"] for event in push.events if event.type == "postponed"]
    assert waits == [3, 3]


def test_looks_survive_a_provider_that_is_away(sessions: EndgrateSessions) -> None:
    harness = EndgratePushHarness(sessions)
    sessions.fault(method="GET", path="/api/statistics", kind="status", status=503, times=2)
    sessions.fault(method="GET", path="/api/errors", kind="status", status=503)
    assert harness.run().status is PushStatus.DONE
    assert harness.triggered_count == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "status", "status": 400, "body": {"message": "m"}}, id="400"),
        pytest.param({"kind": "status", "status": 404, "body": {"message": "m"}}, id="404"),
        pytest.param({"kind": "status", "status": 401}, id="the-key-is-rotated"),
        pytest.param({"kind": "html", "status": 200}, id="a-page"),
    ],
)
@pytest.mark.parametrize("path", [STATISTICS, "/api/errors"])
def test_one_bad_look_is_not_the_last(
    sessions: EndgrateSessions, path: str, fault: dict[str, Any]
) -> None:
    harness = EndgratePushHarness(sessions)
    sessions.fault(method="GET", path=path, **fault)
    assert harness.run().status is PushStatus.DONE
    assert harness.triggered_count == 1


def test_a_transfer_that_the_provider_has_forgotten_is_of_unknown_outcome_at_the_deadline(
    sessions: EndgrateSessions,
) -> None:
    harness = EndgratePushHarness(sessions, deadline=sessions.clock() + 10)
    forgotten = {"status": 400, "body": {"message": "m"}, "times": None}
    sessions.fault(method="GET", path=STATISTICS, kind="status", **forgotten)
    push = harness.run()
    assert push.status is PushStatus.UNKNOWN_OUTCOME
    assert push.events[-1].facts["cause"] == "ProviderRefusesConnection"
    assert push.ended_at >= push.deadline


# --- webhooks -----------------------------------------------------------------------------------


def test_a_push_whose_answer_was_lost_is_found_by_its_webhook(sessions: EndgrateSessions) -> None:
    with hooked() as hooks:
        harness = EndgratePushHarness(sessions, secret={"hooks_url": hooks.url})
        harness.strike_push(kind="disconnect", processed=True)
        assert harness.run().status is PushStatus.UNKNOWN_OUTCOME
        ((path, body),) = hooks.wait(1)
    told = read_webhook(body)
    assert path == f"endgrate/{told.token}"
    assert (
        take_webhook(harness.push, told, pushes=harness.pushes, at=sessions.clock()) == harness.push
    )
    assert harness.run().status is PushStatus.DONE
    assert (harness.triggered_count, harness.count_requests(TRANSFER)) == (1, 1)
    assert harness.push.job == harness.list_events("push_triggered")[0]["transfer_id"]
