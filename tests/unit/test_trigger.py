"""The first door, for who comes while another refresh runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from msgspec.structs import replace

from functions import trigger as door
from functions.core.contract import Reason
from functions.core.errors import Busy
from functions.core.refresh.trigger import QUEUE_SECONDS
from tests.support.fakes.stores import Clock, Tables
from tests.support.scripted_connector import (
    CONNECTION,
    REFRESH,
    a_refresh,
    admission_ports,
    stocked,
)

EXECUTION = "fired-1"


@pytest.fixture(autouse=True)
def _busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection of which only the accounts are being refreshed."""
    clock = Clock()
    tables = Tables()
    connections, refreshes = stocked(tables, clock)
    running = replace(a_refresh(at=clock()), datasets=("accounts",))
    refreshes.admit(running, until=running.deadline)
    ports = admission_ports(tables, connections=connections, refreshes=refreshes)
    here = SimpleNamespace(clock=clock, admission=ports)
    monkeypatch.setattr(door, "wiring", lambda: here)


def started(**asked: Any) -> Any:
    start = {"connection_id": CONNECTION, **asked}
    return door.handler({"execution": EXECUTION, "input": start}, LambdaContext())


def test_a_firing_that_wants_more_than_the_running_refresh_fetches_comes_again_after_it() -> None:
    ticket = started(reason=Reason.SCHEDULE)
    assert (ticket["outcome"], ticket["refresh_id"]) == ("later", EXECUTION)
    assert ticket["wait_seconds"] == QUEUE_SECONDS


def test_a_firing_that_wants_no_more_joins_the_running_refresh() -> None:
    ticket = started(reason=Reason.SCHEDULE, datasets=["accounts"])
    assert (ticket["outcome"], ticket["refresh_id"]) == ("joined", REFRESH)


@pytest.mark.parametrize("reason", [Reason.CONSOLE, Reason.BULK])
def test_who_is_there_to_be_told_is_told(reason: Reason) -> None:
    with pytest.raises(Busy):
        started(reason=reason)
