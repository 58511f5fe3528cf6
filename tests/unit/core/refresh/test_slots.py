"""Whose a connection's slot is, when the one that has it is over."""

from __future__ import annotations

import pytest

from functions.core.contract import SLOT_SECONDS, Outcome
from functions.core.errors import CoolingDown, Superseded
from functions.core.model import Connection, Status
from functions.core.refresh.admission import UNBEGUN_SECONDS
from functions.core.refresh.steps import cancelled, triggering
from tests.support.admission_harness import Gate
from tests.support.fakes.stores import Connections
from tests.support.scripted_connector import CONNECTION


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_a_slot_that_nobody_freed_is_given_away_after_its_end(gate: Gate) -> None:
    gate.ask("ref_1", deadline_seconds=60)
    gate.clock.now += 60 + SLOT_SECONDS
    assert gate.ask("ref_2").outcome is Outcome.JOINED
    gate.clock.now += 1
    assert gate.ask("ref_2").outcome is Outcome.RUNNING


def test_a_refresh_that_nobody_ended_is_ended_by_the_one_that_gets_its_slot(gate: Gate) -> None:
    first = gate.ask("ref_1").refresh
    assert first is not None
    gate.refreshes.save(triggering(first, at=gate.clock()), seen=first.version)
    gate.clock.now = first.deadline + SLOT_SECONDS + 1
    gate.ask("ref_2")
    lost = gate.refreshes.get("ref_1")
    assert lost is not None
    assert (lost.status, lost.error) == (Status.FAILED, "PlatformFault")


class Late(Connections):
    """Answers the first read with a connection as it was before its refresh ended."""

    stale: Connection | None = None

    def get(self, connection_id: str) -> Connection | None:
        stale, self.stale = self.stale, None
        return stale or super().get(connection_id)


@pytest.fixture
def late(gate: Gate) -> Gate:
    """A gate at which ``ref_1`` is running, for whoever reads its connection next."""
    gate.ask("ref_1")
    gate.connections = Late(gate.tables, clock=gate.clock)
    gate.connections.stale = Connections(gate.tables, clock=gate.clock).get(CONNECTION)
    return gate


def test_a_snapshot_that_came_meanwhile_answers_who_came_to_join_its_refresh(late: Gate) -> None:
    late.publish(as_of=late.clock())
    answer = late.ask("ref_2", max_age_seconds=3600)
    assert (answer.outcome, answer.refresh_id) == (Outcome.FRESH, "ref_1")
    assert late.refreshes.get("ref_2") is None


def test_a_ban_that_came_meanwhile_holds_for_who_came_to_join_its_refresh(late: Gate) -> None:
    running = late.refreshes.get("ref_1")
    assert running is not None
    late.refreshes.forbid(running, until=late.clock() + 90)
    late.refreshes.save(cancelled(running, at=late.clock()), seen=running.version)
    late.refreshes.release(running)
    with pytest.raises(CoolingDown):
        late.ask("ref_2")
    assert late.refreshes.get("ref_2") is None


def test_an_id_whose_refresh_has_left_its_slot_does_not_run_again(gate: Gate) -> None:
    refresh = gate.ask("ref_1").refresh
    assert refresh is not None
    gate.refreshes.release(refresh)
    with pytest.raises(Superseded):
        gate.ask("ref_1")


def test_an_id_whose_refresh_has_ended_in_its_slot_does_not_run_again(gate: Gate) -> None:
    refresh = gate.ask("ref_1").refresh
    assert refresh is not None
    gate.refreshes.save(cancelled(refresh, at=gate.clock()), seen=refresh.version)
    assert gate.running is not None
    with pytest.raises(Superseded):
        gate.ask("ref_1")


def test_a_slot_that_an_ended_refresh_still_has_is_given_away(gate: Gate) -> None:
    refresh = gate.ask("ref_1").refresh
    assert refresh is not None
    gate.refreshes.save(cancelled(refresh, at=gate.clock()), seen=refresh.version)
    assert gate.ask("ref_2").outcome is Outcome.RUNNING
    assert gate.ask("ref_3").refresh_id == "ref_2"


def test_a_refresh_that_was_admitted_and_never_begun_is_not_joined_for_long(gate: Gate) -> None:
    gate.ask("ref_1")
    gate.clock.now += UNBEGUN_SECONDS - 1
    assert gate.ask("ref_2").outcome is Outcome.JOINED
    gate.clock.now += 1
    assert gate.ask("ref_3").refresh_id == "ref_3"
    lost = gate.refreshes.get("ref_1")
    assert lost is not None
    assert (lost.status, lost.error) == (Status.FAILED, "PlatformFault")


def test_a_refresh_that_has_begun_is_joined_however_old_it_is(gate: Gate) -> None:
    admitted = gate.ask("ref_1").refresh
    assert admitted is not None
    gate.refreshes.save(triggering(admitted, at=gate.clock()), seen=admitted.version)
    gate.clock.now += UNBEGUN_SECONDS + 1
    assert gate.ask("ref_2").outcome is Outcome.JOINED


def test_a_refresh_that_has_lost_its_slot_does_not_join_the_one_that_has_it(gate: Gate) -> None:
    gate.ask("ref_1", deadline_seconds=60)
    gate.clock.now += 61 + SLOT_SECONDS
    gate.ask("ref_2")
    with pytest.raises(Superseded):
        gate.ask("ref_1")
