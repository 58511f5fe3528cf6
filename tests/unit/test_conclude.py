"""The metrics of ``conclude``, and the schedules that it deletes."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.stub import Stubber

from functions import conclude as door
from functions.aws.schedules import Unscheduling
from functions.core.contract import FAULTS, TicketOutcome
from functions.core.errors import FreshetError, find_error
from functions.core.model import Status
from tests.support.fakes.stores import Clock, Tables
from tests.support.scripted_connector import CONNECTION, REFRESH, a_refresh, a_ticket, stocked

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "group"


class Room:
    """A connection with a refresh that holds its slot, and a Scheduler that expects no call."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.clock, self._capsys = Clock(), capsys
        self.connections, self.refreshes = stocked(Tables(), self.clock)
        refresh = a_refresh(at=self.clock())
        self.refreshes.admit(refresh, until=refresh.deadline)
        client = boto3.client("scheduler", region_name="us-east-1")
        self.scheduler = Stubber(client)
        self.unscheduling = Unscheduling(client, group=GROUP)
        self.snapshots = SimpleNamespace(discard=self.discard)
        self.discarded: list[str] = []

    def discard(self, connection_id: str, *, refresh_id: str) -> None:
        self.discarded.append(f"{connection_id}/{refresh_id}")

    def erase(self) -> None:
        self.connections.begin_erasing(CONNECTION)
        self.refreshes.delete(REFRESH)

    def unscheduled(self) -> None:
        """From now on, Scheduler expects to be told to forget the connection's schedule."""
        given = {"GroupName": GROUP, "Name": CONNECTION}
        self.scheduler.add_response("delete_schedule", {}, given)

    def call(
        self, error: str, *, outcome: TicketOutcome = TicketOutcome.FAILED, told: str = ""
    ) -> list[dict[str, str]]:
        """Call the door, which fails under the error or as told; the faults it has counted."""
        ticket = msgspec.to_builtins(a_ticket(at=self.clock(), outcome=outcome, error=error))
        if outcome is TicketOutcome.ABORTED:
            door.handler(ticket, LambdaContext())
        else:
            with pytest.raises(FreshetError) as raised:
                door.handler(ticket, LambdaContext())
            assert raised.value.name() == (told or find_error(error).name())
        lines = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return [_by(line) for line in lines if FAULTS in line]


def _by(metric: dict[str, Any]) -> dict[str, str]:
    (found,) = metric["_aws"]["CloudWatchMetrics"]
    assert found["Namespace"] == "Freshet/unit"
    (names,) = found["Dimensions"]
    assert metric[FAULTS] == [1.0]
    return {name: metric[name] for name in names if name != "service"}


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Room]:
    made = Room(capsys)
    monkeypatch.setattr(door, "wiring", lambda: made)
    with made.scheduler:
        yield made
        made.scheduler.assert_no_pending_responses()


# --- what is counted ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "action"),
    [
        ("RateLimited", "retry"),
        ("ReauthRequired", "reauthenticate"),
        ("ProviderRefusesConnection", "fix_request"),
        ("ProviderRefusesApplication", "contact_operator"),
        ("UnexpectedAnswer", "report"),
        ("States.DataLimitExceeded", "report"),
    ],
)
def test_a_failure_is_counted_once_by_what_to_do(room: Room, error: str, action: str) -> None:
    assert room.call(error) == [{"action": action}]
    assert room.call("FAILED", outcome=TicketOutcome.ABORTED) == []


@pytest.mark.parametrize(
    ("status", "error", "action"),
    [
        pytest.param("ABORTED", "Aborted", [], id="stopped-by-hand"),
        pytest.param("TIMED_OUT", "Aborted", [], id="took-too-long"),
        pytest.param("FAILED", "Defect", [{"action": "report"}], id="broke-where-nothing-ended-it"),
    ],
)
def test_an_execution_that_ended_without_this_door_is_counted_by_how(
    room: Room, status: str, error: str, action: list[dict[str, str]]
) -> None:
    assert room.call(status, outcome=TicketOutcome.ABORTED) == action
    refresh = room.refreshes.get(REFRESH)
    assert refresh is not None
    assert (refresh.status, refresh.error) == (Status.FAILED, error)
    assert room.call(status, outcome=TicketOutcome.ABORTED) == []


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        pytest.param("CoolingDown", [], id="its-provider-wants-none-yet"),
        pytest.param("Busy", [{"action": "wait"}], id="another-is-running"),
        pytest.param("Lambda.Unknown", [{"action": "retry"}], id="trigger-never-ran"),
        pytest.param("Defect", [{"action": "report"}], id="trigger-broke"),
    ],
)
def test_a_start_that_became_no_refresh_is_counted_only_where_something_failed(
    room: Room, error: str, counted: list[dict[str, str]]
) -> None:
    room.refreshes.delete(REFRESH)
    assert room.call(error) == counted
    assert room.discarded == []


def test_an_erasure_in_the_midst_of_a_refresh_is_no_fault(room: Room) -> None:
    room.erase()
    room.unscheduled()
    assert room.call("Superseded") == []
    assert room.discarded == [f"{CONNECTION}/{REFRESH}"]


# --- schedules without a connection ------------------------------------------------------------


def test_a_start_for_a_connection_that_is_gone_takes_its_schedule_away(room: Room) -> None:
    room.erase()
    room.unscheduled()
    assert room.call("NotFound") == [{"action": "fix_request"}]


@pytest.mark.parametrize("error", ["NotFound", "InvalidRequest", "CoolingDown"])
def test_whatever_a_start_says_a_connection_that_is_there_keeps_its_schedule(
    room: Room, error: str
) -> None:
    room.refreshes.delete(REFRESH)
    room.call(error)


@pytest.mark.parametrize(
    ("code", "told", "action"),
    [
        ("AccessDeniedException", "ConfigurationInvalid", [{"action": "contact_operator"}]),
        ("ThrottlingException", "TryAgain", []),
        ("SomethingElse", "Defect", [{"action": "report"}]),
    ],
)
def test_what_cannot_be_taken_away_is_counted_unless_it_is_tried_again(
    room: Room, code: str, told: str, action: list[dict[str, str]]
) -> None:
    room.erase()
    room.scheduler.add_client_error("delete_schedule", code)
    assert room.call("NotFound", told=told) == action


def test_a_failure_is_counted_once_however_often_its_sweeping_is_tried(room: Room) -> None:
    room.erase()
    for _ in range(3):
        room.scheduler.add_client_error("delete_schedule", "ThrottlingException")
        assert room.call("NotFound", told="TryAgain") == []
    room.unscheduled()
    assert room.call("NotFound") == [{"action": "fix_request"}]
