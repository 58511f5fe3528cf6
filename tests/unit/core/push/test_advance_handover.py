"""An execution that ends late: it leaves alone a push that a webhook has handed to another."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import push as door
from functions.core.contract import FAULTS, PushTicket, PushTicketOutcome
from functions.core.errors import (
    Aborted,
    FreshetError,
    OutcomeUnknown,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
    Superseded,
    UnexpectedAnswer,
)
from functions.core.push.model import PushStatus, is_handed_over, reopen
from tests.support.fakes.pushes import PUSH
from tests.support.push_harness import DONE, RUNNING, PushHarness
from tests.support.scripted_connector import Crash, a_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.push.model import Push


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> Callable[..., PushHarness]:
    """Makes harnesses with a push that the function takes on."""

    def made(*answers: str | FreshetError | Crash, **more: Any) -> PushHarness:
        harness = PushHarness(answers=answers, **more)
        connections = SimpleNamespace(get=lambda _id: a_connection(provider="endgrate"))
        here = SimpleNamespace(
            clock=harness.clock,
            sleep=harness.clock.sleep,
            connections=connections,
            insisting_pushes=harness.pushes,
            push_contents=harness.contents,
        )
        monkeypatch.setattr(door, "wiring", lambda: here)
        monkeypatch.setattr(door, "connector", lambda *_, **__: harness.pusher)
        return harness

    return made


def called(ticket: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = door.handler(ticket, LambdaContext())
    return told


def begun(push: Push) -> dict[str, Any]:
    """The input of an execution that goes on from the push's last event."""
    told: dict[str, Any] = msgspec.to_builtins(PushTicket(push_id=push.execution))
    return told


def stopped(name: str) -> dict[str, Any]:
    """The rule's input for an execution of this name."""
    return {"push_id": name, "outcome": PushTicketOutcome.ABORTED, "error": Aborted.name()}


def found(harness: PushHarness) -> Push:
    harness.clock.now += 2
    told = harness.tell()
    assert told is not None
    return told


LOST = ProviderUnavailable()
SAID_OTHERWISE = [
    pytest.param(LOST, id="lost"),
    pytest.param(ProviderRefusesConnection(), id="refused"),
]


@pytest.mark.parametrize("answer", SAID_OTHERWISE)
def test_found_between_push_and_endpush_it_is_left_alone(
    at_work: Callable[..., PushHarness], answer: FreshetError
) -> None:
    harness = at_work(answer)
    given_up = called(begun(harness.push))
    assert given_up["outcome"] == "failed"
    second = found(harness)

    assert not is_handed_over(second, PUSH)
    assert called(given_up)["error"] is None
    assert harness.push == second
    assert called(begun(second))["outcome"] == "done"
    assert harness.push.status is PushStatus.DONE


@pytest.mark.parametrize("answer", SAID_OTHERWISE)
def test_found_before_the_end_is_told_of_it_is_left_alone(
    at_work: Callable[..., PushHarness], answer: FreshetError
) -> None:
    harness = at_work(answer)
    first = harness.push.execution
    given_up = called(begun(harness.push))
    with pytest.raises(
        type(answer) if harness.push.status is PushStatus.FAILED else OutcomeUnknown
    ):
        called(given_up)
    second = found(harness)

    for _ in range(2):
        called(stopped(first))
        assert harness.push == second
    called(begun(second))
    assert harness.push.status is PushStatus.DONE


def test_an_end_that_is_told_of_while_the_second_is_looking_is_too_late(
    at_work: Callable[..., PushHarness],
) -> None:
    harness = at_work(LOST, looks=(RUNNING,))
    first = harness.push.execution
    called(begun(harness.push))
    ticket = called(begun(found(harness)))
    assert ticket["outcome"] == "running"

    called(stopped(first))
    assert harness.push.status is PushStatus.SENT


def test_an_execution_that_was_to_try_later_ends_nothing_of_the_second(
    at_work: Callable[..., PushHarness],
) -> None:
    harness = at_work(RateLimited(wait_seconds=60), looks=(RUNNING,))
    first = harness.push.execution
    later = called(begun(harness.push))
    assert later["push_id"] == first
    called(begun(found(harness)))
    later = called(later)

    called({**later, "outcome": "failed", "error": Superseded.name()})
    called(stopped(first))
    assert harness.push.status is PushStatus.SENT


def test_the_second_execution_s_own_end_ends_the_push(at_work: Callable[..., PushHarness]) -> None:
    harness = at_work(LOST, looks=(RUNNING,))
    called(begun(harness.push))
    second = found(harness).execution
    called(begun(harness.push))

    called(stopped(second))
    assert harness.push.status is PushStatus.UNKNOWN_OUTCOME
    assert harness.push.events[-1].facts["cause"] == "Aborted"


def test_the_first_s_late_end_after_the_second_has_broken_changes_nothing(
    at_work: Callable[..., PushHarness],
) -> None:
    harness = at_work(LOST, looks=(RUNNING,))
    first = harness.push.execution
    called(begun(harness.push))
    second = found(harness).execution
    called(stopped(second))
    ended = harness.push

    called(stopped(first))
    assert harness.push == ended


def test_an_end_that_is_told_of_after_a_reader_had_it_looked_at_again_is_too_late(
    at_work: Callable[..., PushHarness],
) -> None:
    harness = at_work("t1", looks=(RUNNING,))
    first = harness.push.execution
    harness.run()
    ended = harness.push
    harness.clock.now += 900
    again = reopen(ended, at=harness.clock())
    assert again is not None
    harness.pushes.save(again, seen=ended.version)

    called(stopped(first))
    assert harness.push == again
    called(stopped(again.execution))
    assert harness.push.status is PushStatus.UNKNOWN_OUTCOME


def test_what_was_found_while_the_provider_was_asked_ends_with_who_asked(
    at_work: Callable[..., PushHarness],
) -> None:
    harness = at_work(Crash(), looks=(RUNNING,))
    first = harness.push.execution
    with pytest.raises(Crash):
        harness.call()
    assert harness.tell() is None
    assert not is_handed_over(harness.push, first)

    called(stopped(first))
    assert harness.push.status is PushStatus.UNKNOWN_OUTCOME


def test_an_execution_that_a_person_started_by_id_ends_no_push_twice(
    at_work: Callable[..., PushHarness],
) -> None:
    harness = at_work(LOST)
    given_up = called({"push_id": PUSH})
    second = found(harness)

    assert called(given_up)["error"] is None
    assert harness.push == second


def test_the_end_of_an_execution_without_a_name_ends_its_push(
    at_work: Callable[..., PushHarness],
) -> None:
    harness = at_work("t1", looks=(RUNNING, DONE))
    called({"push_id": PUSH, "outcome": "aborted", "error": "Aborted"})
    assert harness.push.status is PushStatus.FAILED


# --- what is counted ---------------------------------------------------------------------------


def counted(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The actions of the faults that the function has counted."""
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [each["action"] for each in told if FAULTS in each]


@pytest.mark.parametrize(
    ("answer", "action"),
    [
        pytest.param(ProviderRefusesConnection(), "fix_request", id="refused"),
        pytest.param(ProviderRefusesApplication(), "contact_operator", id="our-own-key-refused"),
        pytest.param(LOST, "retry", id="unknown-as-it-was-lost"),
        pytest.param(UnexpectedAnswer(), "report", id="unknown-as-it-cannot-be-read"),
    ],
)
def test_a_push_that_failed_is_counted_once_by_who_acts_on_the_cause(
    at_work: Callable[..., PushHarness],
    capsys: pytest.CaptureFixture[str],
    answer: FreshetError,
    action: str,
) -> None:
    harness = at_work(answer)
    first = harness.push.execution
    given_up = called(begun(harness.push))
    assert counted(capsys) == []
    with pytest.raises(FreshetError):
        called(given_up)
    assert counted(capsys) == [action]
    called(stopped(first))
    assert counted(capsys) == []


@pytest.mark.parametrize(
    ("status", "action"),
    [
        pytest.param("ABORTED", "retry", id="stopped-by-hand"),
        pytest.param("FAILED", "report", id="broke-where-nothing-ended-it"),
    ],
)
def test_a_push_that_is_ended_from_outside_is_counted_by_how_its_execution_ended(
    at_work: Callable[..., PushHarness],
    capsys: pytest.CaptureFixture[str],
    status: str,
    action: str,
) -> None:
    harness = at_work()
    called({**stopped(harness.push.execution), "error": status})
    assert counted(capsys) == [action]
    called({**stopped(harness.push.execution), "error": status})
    assert counted(capsys) == []


def test_a_push_that_was_erased_while_it_was_going_on_is_no_fault(
    at_work: Callable[..., PushHarness], capsys: pytest.CaptureFixture[str]
) -> None:
    harness = at_work()
    ticket = begun(harness.push)
    harness.pushes.delete(PUSH)
    with pytest.raises(Superseded):
        called({**ticket, "outcome": "failed", "error": Superseded.name()})
    assert counted(capsys) == []
