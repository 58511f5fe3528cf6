"""Who is let in."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from functions.core.contract import SLOT_SECONDS, Outcome
from functions.core.errors import Busy, CoolingDown, InvalidRequest, NotFound, Superseded
from functions.core.model import Running, Status
from tests.support.admission_harness import Gate
from tests.support.scripted_connector import CONNECTION, TENANT


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_while_its_provider_wants_no_refresh_a_connection_gets_none(gate: Gate) -> None:
    gate.forbid(seconds=90.5)
    with pytest.raises(CoolingDown) as caught:
        gate.ask("ref_2")
    assert caught.value.next_allowed_at == gate.clock() + 90.5
    assert caught.value.wait_seconds == 91
    assert gate.refreshes.get("ref_2") is None
    gate.clock.now += 91
    assert gate.ask("ref_2").outcome is Outcome.RUNNING


def test_a_provider_s_ban_is_no_reason_not_to_join(gate: Gate) -> None:
    gate.forbid(seconds=90, ends=False)
    assert gate.ask("ref_2").outcome is Outcome.JOINED


def test_a_provider_s_ban_is_no_reason_to_withhold_a_young_snapshot(gate: Gate) -> None:
    gate.ask("ref_1")
    gate.publish(as_of=gate.clock())
    gate.forbid("ref_2", seconds=90)
    assert gate.ask("ref_3", max_age_seconds=60).outcome is Outcome.FRESH


def test_an_id_that_was_refused_by_its_provider_is_told_that_it_has_ended(gate: Gate) -> None:
    gate.forbid(seconds=90)
    with pytest.raises(Superseded):
        gate.ask("ref_1")


def test_a_first_request_gets_the_slot_until_well_past_its_deadline(gate: Gate) -> None:
    answer = gate.ask(deadline_seconds=60)
    assert answer.outcome is Outcome.RUNNING
    assert answer.refresh == gate.refreshes.get("ref_1")
    assert gate.running == Running(refresh_id="ref_1", until=gate.clock() + 60 + SLOT_SECONDS)


def test_the_refresh_is_written_with_what_was_asked(gate: Gate) -> None:
    refresh = gate.ask(datasets=("transactions",), deadline_seconds=60).refresh
    assert refresh is not None
    assert (refresh.status, refresh.tenant, refresh.provider) == (Status.ADMITTED, TENANT, "banno")
    assert refresh.datasets == ("transactions",)
    assert refresh.deadline == gate.clock() + 60
    assert [event.type for event in refresh.events] == ["admitted"]


def test_a_provider_may_take_a_quarter_of_an_hour_where_nobody_says_otherwise(gate: Gate) -> None:
    refresh = gate.ask().refresh
    assert refresh is not None
    assert refresh.deadline == gate.clock() + 900


def test_a_latecomer_joins_the_refresh_that_runs(gate: Gate) -> None:
    gate.ask("ref_1")
    answer = gate.ask("ref_2")
    assert (answer.outcome, answer.refresh_id) == (Outcome.JOINED, "ref_1")
    assert gate.refreshes.get("ref_2") is None


def test_a_refresh_that_fetches_more_than_was_asked_for_is_joined(gate: Gate) -> None:
    gate.ask("ref_1")
    assert gate.ask("ref_2", datasets=("transactions",)).outcome is Outcome.JOINED


def test_a_refresh_that_fetches_less_than_was_asked_for_is_not_joined(gate: Gate) -> None:
    gate.ask("ref_1", datasets=("accounts",))
    with pytest.raises(Busy):
        gate.ask("ref_2")
    assert gate.refreshes.get("ref_2") is None


@pytest.mark.parametrize(
    ("running", "asked"), [(False, False), (True, False), (True, True)], ids=str
)
def test_a_refresh_that_reads_as_much_as_was_asked_for_is_joined(
    gate: Gate, *, running: bool, asked: bool
) -> None:
    gate.ask("ref_1", full=running)
    assert gate.ask("ref_2", full=asked).outcome is Outcome.JOINED


def test_who_wants_everything_read_again_does_not_join_a_refresh_of_changes(gate: Gate) -> None:
    gate.ask("ref_1")
    with pytest.raises(Busy):
        gate.ask("ref_2", full=True)


def test_asking_again_under_the_same_id_gives_the_same_refresh(gate: Gate) -> None:
    first = gate.ask("ref_1")
    gate.clock.now += 100
    assert gate.ask("ref_1") == first


@pytest.mark.parametrize(
    ("age", "asked", "outcome"),
    [
        pytest.param(60, 61, Outcome.FRESH, id="younger-than-asked"),
        pytest.param(60, 60, Outcome.FRESH, id="just-as-old-as-asked"),
        pytest.param(60, 59, Outcome.RUNNING, id="older-than-asked"),
        pytest.param(60, 0, Outcome.RUNNING, id="nothing-is-fresh-enough-for-0"),
        pytest.param(60, None, Outcome.RUNNING, id="no-age-asked"),
    ],
)
def test_a_young_snapshot_answers_a_request_that_allows_its_age(
    gate: Gate, age: int, asked: int | None, outcome: Outcome
) -> None:
    gate.ask("ref_1")
    gate.publish(as_of=gate.clock())
    gate.clock.now += age
    answer = gate.ask("ref_2", max_age_seconds=asked)
    assert answer.outcome is outcome
    assert answer.refresh_id == ("ref_1" if outcome is Outcome.FRESH else "ref_2")


def test_a_snapshot_of_unknown_age_is_never_young_enough(gate: Gate) -> None:
    gate.ask("ref_1")
    gate.publish(as_of=0)
    assert gate.ask("ref_2", max_age_seconds=60 * 24 * 3600).outcome is Outcome.RUNNING


def test_who_wants_everything_read_again_is_not_content_with_a_young_snapshot(gate: Gate) -> None:
    gate.ask("ref_1")
    gate.publish(as_of=gate.clock())
    answer = gate.ask("ref_2", full=True, max_age_seconds=3600)
    assert (answer.outcome, answer.refresh_id) == (Outcome.RUNNING, "ref_2")


@pytest.mark.parametrize(("seconds", "outcome"), [(60, Outcome.FRESH), (61, Outcome.RUNNING)])
def test_a_dataset_whose_own_age_is_not_kept_is_as_old_as_its_snapshot(
    gate: Gate, seconds: int, outcome: Outcome
) -> None:
    """A pointer that an earlier version has written has no ages by dataset."""
    gate.ask("ref_1")
    gate.publish(as_of=gate.clock())
    item = gate.tables.connections[CONNECTION]
    assert item.connection.snapshot is not None
    bare = replace(item.connection.snapshot, ages={})
    gate.tables.connections[CONNECTION] = replace(
        item, connection=replace(item.connection, snapshot=bare)
    )
    gate.clock.now += seconds
    answer = gate.ask("ref_2", datasets=("accounts",), max_age_seconds=60)
    assert answer.outcome is outcome


def test_a_young_snapshot_wins_over_a_refresh_that_runs(gate: Gate) -> None:
    gate.ask("ref_1")
    gate.publish(as_of=gate.clock())
    gate.ask("ref_2")
    assert gate.ask("ref_3", max_age_seconds=60).outcome is Outcome.FRESH


def test_a_young_snapshot_without_the_dataset_asked_for_answers_nothing(gate: Gate) -> None:
    gate.ask("ref_1", datasets=("accounts",))
    gate.publish(as_of=gate.clock(), datasets=("accounts",))
    partly = gate.ask("ref_2", max_age_seconds=60, datasets=("accounts",))
    assert partly.outcome is Outcome.FRESH
    assert gate.ask("ref_2", max_age_seconds=60).outcome is Outcome.RUNNING


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(None, ("accounts", "transactions"), id="none-named-is-all"),
        pytest.param(("transactions", "accounts"), ("accounts", "transactions"), id="their-order"),
        pytest.param(("accounts", "accounts"), ("accounts",), id="named-twice"),
    ],
)
def test_datasets_are_spelled_out(
    gate: Gate, asked: tuple[str, ...] | None, expected: tuple[str, ...]
) -> None:
    refresh = gate.ask(datasets=asked).refresh
    assert refresh is not None
    assert refresh.datasets == expected


def test_an_unknown_dataset_is_refused_by_name_before_anything_is_written(gate: Gate) -> None:
    with pytest.raises(InvalidRequest, match=r"^No such dataset: photos\. There are: accounts"):
        gate.ask(datasets=("accounts", "photos"))
    assert gate.running is None


@pytest.mark.parametrize("absent", ["unknown", "another-tenants"])
def test_what_is_not_theirs_is_not_there(gate: Gate, absent: str) -> None:
    foreign = absent == "another-tenants"
    with pytest.raises(NotFound) as caught:
        gate.ask(
            tenant="mallory" if foreign else TENANT,
            connection_id=CONNECTION if foreign else "con_unknown",
        )
    assert str(caught.value) == NotFound.text


def test_a_start_from_inside_needs_no_tenant(gate: Gate) -> None:
    assert gate.ask(tenant=None).outcome is Outcome.RUNNING


def test_a_connection_being_erased_is_not_there(gate: Gate) -> None:
    gate.connections.begin_erasing(CONNECTION)
    with pytest.raises(NotFound):
        gate.ask()
