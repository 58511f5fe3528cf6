"""Pages become files, in as many calls as it takes, and are published at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.core.contract import HOLD_SECONDS
from functions.core.errors import (
    ConsentMissing,
    DeadlineExceeded,
    Defect,
    FetchContinues,
    FetchWaits,
    FreshetError,
    Gone,
    ProviderUnavailable,
    RateLimited,
    Superseded,
    UnexpectedAnswer,
)
from functions.core.model import Coverage, Interval, Part, PartState, Status
from functions.core.polling import backoff
from functions.core.ports import Page, ReadMode
from functions.core.refresh.fetch import (
    AGAIN_SECONDS,
    AHEAD,
    MARGIN_SECONDS,
    PART_PATIENCE,
    PATIENCE,
    PATIENCE_SECONDS,
    publish,
    read_ahead,
)
from functions.core.refresh.progress import Progress, Staged
from functions.core.refresh.steps import cancel, fail
from tests.support.fetch_harness import AWAY, PAGES, PARTS, PAUSED, TRANSACTIONS, FetchHarness
from tests.support.scripted_connector import REFRESH, Scripted, a_manifest, a_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.contract import Bookmark, Cursor
    from functions.core.model import SnapshotPointer
    from tests.support.fakes.stores import Clock


def test_a_call_that_runs_out_of_time_puts_its_progress_aside() -> None:
    harness, calls = FetchHarness(), 1
    with pytest.raises(FetchContinues):
        harness.fetch(seconds_left=MARGIN_SECONDS - 1)
    while True:
        try:
            harness.fetch(seconds_left=MARGIN_SECONDS - 1, resumed=True)
        except FetchContinues:
            calls += 1
        else:
            break
    assert calls == len(PAGES) - 1
    _, (manifest, *_) = harness.publish()
    assert harness.read(manifest.datasets["transactions"]) == TRANSACTIONS
    assert [replace(part, datasets=()) for part in manifest.parts] == list(PARTS)


def test_a_fetch_that_began_without_a_base_goes_on_without_one() -> None:
    harness = FetchHarness()
    with pytest.raises(FetchContinues):
        harness.fetch(seconds_left=MARGIN_SECONDS - 1)
    harness.before = a_manifest("ref_0", as_of=0)
    harness.fetch(resumed=True)
    assert harness.connector.bases == [None, None]


def test_enough_time_is_not_interrupted() -> None:
    FetchHarness().fetch(seconds_left=MARGIN_SECONDS)


@pytest.mark.parametrize("place", range(len(PAGES)))
def test_a_short_pause_is_slept_through_and_loses_nothing(place: int) -> None:
    harness = FetchHarness((place, AWAY))
    harness.fetch()
    assert harness.clock.slept == [1]
    assert not harness.objects.below("staging/")
    _, (manifest, *_) = harness.publish()
    assert harness.read(manifest.datasets["transactions"]) == TRANSACTIONS


@pytest.mark.parametrize("place", range(len(PAGES)))
def test_a_pause_for_which_there_is_no_time_loses_nothing(place: int) -> None:
    harness = FetchHarness((place, AWAY))
    with pytest.raises(FetchWaits, match=r"^1$"):
        harness.fetch(seconds_left=MARGIN_SECONDS)
    harness.fetch(resumed=True)
    assert not harness.clock.slept
    _, (manifest, *_) = harness.publish()
    assert harness.read(manifest.datasets["transactions"]) == TRANSACTIONS


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
    harness = FetchHarness((1, wish))
    if not stays:
        with pytest.raises(FetchWaits):
            harness.fetch(seconds_left=seconds_left)
    else:
        harness.fetch(seconds_left=seconds_left)
    assert bool(harness.clock.slept) is stays


def test_pauses_between_pages_do_not_add_up() -> None:
    harness = FetchHarness(*((place, FetchWaits(HOLD_SECONDS)) for place in range(len(PAGES))))
    harness.fetch()
    assert harness.clock.slept == [HOLD_SECONDS] * len(PAGES)


def test_what_does_not_come_to_an_end_here_is_left_to_the_machine() -> None:
    harness = FetchHarness()
    harness.connector = Stuck(harness.clock, wish=FetchWaits(3))
    with pytest.raises(FetchWaits, match=r"^3$"):
        harness.fetch()
    assert harness.clock.slept == [3] * (HOLD_SECONDS // 3)


class Stopped(FetchHarness):
    """Someone ends the refresh while it pauses."""

    def __init__(self, *, erased: bool) -> None:
        super().__init__((1, AWAY))
        self._erased = erased

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self._erased:
            self.refreshes.delete(REFRESH)
        else:
            ended = cancel(self.refresh, at=self.clock())
            self.refreshes.save(ended, seen=self.refresh.version)


@pytest.mark.parametrize("erased", [False, True])
def test_a_refresh_that_was_ended_in_a_pause_asks_the_provider_no_more(*, erased: bool) -> None:
    harness = Stopped(erased=erased)
    with pytest.raises(Superseded):
        harness.fetch()
    assert len(harness.connector.bases) == 1


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        pytest.param(AWAY, "1", id="no-answer"),
        pytest.param(RateLimited(wait_seconds=42), "42", id="retry-after"),
    ],
)
def test_a_pause_is_told_in_whole_seconds(fault: FreshetError, seconds: str) -> None:
    harness = FetchHarness((1, fault))
    with pytest.raises(FetchWaits) as caught:
        harness.fetch(seconds_left=MARGIN_SECONDS)
    assert str(caught.value) == seconds


class Stuck(Scripted):
    """Never gives a page."""

    def __init__(self, clock: Clock, *, wish: FreshetError) -> None:
        super().__init__(clock)
        self._wish = wish

    def fetch(self, *_asked: object, **_more: object) -> Iterator[Page]:
        yield from ()
        raise self._wish


def pauses(harness: FetchHarness) -> list[float]:
    """The pauses before each new request to a provider that never answers."""
    harness.connector, resumed = Stuck(harness.clock, wish=AWAY), False
    while True:
        try:
            harness.fetch(resumed=resumed)
        except FetchWaits as pause:
            harness.clock.sleep(pause.wait_seconds)
            resumed = True
        except ProviderUnavailable:
            return harness.clock.slept


def test_faults_in_a_row_are_waited_out_with_growing_pauses_until_the_deadline() -> None:
    harness = FetchHarness()
    assert pauses(harness)[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert harness.clock() <= harness.ticket.deadline < harness.clock() + 60


def test_a_fetch_past_the_deadline_has_some_patience_left() -> None:
    harness = FetchHarness()
    harness.clock.now = harness.ticket.deadline + 1
    assert len(pauses(harness)) == PATIENCE


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
    harness = FetchHarness((1, FetchWaits(3)))
    harness.clock.now = harness.ticket.deadline + late
    with pytest.raises(error):
        harness.fetch(seconds_left=MARGIN_SECONDS)
    assert harness.staging.progress.faults == 0


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
    harness = FetchHarness((1, RateLimited(wait_seconds=wait)))
    harness.clock.now = harness.ticket.deadline - 1
    with pytest.raises(error):
        harness.fetch()


@pytest.mark.parametrize("error", [ConsentMissing(), UnexpectedAnswer(), PAUSED])
def test_other_errors_end_the_fetch(error: FreshetError) -> None:
    with pytest.raises(type(error)):
        FetchHarness((1, error)).fetch()


def test_the_next_page_is_asked_for_while_one_is_worked_on() -> None:
    asked = threading.Event()

    def pages() -> Iterator[int]:
        yield 1
        asked.set()
        yield 2

    coming = read_ahead(pages())
    assert next(coming) == 1
    assert asked.wait(timeout=5)
    assert list(coming) == [2]


def test_a_reader_that_stops_leaves_the_next_pages_unasked_for() -> None:
    pages = iter(range(100))
    coming = read_ahead(pages)
    assert next(coming) == 0
    del coming
    assert next(pages) <= 1 + AHEAD


def test_a_fault_in_a_page_reaches_the_reader_after_the_pages_before() -> None:
    def pages() -> Iterator[int]:
        yield 1
        raise AWAY

    coming = read_ahead(pages())
    assert next(coming) == 1
    with pytest.raises(ProviderUnavailable):
        next(coming)


def test_what_is_told_later_of_a_part_leaves_what_it_says_of_other_datasets() -> None:
    progress = Progress(datasets={name: Staged() for name in ("accounts", "transactions")})
    fresh = Part(part="p", state=PartState.FRESH, as_of=1)
    failed = Part(part="p", state=PartState.FAILED, datasets=("transactions",))
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
        progress.set_read_modes({"transactions": ReadMode(bookmark=bookmark), "others": ReadMode()})
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
    harness = FetchHarness()
    harness.connector, resumed = Poor(harness.clock), False
    harness.ticket = replace(harness.ticket, deadline=harness.clock() - late)
    while True:
        try:
            harness.fetch(resumed=resumed)
        except FetchWaits as wait:
            harness.clock.sleep(wait.wait_seconds)
            resumed = True
        else:
            break
    assert harness.clock.slept == [backoff(number) for number in range(1, pauses + 1)]
    _, (manifest, *_) = harness.publish()
    assert harness.read(manifest.datasets["transactions"]) == ["/t1"]


def test_every_page_is_fetched_and_every_record_published_once_with_how_long_it_took() -> None:
    harness, start = FetchHarness(), 1_800_000_000.0
    harness.fetch(running_at=start + 3.04, noticed_at=start + 5.56)
    ended, (manifest, *_) = harness.publish()
    assert harness.read(manifest.datasets["accounts"]) == ["/checking", "/savings"]
    assert harness.read(manifest.datasets["transactions"]) == TRANSACTIONS
    assert ended.records_read == {"accounts": 2, "transactions": 4}
    assert harness.connection.intervals == (Interval(3.0, 5.6, 20_833),)


def test_a_stale_part_makes_the_refresh_partial_and_the_snapshot_as_old_as_it() -> None:
    harness = FetchHarness()
    harness.fetch()
    ended, (manifest, *_) = harness.publish()
    assert (ended.status, ended.coverage) == (Status.PARTIAL, Coverage(fresh=1, stale=1, gone=1))
    assert manifest.as_of == 1_700_000_000
    assert [event.type for event in ended.events] == ["ready", "partial"]


@pytest.mark.parametrize(
    ("parts", "as_of"),
    [
        pytest.param(PARTS[:1], 1_800_000_000, id="as-old-as-its-only-part"),
        pytest.param(PARTS[2:], 1_800_000_000.0, id="what-is-gone-does-not-count"),
        pytest.param((), 1_800_000_000.0, id="without-parts-as-old-as-its-trigger"),
    ],
)
def test_without_stale_parts_the_refresh_is_published(
    parts: tuple[Part, ...], as_of: float
) -> None:
    harness = FetchHarness(pages=(replace(PAGES[0], parts=parts), *PAGES[1:]))
    harness.fetch()
    ended, (manifest, *_) = harness.publish()
    assert (ended.status, manifest.as_of) == (Status.PUBLISHED, as_of)


def test_a_part_of_unknown_age_makes_the_age_unknown() -> None:
    unknown = Part(part="new", state=PartState.STALE)
    harness = FetchHarness(pages=(replace(PAGES[0], parts=(*PARTS, unknown)),))
    harness.fetch()
    assert harness.publish()[1][0].as_of == 0


def test_datasets_not_asked_for_stand_as_the_snapshot_before_has_them() -> None:
    harness = FetchHarness()
    harness.fetch()
    _, (first, *_) = harness.publish()
    harness.clock.now += 50
    harness.admit("ref_2", datasets=("accounts",))
    harness.connector = Scripted(
        harness.clock, pages=(a_page("other", dataset="accounts", parts=PARTS[:1]),)
    )
    harness.fetch()
    ended, kept = harness.publish()
    assert kept == [harness.snapshots.manifest(pointer_of(harness)), first]
    assert kept[0].datasets["transactions"].files == first.datasets["transactions"].files
    assert harness.read(kept[0].datasets["accounts"]) == ["/other"]
    assert kept[0].as_of == first.as_of
    assert (ended.status, ended.as_of) == (Status.PUBLISHED, PARTS[0].as_of)


def test_a_dataset_that_failed_as_a_whole_stands_as_the_snapshot_before_has_it() -> None:
    harness = FetchHarness()
    harness.fetch()
    _, (first, *_) = harness.publish()
    harness.admit("ref_2", datasets=("accounts", "transactions"))
    lost = Part(part="transactions", state=PartState.FAILED, why="upstream")
    harness.connector = Scripted(
        harness.clock,
        pages=(
            a_page("other", dataset="accounts", parts=PARTS[:1]),
            replace(a_page(dataset="transactions"), parts=(lost,)),
        ),
    )
    harness.fetch()
    ended, (second, *_) = harness.publish()
    assert second.datasets["transactions"].files == first.datasets["transactions"].files
    assert ended.status is Status.PARTIAL
    assert ended.records_read == {"accounts": 1, "transactions": 0}


def test_a_dataset_that_failed_and_never_came_before_has_no_age() -> None:
    lost = Part(part="transactions", state=PartState.FAILED, why="upstream")
    harness = FetchHarness(pages=(a_page("a", dataset="accounts", parts=(*PARTS[:1], lost)),))
    harness.fetch()
    _, (manifest, *_) = harness.publish()
    accounts, transactions = manifest.datasets.values()
    assert (accounts.as_of, transactions.as_of) == (PARTS[0].as_of, 0)
    assert manifest.as_of == accounts.as_of


def pointer_of(harness: FetchHarness) -> SnapshotPointer:
    assert harness.connection.snapshot is not None
    return harness.connection.snapshot


def test_the_connection_points_to_what_was_published() -> None:
    harness = FetchHarness()
    harness.fetch()
    _, (manifest, *_) = harness.publish()
    pointer = pointer_of(harness)
    assert harness.snapshots.manifest(pointer) == manifest
    assert (pointer.refresh_id, pointer.as_of) == (REFRESH, manifest.as_of)
    assert pointer.datasets == ("accounts", "transactions")
    assert harness.connection.running is None


def test_a_snapshot_was_published_when_its_refresh_ended() -> None:
    harness = FetchHarness()
    harness.fetch()
    ports = replace(harness.ports(), clock=iter((1_800_000_010.0, 1_800_000_019.0)).__next__)
    ended, _ = publish(harness.ticket, harness.refresh, ports, before=None)
    assert pointer_of(harness).published_at == ended.told_at == 1_800_000_019


def test_a_snapshot_that_cannot_be_read_any_more_is_replaced() -> None:
    harness = FetchHarness()
    harness.fetch()
    harness.publish()
    harness.objects.forget(pointer_of(harness).key)
    with pytest.raises(Gone):
        harness.snapshots.manifest(pointer_of(harness))
    harness.admit("ref_2")
    harness.fetch()
    _, kept = harness.publish()
    assert [manifest.refresh_id for manifest in kept] == ["ref_2"]
    assert pointer_of(harness).refresh_id == "ref_2"


def test_a_publication_happens_once() -> None:
    harness = FetchHarness()
    before = harness.refresh
    harness.fetch()
    harness.publish()
    pointer = harness.connection.snapshot
    with pytest.raises(Superseded):
        publish(harness.ticket, before, harness.ports(), before=None)
    assert harness.connection.snapshot == pointer


def test_a_refresh_that_was_ended_meanwhile_publishes_nothing() -> None:
    harness = FetchHarness()
    harness.fetch()
    zombie = harness.refresh
    harness.refreshes.save(fail(zombie, Defect, at=0), seen=zombie.version)
    harness.refreshes.release(zombie)
    with pytest.raises(Superseded):
        harness.publish()
    assert harness.connection.snapshot is None
