"""The time that each function gives a request to a provider, waiting included."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import check_status, fetch_data, trigger
from functions.aws import boundary
from functions.connectors.http.answers import log_refusal
from functions.core.contract import DEPRECATIONS, TicketOutcome
from functions.core.errors import ProviderPaused, Superseded
from functions.rest.call import Call as ApiCall
from functions.rest.call import opener
from functions.wiring import providers
from tests.support.fakes.stores import Clock, Tables
from tests.support.scripted_connector import (
    CONNECTION,
    REFRESH,
    a_refresh,
    a_ticket,
    admission_ports,
    stocked,
)
from tests.support.system.log_lines import FIELDS, own

if TYPE_CHECKING:
    from functions.core.budget import SharedBudget
    from functions.core.ports import Connector, ConnectorPorts

BEGINS = {"execution": REFRESH, "input": {"connection_id": CONNECTION}}


class Call(LambdaContext):
    """A call of a function that may run for so many seconds more."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]
        return int(self._seconds * 1000)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The patience and the time of every connector that is asked for; there is none to be had."""
    found: list[float] = []

    def budget(*_: object, patience_seconds: float, **_more: object) -> SharedBudget | None:
        found.append(patience_seconds)
        return None

    def load(_entry: object, ports: ConnectorPorts) -> Connector:
        found.append(ports.left())
        raise Superseded

    monkeypatch.setattr(providers, "SharedBudget", budget)
    monkeypatch.setattr(providers, "load", load)
    return found


def test_the_api_waits_for_a_provider_no_longer_than_its_gateway_does(
    waits: list[float],
) -> None:
    here = SimpleNamespace(
        clock=Clock(),
        sleep=None,
        connections=None,
        budget=lambda _name: None,
        vault=SimpleNamespace(seal_text=None, open_text=None),
    )
    call = ApiCall(
        here=here,  # type: ignore[arg-type]
        tenant="",
        path="",
        body=b"",
        query={},
        headers={},
    )
    with pytest.raises(Superseded):
        opener(call, "endgrate", owner=CONNECTION)
    assert waits == [5, 20]


@pytest.mark.parametrize(
    ("door", "outcome", "runs", "expected"),
    [
        pytest.param(trigger, None, 2000, [5, 900], id="to-begin"),
        pytest.param(trigger, None, 400, [5, 395], id="to-begin-while-the-call-lasts"),
        pytest.param(check_status, TicketOutcome.RUNNING, 2000, [15, 903], id="to-look"),
        pytest.param(
            check_status, TicketOutcome.RUNNING, 245, [15, 240], id="to-look-while-it-lasts"
        ),
        pytest.param(fetch_data, TicketOutcome.READY, 2000, [15, 1995], id="to-fetch"),
    ],
)
def test_a_door_that_goes_on_is_more_patient_and_none_waits_past_its_end_or_the_deadline(
    door: Any,
    outcome: TicketOutcome | None,
    runs: float,
    expected: list[float],
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    tables = Tables()
    connections, refreshes = stocked(tables, clock)
    here = SimpleNamespace(
        clock=clock,
        sleep=clock.sleep,
        connections=connections,
        connection=connections.get,
        refreshes=refreshes,
        admission=admission_ports(tables, connections=connections, refreshes=refreshes),
        budget=lambda _name: None,
        vault=SimpleNamespace(seal_text=None, open_text=None),
        durations=SimpleNamespace(read=lambda _provider: ()),
        snapshots=None,
        staging=lambda **_: None,
    )
    monkeypatch.setattr(door, "wiring", lambda: here)
    event: Any = BEGINS
    if outcome is not None:
        refresh = a_refresh(at=clock())
        refreshes.admit(refresh, until=refresh.deadline)
        event = msgspec.to_builtins(a_ticket(at=clock(), outcome=outcome))

    with pytest.raises(Superseded):
        door.handler(event, Call(runs))
    assert waits == expected


def test_a_deprecation_is_counted_once_in_a_call_of_a_function(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(_entry: object, ports: ConnectorPorts) -> Connector:
        for _ in range(3):
            ports.note_deprecation("deprecated")
        raise Superseded

    monkeypatch.setattr(providers, "load", load)
    here: Any = SimpleNamespace(
        clock=Clock(),
        sleep=None,
        connections=None,
        budget=lambda _name: None,
        vault=SimpleNamespace(seal_text=None, open_text=None),
    )
    with pytest.raises(Superseded):
        providers.connector(here, "digime", owner=REFRESH, left=lambda: 1.0)
    assert capsys.readouterr().out.count(f'"{DEPRECATIONS}":') == 1


def test_a_line_about_a_refusal_has_the_provider_that_is_called(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(providers, "load", lambda *_: None)
    here: Any = SimpleNamespace(
        clock=Clock(),
        sleep=None,
        connections=None,
        budget=lambda _name: None,
        vault=SimpleNamespace(seal_text=None, open_text=None),
    )

    @boundary.door
    def handler(event: str, _context: object) -> None:
        if event:
            providers.connector(here, event, owner=REFRESH, left=lambda: 1.0)
        log_refusal(400, {"x-request-id": "req-1"}, b'{"error": "invalid_grant"}')

    refused = []
    for event in ("digime", ""):
        caplog.clear()
        handler(event, Call(1))
        (record,) = caplog.records
        refused.append(own(record))
    assert set(refused[0]) == FIELDS["provider refused"]
    assert [line.get("provider") for line in refused] == ["digime", None]


def test_a_pause_of_the_operator_s_holds_every_request_of_a_connector_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(_entry: object, ports: ConnectorPorts) -> Connector:
        assert ports.budget is not None
        ports.budget.take()
        raise AssertionError

    monkeypatch.setattr(providers, "load", load)
    here: Any = SimpleNamespace(
        clock=Clock(),
        sleep=None,
        connections=None,
        secrets=SimpleNamespace(read=lambda _provider: b'{"paused": true}'),
        budget=lambda _name: None,
        vault=SimpleNamespace(seal_text=None, open_text=None),
    )
    with pytest.raises(ProviderPaused):
        providers.connector(here, "banno", owner=REFRESH, left=lambda: 1.0)
