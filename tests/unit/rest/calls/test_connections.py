"""Erasing a connection: what was half done before, and what others do to it meanwhile."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from functions import api
from functions.core.contract import Schedule
from tests.support.api_gateway import call
from tests.support.fakes.pushes import Pushes
from tests.support.fakes.schedules import Schedules
from tests.support.fakes.stores import Clock, Connections, Refreshes, Tables
from tests.support.fakes.subjects import SubjectOwners
from tests.support.scripted_connector import CONNECTION, TOKENS, a_connection, a_refresh

TENANT = "acme"
DAILY = Schedule(expression="rate(1 day)")
OLDER, RUNNING = "ref_older", "ref_running"


class Young(Refreshes):
    """Refreshes of which no index lists the running one yet."""

    def ids(self, connection_id: str) -> list[str]:
        return [id_ for id_ in super().ids(connection_id) if id_ != RUNNING]


class Raced(Connections):
    """Connections of which another call puts the schedule in the moment they become absent."""

    def __init__(self, tables: Tables, *, clock: Clock, schedules: Schedules) -> None:
        super().__init__(tables, clock=clock)
        self._schedules = schedules

    def begin_erasing(self, connection_id: str) -> str | None:
        self._schedules.put(connection_id, DAILY)
        return super().begin_erasing(connection_id)


class House:
    """A tenant's connection with a past, a running refresh and a schedule."""

    def __init__(self) -> None:
        tables, clock = Tables(), Clock()
        self.tables, self.schedules = tables, Schedules()
        self.erased: list[str] = []
        self.connections = Raced(tables, clock=clock, schedules=self.schedules)
        self.refreshes, self.pushes, self.claims = Young(tables), Pushes(), SubjectOwners(tables)
        self.connections.create(a_connection(tenant=TENANT), TOKENS)
        self.schedules.put(CONNECTION, DAILY)
        for name in (OLDER, RUNNING):
            refresh = replace(a_refresh(name, at=clock()), tenant=TENANT)
            self.refreshes.admit(refresh, until=refresh.deadline)
            if name == OLDER:
                self.refreshes.release(refresh)

    @property
    def left(self) -> list[str]:
        """Everything of the connection that is still there."""
        tables = self.tables
        return [*tables.connections, *tables.refreshes, *self.schedules.firing]


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    made = House()
    here = SimpleNamespace(
        connections=made.connections,
        refreshes=made.refreshes,
        pushes=made.pushes,
        subjects=made.claims,
        schedules=made.schedules,
        snapshots=SimpleNamespace(erase=made.erased.append),
    )
    monkeypatch.setattr(api, "wiring", lambda: here)
    return made


def erased() -> int:
    status: int = call("DELETE", f"/v1/connections/{CONNECTION}")["statusCode"]
    return status


def test_nothing_is_left_of_what_no_index_lists_yet_or_was_put_meanwhile(house: House) -> None:
    assert len(house.left) == 4
    assert erased() == 204
    assert (house.left, house.erased) == ([], [CONNECTION])


def test_an_erasure_that_broke_off_goes_on_to_its_end(house: House) -> None:
    running = house.connections.begin_erasing(CONNECTION)
    house.refreshes.delete(str(running))
    assert len(house.left) == 3
    assert erased() == 204
    assert (house.left, house.erased) == ([], [CONNECTION])
    assert erased() == 404
