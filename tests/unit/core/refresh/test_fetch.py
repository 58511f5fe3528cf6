"""Pages into files, in however many calls it takes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.core.contract import HOLD_SECONDS
from functions.core.errors import (
    ConsentMissing,
    DeadlineExceeded,
    FetchContinues,
    FetchWaits,
    FreshetError,
    ProviderUnavailable,
    RateLimited,
    Superseded,
    UnexpectedAnswer,
)
from functions.core.model import Part, PartState
from functions.core.polling import backoff
from functions.core.ports import Beginning, Page
from functions.core.refresh.fetch import (
    AGAIN_SECONDS,
    MARGIN_SECONDS,
    PART_PATIENCE,
    PATIENCE,
    PATIENCE_SECONDS,
    ahead,
)
from functions.core.refresh.progress import Progress, Staged
from functions.core.refresh.steps import cancelled
from tests.support.fetch_harness import AWAY, PAGES, PARTS, TRANSACTIONS, Hall
from tests.support.scripted_connector import REFRESH, Scripted, a_manifest, a_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.contract import Bookmark, Cursor
    from tests.support.fakes.stores import Clock


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
    assert [replace(part, datasets=()) for part in manifest.parts] == list(PARTS)


def test_a_fetch_that_began_without_a_base_goes_on_without_one() -> None:
    hall = Hall()
    with pytest.raises(FetchContinues):
        hall.fetch(seconds_left=MARGIN_SECONDS - 1)
    hall.before = a_manifest("ref_0", as_of=0)
    hall.fetch(resumed=True)
    assert hall.connector.bases == [None, None]


def test_enough_time_is_not_interrupted() -> None:
    Hall().fetch(seconds_left=MARGIN_SECONDS)


@pytest.mark.parametrize("place", range(len(PAGES)))
def test_a_short_pause_is_slept_through_and_loses_nothing(place: int) -> None:
    hall = Hall((place, AWAY))
    hall.fetch()
    assert hall.clock.slept == [1]
    assert not hall.objects.below("staging/")
    _, (manifest, *_) = hall.publish()
    assert hall.read(manifest.datasets["transactions"]) == TRANSACTIONS


@pytest.mark.parametrize("place", range(len(PAGES)))
def test_a_pause_for_which_there_is_no_time_loses_nothing(place: int) -> None:
    hall = Hall((place, AWAY))
    with pytest.raises(FetchWaits, match=r"^1$"):
        hall.fetch(seconds_left=MARGIN_SECONDS)
    hall.fetch(resumed=True)
    assert not hall.clock.slept
    _, (manifest, *_) = hall.publish()
    assert hall.read(manifest.datasets["transactions"]) == TRANSACTIONS


@pytest.mark.parametrize(
    ("wish", "seconds_left", "stays"),
    [
        pytest.param(FetchWaits(HOLD_SECONDS), 300, True, id="as-long-as-it-may-be"),
        pytest.param(FetchWaits(HOLD_SECONDS + 1), 300, False, id="too-long"),
        pytest.param(RateLimited(wait_seconds=HOLD_SECONDS), 300, True, id="a-retry-after"),
        pytest.param(RateLimited(wait_seconds=HOLD_SECONDS + 1), 300, False, id="a-long-one"),
        pytest.param(FetchWaits(5), MARGIN_SECONDS + 5, True, id="just-in-time"),
        pytest.param(FetchWaits(5), MARGIN_SECONDS + 4, False, id="too-late"),
    ],
)
def test_a_pause_that_is_short_and_in_time_is_slept_through(
    wish: FreshetError, seconds_left: float, *, stays: bool
) -> None:
    hall = Hall((1, wish))
    if not stays:
        with pytest.raises(FetchWaits):
            hall.fetch(seconds_left=seconds_left)
    else:
        hall.fetch(seconds_left=seconds_left)
    assert bool(hall.clock.slept) is stays


def test_pauses_between_pages_do_not_add_up() -> None:
    hall = Hall(*((place, FetchWaits(HOLD_SECONDS)) for place in range(len(PAGES))))
    hall.fetch()
    assert hall.clock.slept == [HOLD_SECONDS] * len(PAGES)


def test_what_does_not_come_to_an_end_here_is_left_to_the_machine() -> None:
    hall = Hall()
    hall.connector = Stuck(hall.clock, wish=FetchWaits(3))
    with pytest.raises(FetchWaits, match=r"^3$"):
        hall.fetch()
    assert hall.clock.slept == [3] * (HOLD_SECONDS // 3)


class Stopped(Hall):
    """Someone ends the refresh while it pauses."""

    def __init__(self, *, erased: bool) -> None:
        super().__init__((1, AWAY))
        self._erased = erased

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self._erased:
            self.refreshes.delete(REFRESH)
        else:
            ended = cancelled(self.refresh, at=self.clock())
            self.refreshes.save(ended, seen=self.refresh.version)


@pytest.mark.parametrize("erased", [False, True])
def test_a_refresh_that_was_ended_in_a_pause_asks_the_provider_no_more(*, erased: bool) -> None:
    hall = Stopped(erased=erased)
    with pytest.raises(Superseded):
        hall.fetch()
    assert len(hall.connector.bases) == 1


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
        hall.fetch(seconds_left=MARGIN_SECONDS)
    assert str(caught.value) == seconds


class Stuck(Scripted):
    """Never gives a page."""

    def __init__(self, clock: Clock, *, wish: FreshetError) -> None:
        super().__init__(clock)
        self._wish = wish

    def fetch(self, *_asked: object, **_more: object) -> Iterator[Page]:
        yield from ()
        raise self._wish


def pauses(hall: Hall) -> list[float]:
    """How long each pause is that a provider gets that never answers."""
    hall.connector, resumed = Stuck(hall.clock, wish=AWAY), False
    while True:
        try:
            hall.fetch(resumed=resumed)
        except FetchWaits as pause:
            hall.clock.sleep(pause.wait_seconds)
            resumed = True
        except ProviderUnavailable:
            return hall.clock.slept


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
        hall.fetch(seconds_left=MARGIN_SECONDS)
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


def test_what_is_told_later_of_a_part_leaves_what_it_says_of_other_datasets() -> None:
    progress = Progress(datasets={name: Staged() for name in ("accounts", "transactions")})
    fresh = PartState(part="p", state=Part.FRESH, as_of=1)
    failed = PartState(part="p", state=Part.FAILED, datasets=("transactions",))
    progress.tell([fresh, replace(fresh, part="q")])
    progress.tell([failed])
    progress.tell([failed])
    assert list(progress.parts) == [
        replace(fresh, datasets=("accounts",)),
        failed,
        replace(fresh, part="q"),
    ]
    progress.tell([fresh])
    assert list(progress.parts) == [fresh, replace(fresh, part="q")]


def test_a_bookmark_is_added_to_and_taken_back_as_a_whole() -> None:
    progress = Progress(datasets={"transactions": Staged()})
    told: list[tuple[Bookmark | None, Bookmark | None]] = [
        ({"a": 1, "b": 1}, {"a": 1, "b": 1}),
        ({"b": 0}, {"a": 1, "b": 0}),
        (None, None),
    ]
    for bookmark, expected in told:
        progress.begin({"transactions": Beginning(bookmark=bookmark), "others": Beginning()})
        assert progress.datasets["transactions"].bookmark == expected


class Poor(Scripted):
    """Has one part that is never to be had, unless it is told to go on without."""

    def fetch(self, *_args: object, cursor: Cursor | None, **_more: object) -> Iterator[Page]:
        if cursor is None:
            fault = ProviderUnavailable()
            fault.instead = Page(dataset="transactions", cursor={"page": 1})
            raise fault
        yield a_page("t1")


@pytest.mark.parametrize(
    ("late", "pauses"),
    [
        pytest.param(-900, PART_PATIENCE, id="in-time"),
        pytest.param(0, PATIENCE, id="past-the-deadline"),
        pytest.param(AGAIN_SECONDS + 1, 0, id="long-past-it"),
    ],
)
def test_a_fault_of_one_part_is_waited_out_for_a_while_and_then_gone_on_without(
    late: int, pauses: int
) -> None:
    hall = Hall()
    hall.connector, resumed = Poor(hall.clock), False
    hall.ticket = replace(hall.ticket, deadline=hall.clock() - late)
    while True:
        try:
            hall.fetch(resumed=resumed)
        except FetchWaits as wait:
            hall.clock.sleep(wait.wait_seconds)
            resumed = True
        else:
            break
    assert hall.clock.slept == [backoff(number) for number in range(1, pauses + 1)]
    _, (manifest, *_) = hall.publish()
    assert hall.read(manifest.datasets["transactions"]) == ["/t1"]
