"""Waiting for a refresh to move on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from functions.core.errors import Defect
from functions.core.refresh import steps as step
from functions.core.wait import FIRST_PAUSE, LAST_PAUSE, wait
from functions.rest.call import Call
from functions.rest.calls import refreshes
from tests.support.fakes.stores import Clock
from tests.support.scripted_connector import a_refresh

if TYPE_CHECKING:
    from functions.core.model import Refresh


class Bench:
    """A refresh that is triggered and ends at given instants, and someone who waits for it."""

    def __init__(self, *, triggering: float = 1e9, ends: float = 1e9) -> None:
        self.clock = Clock()
        self._start, self._moves = self.clock(), {"triggering": triggering, "ends": ends}
        self.looks = 0

    def refresh(self) -> Refresh:
        passed = self.clock() - self._start
        refresh = a_refresh(at=self._start)
        if passed >= self._moves["triggering"]:
            refresh = step.begin_trigger(refresh, at=self._start)
        if passed >= self._moves["ends"]:
            refresh = step.fail(refresh, Defect, at=self._start)
        return refresh

    def look(self) -> Refresh:
        self.looks += 1
        return self.refresh()

    def wait(self, seconds: float, *, since: int | None = None) -> Refresh:
        return wait(
            self.refresh(),
            self.look,
            until=self.clock() + seconds,
            since=since,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    @property
    def passed(self) -> float:
        return self.clock() - self._start


def test_what_has_ended_is_answered_without_a_look() -> None:
    bench = Bench(ends=0)
    assert bench.wait(25).status.has_ended
    assert (bench.looks, bench.passed) == (0, 0)


def test_no_time_to_wait_is_no_look() -> None:
    bench = Bench()
    bench.wait(0)
    assert bench.looks == 0


@pytest.mark.parametrize("ends", [0.05, 1.0, 7.3, 24.9])
def test_the_end_is_noticed_within_the_longest_pause(ends: float) -> None:
    bench = Bench(ends=ends)
    assert bench.wait(25).status.has_ended
    assert ends <= bench.passed <= ends + LAST_PAUSE


def test_the_wait_is_over_when_it_is_over_after_a_last_look() -> None:
    bench = Bench(triggering=24.99)
    assert bench.wait(25).version == 1
    assert bench.passed == pytest.approx(25)


def test_the_pauses_grow_from_a_tenth_to_half_a_second() -> None:
    bench = Bench()
    bench.wait(25)
    *pauses, _rest = bench.clock.slept
    assert (pauses[0], pauses[-1]) == (FIRST_PAUSE, LAST_PAUSE) == (0.1, 0.5)
    assert pauses == sorted(pauses)
    assert bench.looks < 60


@pytest.mark.parametrize(
    ("since", "version"),
    [
        pytest.param(0, 1, id="behind-the-next"),
        pytest.param(1, 2, id="behind-the-last"),
        pytest.param(9, 2, id="ahead-of-all"),
        pytest.param(None, 2, id="none-waits-for-the-end"),
    ],
)
def test_a_reader_who_knows_a_version_is_told_of_the_next_or_of_the_end(
    since: int | None, version: int
) -> None:
    bench = Bench(triggering=2, ends=6)
    assert bench.wait(25, since=since).version == version


def test_a_version_that_is_past_already_is_answered_at_once() -> None:
    bench = Bench(triggering=0)
    assert bench.wait(25, since=0).version == 1
    assert bench.looks == 0


@pytest.mark.parametrize(
    ("starting", "waits"),
    [
        pytest.param(0, 25, id="at-once"),
        pytest.param(1.5, 25, id="hardly-later"),
        pytest.param(6, 21, id="a-function-that-had-to-start"),
        pytest.param(40, 0, id="too-late-for-an-answer"),
    ],
)
def test_the_wait_ends_before_the_gateway_gives_up_however_late_the_function_began(
    starting: float, waits: float
) -> None:
    bench = Bench()
    asked_at, refresh = bench.clock(), bench.refresh()
    here = SimpleNamespace(
        clock=bench.clock,
        sleep=bench.clock.sleep,
        refreshes=SimpleNamespace(get=lambda _: refresh),
    )
    bench.clock.sleep(starting)

    path = f"/v1/refreshes/{refresh.refresh_id}"
    call = Call(
        here=here,  # type: ignore[arg-type]
        tenant=refresh.tenant,
        path=path,
        body=b"",
        query={},
        headers={},
        asked_at=asked_at,
    )
    assert (
        refreshes.read_refresh(call, refresh.refresh_id, wait=25, since_version=None).status == 200
    )

    assert bench.passed - starting == pytest.approx(waits)
