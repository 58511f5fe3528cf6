"""A refresh that cannot begin before its end user has acted."""

from __future__ import annotations

import msgspec
import pytest

from functions.core.contract import MAX_DEADLINE_SECONDS, Outcome
from functions.core.errors import InteractionRequired
from functions.core.ports import Triggered
from tests.support.scripted_connector import CONNECTION, Crash, CrashingRefreshes, a_connection
from tests.unit.core.refresh.test_trigger import Desk

AWAITED = InteractionRequired(awaited=True)
TAKEN = Triggered(job={"id": "j1"})
ITEM = 400 * 1024
"""Bytes that DynamoDB takes as one item."""


def waits_of(desk: Desk) -> list[int]:
    """Come back whenever the ticket says, until the refresh fails: how long each wait was."""
    waits = []
    while (ticket := desk.call()).outcome is Outcome.LATER:
        waits.append(ticket.wait_seconds)
        desk.clock.now += ticket.wait_seconds
    assert (ticket.outcome, ticket.error) == (Outcome.FAILED, "InteractionRequired")
    return waits


def test_whoever_asks_sees_for_whom_the_refresh_waits() -> None:
    desk = Desk(AWAITED)
    assert desk.call().outcome is Outcome.LATER
    event = desk.refresh.events[-1]
    assert event.type == "postponed"
    assert event.facts == {"error": "InteractionRequired", "acts": "user", "wait_seconds": 2}
    assert desk.refresh.job is None


def test_people_are_waited_for_until_the_deadline_and_no_longer() -> None:
    desk = Desk(AWAITED, deadline=600)
    waits = waits_of(desk)
    assert waits == [2, 4, 8, 16, 32, 64, 120, 120, 120, 114]
    assert desk.clock() == desk.refresh.deadline
    assert desk.connector.triggered == len(waits)


def test_a_deadline_between_two_seconds_is_waited_out() -> None:
    assert waits_of(Desk(AWAITED, deadline=4.5)) == [2, 3]


def test_the_job_is_begun_once_the_user_has_acted() -> None:
    desk = Desk(AWAITED, AWAITED, TAKEN)
    for _ in range(2):
        assert desk.call().outcome is Outcome.LATER
    ticket = desk.call()
    assert (ticket.outcome, ticket.job) == (Outcome.RUNNING, TAKEN.job)
    assert desk.refresh.triggered_at == desk.clock()


def test_the_longest_wait_stays_far_below_what_is_stored_as_one_item() -> None:
    desk = Desk(AWAITED, deadline=MAX_DEADLINE_SECONDS)
    assert len(waits_of(desk)) < 200
    assert len(msgspec.json.encode(desk.refresh)) < ITEM / 8


@pytest.mark.parametrize("hook", ["digest", ""])
def test_only_where_the_provider_may_tell_of_the_user_that_is_waited_for(hook: str) -> None:
    desk = Desk(AWAITED, connection=a_connection(hook=hook))
    assert desk.call().hooked is bool(hook)


@pytest.mark.parametrize("writes", [1, 2])
def test_a_worker_that_dies_meanwhile_begins_nothing(writes: int) -> None:
    desk = Desk(AWAITED)
    with pytest.raises(Crash):
        desk.call(refreshes=CrashingRefreshes(desk.tables, writes=writes))
    ticket = desk.call()
    assert (ticket.outcome, ticket.wait_seconds) == (Outcome.LATER, 4)
    assert desk.refresh.job is None


def test_a_user_who_does_not_come_forbids_no_refresh() -> None:
    desk = Desk(AWAITED)
    waits_of(desk)
    assert desk.tables.connections[CONNECTION].connection.next_allowed_at == 0
