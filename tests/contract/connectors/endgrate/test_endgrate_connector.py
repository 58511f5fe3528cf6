"""Endgrate's transfers, triggered one by one. What holds for all providers is in their suite."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.errors import InvalidRequest, ProviderRefusesConnection
from functions.core.model import PartState, name_dataset
from functions.core.refresh.trigger import trigger
from tests.support.clients.endgrate import COMPANY, CONTACT, DEAL
from tests.support.fakes.stores import Refreshes, Tables
from tests.support.providers.endgrate_harness import EndgrateHarness, parts, sessions_of
from tests.support.scripted_connector import Crash, CrashingRefreshes, a_refresh, step_ports

if TYPE_CHECKING:
    from functions.core.contract import Ticket
    from tests.contract.provider_cases.endgrate import EndgrateSessions
    from tests.support.providers.endgrate_harness import Simulator


UNKNOWN = "0123456789abcdef01234567"


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


def test_each_call_triggers_one_transfer_and_says_whether_more_are_to_come(
    sessions: EndgrateSessions,
) -> None:
    one = EndgrateHarness(sessions)
    first = one.connector.trigger(one.connection, one.order)
    second = one.connector.trigger(one.connection, replace(one.order, job=first.job))
    third = one.connector.trigger(one.connection, replace(one.order, job=second.job))
    assert [first.more, second.more, third.more] == [True, True, False]
    triggered = one.list_events("pull_triggered")
    assert [row["endgrate_type"] for row in triggered] == [CONTACT, COMPANY, DEAL]
    told = {f"transfer_{place}": row["transfer_id"] for place, row in enumerate(triggered)}
    assert third.job == {"since": first.job["since"], **told}


@pytest.mark.parametrize("writes", range(1, 5))
def test_a_worker_who_dies_between_two_transfers_costs_at_most_one_in_vain(
    sessions: EndgrateSessions, writes: int
) -> None:
    one, tables = EndgrateHarness(sessions), Tables()
    tables.refreshes["ref_1"] = a_refresh(at=sessions.clock(), datasets=one.datasets)

    def triggered(refreshes: Refreshes) -> Ticket:
        ports = step_ports(
            one.connector, refreshes, clock=sessions.clock, connection=one.connection
        )
        refresh = tables.refreshes["ref_1"]
        return trigger(refresh, ports, credentials=one.connections, others=())

    with pytest.raises(Crash):
        triggered(CrashingRefreshes(tables, writes=writes))
    ticket = triggered(Refreshes(tables))
    assert len(one.list_events("pull_triggered")) == 3
    assert one.fetch(one.check(ticket.job)).truth == sessions.truth("fern")


def test_an_answer_that_was_lost_costs_one_transfer_and_no_other(
    sessions: EndgrateSessions,
) -> None:
    one = EndgrateHarness(sessions)
    path = "/api/pull/transfer"
    sessions.fault(method="POST", path=path, kind="disconnect", processed=True, skip=1)
    job = one.trigger()
    types = [row["endgrate_type"] for row in one.list_events("pull_triggered")]
    assert types == [CONTACT, COMPANY, DEAL, COMPANY]
    assert one.fetch(one.check(job)).truth == sessions.truth("fern")
    assert job.keys() == {"since", "transfer_0", "transfer_1", "transfer_2"}


@pytest.mark.parametrize("count", [0, 21])
def test_a_job_has_from_one_to_twenty_transfers(sessions: EndgrateSessions, count: int) -> None:
    one = EndgrateHarness(sessions, datasets=tuple(f"crm-{number}" for number in range(count)))
    assert type(one.refused(one.trigger)) is InvalidRequest
    assert one.count_requests("/api/pull/transfer") == 0


def test_a_job_of_twenty_transfers_is_no_longer_than_it_may_be(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, datasets=(COMPANY,) * 20)
    job = one.check(one.trigger())
    assert len(msgspec.json.encode(job)) < 1024


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"subject": UNKNOWN}, id="a-session-that-there-is-not"),
        pytest.param({"datasets": ("crm-note",)}, id="a-type-that-it-does-not-have"),
        pytest.param({"params": {CONTACT: {"nonsense": 1}}}, id="a-field-that-there-is-not"),
        pytest.param({"params": {CONTACT: {"age__range": 3}}}, id="no-range"),
        pytest.param({"params": {CONTACT: {"$associations": [COMPANY]}}}, id="no-associations"),
        pytest.param(
            {"params": {CONTACT: {"$associations": {DEAL: True, "crm-note": True}}}},
            id="associations-with-a-type-that-it-does-not-have",
        ),
    ],
)
def test_what_endgrate_does_not_take_is_the_connections_fault(
    sessions: EndgrateSessions, changes: dict[str, Any]
) -> None:
    one = EndgrateHarness(sessions, **{"datasets": (CONTACT,), **changes})
    assert type(one.refused(one.trigger)) is ProviderRefusesConnection


def test_a_dataset_is_asked_for_by_its_title(sessions: EndgrateSessions) -> None:
    title, schema = "Our Leads, 2026!", {"endgrate_type": CONTACT}
    subject = sessions.caller.open_session(schema=[{**schema, "title": title}])
    name = name_dataset(title)
    one = EndgrateHarness(sessions, subject=subject, datasets=(name,), titles={name: title})
    read = one.refresh()
    assert len(read.ids(name)) == 430
    assert parts(read)[name].state is PartState.FRESH


def test_params_narrow_down_what_is_pulled(sessions: EndgrateSessions) -> None:
    before = EndgrateHarness(sessions).refresh().truth
    wanted = {"age__range": [[20, 30], [60, 70.5]], "lifecycle_stage": ["lead", "customer"]}
    narrowed = EndgrateHarness(sessions, params={CONTACT: wanted}).refresh().truth
    assert narrowed[COMPANY] == before[COMPANY]
    assert 0 < len(narrowed[CONTACT]) < len(before[CONTACT])
    assert narrowed[CONTACT] == {
        id_: each
        for id_, each in before[CONTACT].items()
        if each["data"]["lifecycle_stage"] in {"lead", "customer"}
        and (20 <= each["data"]["age"] <= 30 or 60 <= each["data"]["age"] <= 70.5)
    }


@pytest.mark.parametrize("more", [{}, {"lifecycle_stage": "lead"}], ids=str)
def test_records_come_with_the_ids_of_those_associated(
    sessions: EndgrateSessions, more: dict[str, Any]
) -> None:
    plain = EndgrateHarness(sessions, datasets=(CONTACT,), params={CONTACT: more}).refresh().truth
    wanted = {CONTACT: {**more, "$associations": {COMPANY: True}}}
    one = EndgrateHarness(sessions, datasets=(CONTACT,), params=wanted)
    associated = one.refresh().truth[CONTACT]
    assert associated.keys() == plain[CONTACT].keys()
    assert all(each["associations"] == {} for each in plain[CONTACT].values())
    assert all(each["associations"].keys() == {COMPANY} for each in associated.values())
    assert one.connection.params == wanted


def test_a_synchronous_trigger_is_answered_when_the_transfer_is_completed(
    sessions: EndgrateSessions,
) -> None:
    sessions.job_takes(0.4)
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    began = time.monotonic()
    taken = one.connector.trigger(one.connection, replace(one.order, synchronous=True))
    assert time.monotonic() - began >= 0.4
    assert one.look(taken.job).done


def test_a_synchronous_trigger_that_endgrate_gives_up_to_hold_is_looked_at(
    sessions: EndgrateSessions,
) -> None:
    sessions.settings(transfer_seconds=0.6, sync_ceiling_seconds=0.1)
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    taken = one.connector.trigger(one.connection, replace(one.order, synchronous=True))
    assert not one.look(taken.job).done
    assert one.fetch(one.check(taken.job)).manifest.coverage.fresh == 1


def test_nothing_is_held_that_was_not_asked_to_be(sessions: EndgrateSessions) -> None:
    sessions.job_takes(5)
    one = EndgrateHarness(sessions)
    began = time.monotonic()
    assert not one.look(one.trigger()).done
    assert time.monotonic() - began < 3
