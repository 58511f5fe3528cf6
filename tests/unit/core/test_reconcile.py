"""The reconciler ends or starts what has lost its execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from functions.core.bulk.model import BulkStatus, BulkTicket
from functions.core.contract import PushTicket, Ticket, TicketOutcome
from functions.core.errors import Aborted, Defect, FreshetError, PlatformFault, find_error
from functions.core.model import Status
from functions.core.push import model as push_step
from functions.core.push.model import Push, executions_of
from functions.core.reconcile import (
    CLOSING_SECONDS,
    LOOK_SECONDS,
    UNBEGUN_SECONDS,
    Done,
    Execution,
    next_look,
    reconcile,
)
from functions.core.refresh.steps import begin_trigger
from tests.support.fakes.bulk_runs import a_bulk
from tests.support.fakes.pushes import a_push
from tests.support.scripted_connector import a_refresh

if TYPE_CHECKING:
    from functions.core.reconcile import Open

NOW = 1_800_000_000.0
RUNNING = Execution("RUNNING")
OVER = [Execution(status) for status in ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")]
REFRESH, PUSH, BULK = a_refresh(at=NOW), a_push(at=NOW), a_bulk(at=NOW)
THINGS: list[Open] = [REFRESH, PUSH, BULK]
BEGUN: list[Open] = [
    begin_trigger(a_refresh(at=NOW), at=NOW),
    push_step.begin_sending(a_push(at=NOW), webhook="h", at=NOW + 1),
    a_bulk(at=NOW, status=BulkStatus.RUNNING, began_at=NOW),
]


class Machine:
    """Executions by their names, and what was done."""

    def __init__(self, found: dict[str, Execution], *, away: bool = False) -> None:
        self._found, self._away = found, away
        self.started: list[Open] = []
        self.ended: list[Any] = []

    def look(self, name: str) -> Execution | None:
        return self._found.get(name)

    def start(self, thing: Any) -> bool:
        if not self._away:
            self.started.append(thing)
        return not self._away

    def reconcile(self, thing: Open, *, at: float = NOW) -> Done | None:
        return reconcile(thing, executions=self, end=self.ended.append, at=at)


def name_of(thing: Open) -> str:
    ids = ("refresh_id", "execution", "bulk_id")
    return next(str(getattr(thing, each)) for each in ids if hasattr(thing, each))


@pytest.mark.parametrize("thing", [*THINGS, *BEGUN], ids=repr)
@pytest.mark.parametrize("execution", [RUNNING, Execution("PENDING_REDRIVE")])
def test_what_runs_is_left_alone(thing: Open, execution: Execution) -> None:
    for name in executions_of(thing) if isinstance(thing, Push) else [name_of(thing)]:
        machine = Machine({name: execution})
        assert machine.reconcile(thing, at=NOW + 10**6) is None
        assert (machine.started, machine.ended) == ([], [])


@pytest.mark.parametrize("thing", THINGS, ids=repr)
def test_what_never_began_is_started(thing: Open) -> None:
    machine = Machine({})
    assert machine.reconcile(thing) is Done.STARTED
    assert (machine.started, machine.ended) == ([thing], [])


@pytest.mark.parametrize("thing", THINGS, ids=repr)
def test_what_cannot_be_started_now_is_left_for_the_next_time(thing: Open) -> None:
    machine = Machine({}, away=True)
    assert machine.reconcile(thing) is None
    assert machine.ended == []


@pytest.mark.parametrize("thing", [*THINGS, *BEGUN], ids=repr)
@pytest.mark.parametrize("execution", OVER)
def test_what_its_execution_has_left_is_ended(thing: Open, execution: Execution) -> None:
    machine = Machine({name_of(thing): execution})
    assert machine.reconcile(thing) is Done.ENDED
    (ticket,) = machine.ended
    assert machine.started == []
    assert (ticket.outcome, ticket.error) == (TicketOutcome.ABORTED, execution.status)
    assert name_of(thing) in str(ticket)


@pytest.mark.parametrize(
    ("execution", "error"),
    [
        (Execution("FAILED", "TryAgain"), PlatformFault),
        (Execution("FAILED", "Lambda.Unknown"), PlatformFault),
        (Execution("FAILED", "States.Runtime"), Defect),
        (Execution("FAILED"), Defect),
        (Execution("ABORTED", "Cancelled"), Aborted),
        (Execution("TIMED_OUT"), Aborted),
        (Execution("SUCCEEDED"), Defect),
    ],
)
def test_what_is_ended_says_why_its_execution_has(
    execution: Execution, error: type[FreshetError]
) -> None:
    machine = Machine({name_of(THINGS[0]): execution})
    machine.reconcile(THINGS[0])
    assert find_error(machine.ended[0].error) is error


@pytest.mark.parametrize(
    ("thing", "seconds"),
    [
        pytest.param(THINGS[0], 900, id="a-refresh-past-its-deadline"),
        pytest.param(BEGUN[0], 1, id="a-refresh-that-has-lost-its-execution"),
        pytest.param(THINGS[2], 10**6, id="a-run-past-its-time"),
        pytest.param(BEGUN[2], 1, id="a-run-that-has-lost-its-execution"),
    ],
)
def test_what_can_no_longer_begin_is_ended(thing: Open, seconds: int) -> None:
    machine = Machine({})
    assert machine.reconcile(thing, at=NOW + seconds) is Done.ENDED
    (ticket,) = machine.ended
    assert ticket.error == "PlatformFault"


def test_each_is_ended_with_a_ticket_of_its_own_door() -> None:
    machine = Machine({name_of(thing): OVER[1] for thing in THINGS})
    for thing in THINGS:
        machine.reconcile(thing)
    assert [type(ticket) for ticket in machine.ended] == [Ticket, PushTicket, BulkTicket]


# --- pushes that have gone from one execution to another ---------------------------------------


def events(*types: str) -> Push:
    """A push with these events, a second after each other."""
    push = a_push(at=NOW)
    for number, what in enumerate(types, start=1):
        at = NOW + number
        steps = {
            "sending": lambda p, at=at: push_step.begin_sending(p, webhook="h", at=at),
            "sent": lambda p, at=at: push_step.confirm(p, job="j", at=at),
            "postponed": lambda p, at=at: push_step.postpone(
                p, PlatformFault, wait_seconds=1, at=at
            ),
            "unknown": lambda p, at=at: push_step.end_unknown(p, PlatformFault, at=at),
            "found": lambda p, at=at: push_step.recover(p, job="j", at=at),
        }
        push = steps[what](push)
    return push


def execution(push: Push, event: int) -> str:
    return f"{push.push_id}-{int(push.events[event].at * 1000)}"


@pytest.mark.parametrize(
    ("push", "names"),
    [
        (events(), [0]),
        (events("sending"), [1, 0]),
        (events("sending", "sent"), [2, 0]),
        (events("sending", "unknown", "found"), [3]),
        (events("sending", "found"), [2, 0]),
        (events("sending", "postponed", "found"), [3]),
    ],
    ids=repr,
)
def test_who_may_be_at_work_on_a_push(push: Push, names: list[int]) -> None:
    assert executions_of(push) == [execution(push, name) for name in names]


def test_a_push_that_a_webhook_has_found_is_started_though_its_first_execution_is_over() -> None:
    push = events("sending", "unknown", "found")
    machine = Machine({execution(push, 0): OVER[1]})
    assert machine.reconcile(push) is Done.STARTED
    assert machine.started == [push]


def test_a_push_on_its_way_is_ended_in_the_name_of_the_execution_that_has_left_it() -> None:
    push = events("sending", "sent")
    machine = Machine({execution(push, 0): OVER[3]})
    assert machine.reconcile(push) is Done.ENDED
    assert machine.ended[0].push_id == execution(push, 0)


# --- when ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("thing", "seconds"),
    [
        *((thing, UNBEGUN_SECONDS) for thing in THINGS),
        *((thing, LOOK_SECONDS) for thing in BEGUN[:2]),
        (BEGUN[2], CLOSING_SECONDS),
        (events("sending", "unknown", "found"), UNBEGUN_SECONDS),
    ],
    ids=repr,
)
def test_what_has_not_begun_is_looked_at_soon_and_what_has_now_and_then(
    thing: Open, seconds: int
) -> None:
    assert next_look(thing, at=NOW) == NOW + seconds


def test_what_never_began_starts_within_a_minute_or_so() -> None:
    assert UNBEGUN_SECONDS + 60 <= 90


def test_what_has_ended_is_never_looked_at() -> None:
    ended: tuple[Open, ...] = (
        replace(REFRESH, status=Status.FAILED),
        events("sending", "unknown"),
        replace(BULK, status=BulkStatus.DONE),
    )
    assert [next_look(thing, at=NOW) for thing in ended] == [None] * 3
