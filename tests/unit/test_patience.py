"""How long each door lets a request to a provider wait for its turn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import check_status, fetch_data, providers, trigger
from functions.core.contract import Outcome, Variable
from functions.core.errors import Superseded
from tests.fakes import Clock, Tables
from tests.scripted import CONNECTION, REFRESH, a_refresh, a_ticket, stocked

if TYPE_CHECKING:
    from functions.core.budget import SharedBudget
    from functions.core.ports import Connector, ConnectorPorts

BEGINS = {"execution": REFRESH, "input": {"connection_id": CONNECTION}}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The patience of every connector that is asked for; there is none to be had."""
    found: list[float] = []

    def budget(*_: object, patience_seconds: float, **_more: object) -> SharedBudget | None:
        found.append(patience_seconds)
        return None

    def load(_entry: object, _ports: ConnectorPorts) -> Connector:
        raise Superseded

    monkeypatch.setattr(providers, "SharedBudget", budget)
    monkeypatch.setattr(providers, "load", load)
    return found


@pytest.mark.parametrize(
    ("door", "outcome", "seconds"),
    [
        pytest.param(trigger, None, 5, id="to-begin"),
        pytest.param(check_status, Outcome.RUNNING, 15, id="to-look"),
        pytest.param(fetch_data, Outcome.READY, 15, id="to-fetch"),
    ],
)
def test_a_door_that_goes_on_is_more_patient_than_the_one_that_begins(
    door: Any,
    outcome: Outcome | None,
    seconds: float,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    connections, refreshes = stocked(Tables(), clock)
    here = SimpleNamespace(
        clock=clock,
        sleep=clock.sleep,
        connections=connections,
        connection=connections.get,
        refreshes=refreshes,
        budget=lambda _name: None,
        vault=SimpleNamespace(seal_text=None, open_text=None),
        durations=SimpleNamespace(seen=lambda _provider: ()),
        s3=lambda: None,
    )
    monkeypatch.setenv(Variable.BUCKET, "bucket")
    for module in (door, providers):
        monkeypatch.setattr(module, "runtime", lambda: here)
    event: Any = BEGINS
    if outcome is not None:
        refresh = a_refresh(at=clock())
        refreshes.admit(refresh, until=refresh.deadline)
        event = msgspec.to_builtins(a_ticket(at=clock(), outcome=outcome))

    with pytest.raises(Superseded):
        door.handler(event, LambdaContext())
    assert waits == [seconds]
