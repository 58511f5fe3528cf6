"""Endgrate's sessions whose users have yet to configure them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.core.contract import Ticket, TicketOutcome
from functions.core.errors import (
    FreshetError,
    InteractionRequired,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)
from functions.core.model import SnapshotPointer
from functions.core.refresh.trigger import trigger
from tests.support.clients.endgrate import UNKNOWN_ID
from tests.support.fakes.stores import Refreshes
from tests.support.providers.endgrate_harness import EndgrateHarness, sessions_of
from tests.support.scripted_connector import (
    CONNECTION,
    Crash,
    CrashingRefreshes,
    a_refresh,
    step_ports,
)

if TYPE_CHECKING:
    from tests.contract.provider_cases.endgrate import EndgrateSessions
    from tests.support.providers.endgrate_harness import Simulator

CONFIGURATION, ERRORS = "/api/session/configuration", "/api/errors"
TRANSFER = "/api/pull/transfer"
SNAPSHOT = SnapshotPointer(
    refresh_id="ref_0", key="key", version_id="1", published_at=0, as_of=0, datasets=()
)


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


class Visit:
    """A refresh of a session at the door that triggers, one call after the other."""

    def __init__(self, one: EndgrateHarness, refresh_id: str = "ref_1") -> None:
        self.one, self.refresh_id = one, refresh_id
        refresh = a_refresh(refresh_id, at=one.simulated.clock(), datasets=one.datasets)
        one.tables.refreshes[refresh_id] = refresh

    @property
    def events(self) -> list[str]:
        return [event.type for event in self.one.tables.refreshes[self.refresh_id].events]

    def call(self, refreshes: Refreshes | None = None) -> Ticket:
        ticket = trigger(
            self.one.tables.refreshes[self.refresh_id],
            step_ports(
                self.one.connector,
                refreshes or Refreshes(self.one.tables),
                clock=self.one.simulated.clock,
                connection=self.one.connection,
            ),
            credentials=self.one.connections,
            others=(),
        )
        self.one.simulated.later(ticket.wait_seconds)
        return ticket

    def run(self) -> Ticket:
        """Come back for as long as it is told to."""
        while (ticket := self.call()).outcome is TicketOutcome.LATER:
            pass
        return ticket


def test_nothing_is_triggered_however_many_refreshes_come(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, "thyme")
    for number in range(4):
        ticket = Visit(one, f"ref_{number}").run()
        assert (ticket.outcome, ticket.error) == (TicketOutcome.FAILED, InteractionRequired.name())
    assert one.count_requests(CONFIGURATION) > 4
    assert one.count_requests(TRANSFER) == 0
    assert one.list_events("pull_triggered") == []
    connection = one.connections.get(CONNECTION)
    assert connection is not None
    assert connection.next_allowed_at == 0


@pytest.mark.parametrize("status", [200, 400, 404, 409, 422, 499])
def test_a_refresh_waits_for_the_user_and_goes_on(sessions: EndgrateSessions, status: int) -> None:
    sessions.settings(unconfigured_status=status)
    one = EndgrateHarness(sessions, "thyme")
    visit = Visit(one)
    for _ in range(3):
        assert visit.call().outcome is TicketOutcome.LATER
    assert visit.events == ["triggering", "postponed"] * 3
    sessions.caller.configure(one.connection.subject)
    ticket = visit.call()
    assert ticket.outcome is TicketOutcome.RUNNING
    assert len(one.list_events("pull_triggered")) == len(one.datasets)
    assert one.fetch(one.check(ticket.job)).truth == sessions.truth("thyme")


@pytest.mark.parametrize("writes", [1, 2])
def test_a_worker_who_dies_before_the_user_has_come_has_triggered_nothing(
    sessions: EndgrateSessions, writes: int
) -> None:
    one = EndgrateHarness(sessions, "thyme")
    visit = Visit(one)
    with pytest.raises(Crash):
        visit.call(CrashingRefreshes(one.tables, writes=writes))
    assert visit.call().outcome is TicketOutcome.LATER
    assert one.count_requests(TRANSFER) == 0


def test_the_configuration_is_read_once_for_all_transfers(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions)
    one.trigger()
    assert (one.count_requests(CONFIGURATION), one.count_requests(ERRORS)) == (1, 0)
    assert one.count_requests(TRANSFER) == len(one.datasets) > 1


def test_a_session_that_has_brought_something_is_not_asked(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, snapshot=SNAPSHOT)
    assert one.refresh().manifest.coverage.fresh == len(one.datasets)
    assert one.count_requests(CONFIGURATION) == 0


@pytest.mark.parametrize("status", [200, 400, 404])
@pytest.mark.parametrize("how", ["deleted", "never-there"])
def test_a_session_that_there_is_not_has_no_user_to_wait_for(
    sessions: EndgrateSessions, how: str, status: int
) -> None:
    sessions.settings(unconfigured_status=status)
    deleted = sessions.caller.initiate()
    sessions.caller.post("/api/session/delete", session_id=deleted)
    one = EndgrateHarness(sessions, "thyme", subject=deleted if how == "deleted" else UNKNOWN_ID)
    assert type(one.refused(one.trigger)) is ProviderRefusesConnection
    assert one.count_requests(TRANSFER) == 0


@pytest.mark.parametrize("path", [CONFIGURATION, ERRORS])
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
        ({"status": 400, "body": {"schemas": {}}}, UnexpectedAnswer),
        ({"status": 404, "kind": "html"}, UnexpectedAnswer),
        ({"status": 400, "kind": "html"}, UnexpectedAnswer),
    ],
    ids=str,
)
def test_an_answer_that_says_nothing_of_the_user_is_not_taken_for_one(
    sessions: EndgrateSessions, fault: dict[str, Any], error: type[FreshetError], path: str
) -> None:
    one = EndgrateHarness(sessions, "thyme")
    sessions.fault(method="GET", path=path, **{"kind": "status", **fault})
    assert type(one.refused(one.trigger)) is error
    assert one.count_requests(TRANSFER) == 0


def test_a_configuration_with_an_excuse_is_none(sessions: EndgrateSessions) -> None:
    one, body = EndgrateHarness(sessions, "thyme"), {"schemas": {}, "message": "no"}
    sessions.fault(method="GET", path=CONFIGURATION, kind="status", status=400, body=body)
    assert type(one.refused(one.trigger)) is UnexpectedAnswer


@pytest.mark.parametrize(
    "adorned", ['"message": 7', '"message": null', '"success": null', '"note": "\\ud800"']
)
def test_what_adorns_a_configuration_makes_it_none_the_less(
    sessions: EndgrateSessions, adorned: str
) -> None:
    text = f'{{"schemas": {{"crm-contact": {{}}}}, {adorned}}}'
    sessions.fault(method="GET", path=CONFIGURATION, kind="status", status=200, text=text)
    assert EndgrateHarness(sessions).trigger()
