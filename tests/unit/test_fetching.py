"""Pages into files, in however many calls it takes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from functions.core.errors import (
    ConsentMissing,
    DeadlineExceeded,
    FetchContinues,
    FetchWaits,
    FreshetError,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)
from functions.core.fetching import AGAIN_SECONDS, MARGIN_SECONDS, PATIENCE, PATIENCE_SECONDS, ahead
from tests.scripted import Scripted
from tests.unit.hall import AWAY, PAGES, PARTS, TRANSACTIONS, Hall

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_a_call_that_runs_out_of_time_puts_its_progress_aside() -> None:
    hall, calls = Hall(), 1
    with pytest.raises(FetchContinues):
        hall.fetch(seconds_left=MARGIN_SECONDS - 1)
    while True:
        try:
            hall.fetch(seconds_left=MARGIN_SECONDS - 1, resumed=True)
        except FetchContinues:
            calls += 1
        else:
            break
    assert calls == len(PAGES) - 1
    _, (manifest, *_) = hall.publish()
    assert hall.read(manifest.datasets["transactions"]) == TRANSACTIONS
    assert manifest.parts == PARTS


def test_enough_time_is_not_interrupted() -> None:
    Hall().fetch(seconds_left=MARGIN_SECONDS)


@pytest.mark.parametrize("place", range(len(PAGES)))
def test_a_fault_at_any_page_is_waited_out_and_loses_nothing(place: int) -> None:
    hall = Hall((place, AWAY))
    with pytest.raises(FetchWaits, match=r"^1$"):
        hall.fetch()
    hall.fetch(resumed=True)
    _, (manifest, *_) = hall.publish()
    assert hall.read(manifest.datasets["transactions"]) == TRANSACTIONS


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        pytest.param(AWAY, "1", id="no-answer"),
        pytest.param(RateLimited(wait_seconds=42), "42", id="retry-after"),
    ],
)
def test_a_pause_is_told_in_whole_seconds(fault: FreshetError, seconds: str) -> None:
    hall = Hall((1, fault))
    with pytest.raises(FetchWaits) as caught:
        hall.fetch()
    assert str(caught.value) == seconds


def pauses(hall: Hall) -> list[int]:
    """How long each pause is that a provider gets that never answers."""
    waits: list[int] = []
    while True:
        hall.connector = Scripted(hall.clock, pages=PAGES, faults=[(0, AWAY)])
        try:
            hall.fetch(resumed=bool(waits))
        except FetchWaits as pause:
            waits.append(int(str(pause)))
            hall.clock.now += waits[-1]
        except ProviderUnavailable:
            return waits


def test_faults_in_a_row_are_waited_out_with_growing_pauses_until_the_deadline() -> None:
    hall = Hall()
    assert pauses(hall)[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert hall.clock() <= hall.ticket.deadline < hall.clock() + 60


def test_a_fetch_past_the_deadline_has_some_patience_left() -> None:
    hall = Hall()
    hall.clock.now = hall.ticket.deadline + 1
    assert len(pauses(hall)) == PATIENCE


@pytest.mark.parametrize(
    ("late", "error"),
    [
        pytest.param(AGAIN_SECONDS, FetchWaits, id="within-bounds"),
        pytest.param(AGAIN_SECONDS + 1, DeadlineExceeded, id="for-ever"),
    ],
)
def test_a_job_begun_anew_is_waited_for_past_the_deadline_and_is_no_fault(
    late: int, error: type[FreshetError]
) -> None:
    hall = Hall((1, FetchWaits(3)))
    hall.clock.now = hall.ticket.deadline + late
    with pytest.raises(error):
        hall.fetch()
    assert hall.staging.progress.faults == 0


@pytest.mark.parametrize(
    ("wait", "error"),
    [
        pytest.param(PATIENCE_SECONDS, FetchWaits, id="a-short-one"),
        pytest.param(PATIENCE_SECONDS + 1, RateLimited, id="a-long-one"),
    ],
)
def test_past_the_deadline_only_short_pauses_are_granted(
    wait: int, error: type[FreshetError]
) -> None:
    hall = Hall((1, RateLimited(wait_seconds=wait)))
    hall.clock.now = hall.ticket.deadline - 1
    with pytest.raises(error):
        hall.fetch()


@pytest.mark.parametrize("error", [ConsentMissing(), UnexpectedAnswer()])
def test_other_errors_end_the_fetch(error: FreshetError) -> None:
    with pytest.raises(type(error)):
        Hall((1, error)).fetch()


def test_the_next_page_is_asked_for_while_one_is_worked_on() -> None:
    asked = threading.Event()

    def pages() -> Iterator[int]:
        yield 1
        asked.set()
        yield 2

    coming = ahead(pages())
    assert next(coming) == 1
    assert asked.wait(timeout=5)
    assert list(coming) == [2]


def test_a_fault_in_a_page_reaches_the_reader_after_the_pages_before() -> None:
    def pages() -> Iterator[int]:
        yield 1
        raise AWAY

    coming = ahead(pages())
    assert next(coming) == 1
    with pytest.raises(ProviderUnavailable):
        next(coming)
