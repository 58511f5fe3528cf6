"""Incremental refreshes: the snapshots they may add to, and for how long."""

from __future__ import annotations

import io
from itertools import count
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.contract import RefreshRequest
from functions.core.errors import FetchContinues, FetchWaits, Gone, Superseded
from functions.core.model import Blob, Contribution, Dataset, File, Manifest, Part, PartState
from functions.core.ports import Page, PreviousSnapshot, ReadMode, Record
from functions.core.refresh import increment
from functions.core.refresh.fetch import MARGIN_SECONDS, read_published
from functions.core.refresh.increment import (
    FULL_AFTER_REFRESHES,
    FULL_AFTER_SECONDS,
    MAX_CHANGES,
    MAX_CHANGES_SECONDS,
    MAX_CONTRIBUTIONS,
    PUBLISH_SECONDS,
    carry_over,
    select_changes,
    select_previous,
)
from functions.core.refresh.steps import create
from tests.support.fakes.files import Objects, Snapshots
from tests.support.fetch_harness import AWAY, FetchHarness
from tests.support.scripted_connector import (
    CONNECTION,
    REFRESH,
    Scripted,
    a_connection,
    a_page,
    a_refresh,
)

if TYPE_CHECKING:
    from functions.core.model import Refresh

AT = 1_800_000_000.0
NEW = {"transactions": ReadMode(bookmark={"place": 1})}
MORE = {"transactions": ReadMode(incremental=True, bookmark={"place": 2})}
IDS = [f"t{number}" for number in range(10)]


def a_file(lines: int, *, number: int = 0) -> File:
    return File(key=f"k{number}", version_id="0", sha256="", bytes=1, lines=lines)


def a_dataset(*links: int, lines: int = 10, added: int = 0) -> Dataset:
    """A dataset to which refreshes have put so many files each."""
    files = [a_file(lines if number < links[0] else added) for number in range(sum(links))]
    return Dataset(
        refresh_id=f"ref_{len(links)}",
        as_of=AT,
        records=0,
        deletions=0,
        files=tuple(files),
        history=tuple(
            Contribution(refresh_id=f"ref_{n}", files=put) for n, put in enumerate(links, 1)
        ),
        full_read_at=AT,
        bookmark={},
    )


def previous(dataset: Dataset, *, at: float = AT, full: bool = False) -> PreviousSnapshot | None:
    manifest = Manifest(
        v=1,
        refresh_id="ref_9",
        connection_id=CONNECTION,
        provider="banno",
        triggered_at=AT,
        fetched_at=AT,
        as_of=AT,
        datasets={"transactions": dataset},
    )
    refresh = a_refresh(at=at, full=full)
    return select_previous(manifest, refresh=refresh, snapshots=Snapshots(Objects()))


@pytest.mark.parametrize(
    ("dataset", "late", "adds"),
    [
        pytest.param(a_dataset(1), 0, True, id="just-read"),
        pytest.param(replace(a_dataset(1), bookmark=None), 0, False, id="without-a-bookmark"),
        pytest.param(replace(a_dataset(1), history=()), 0, False, id="of-an-older-version"),
        pytest.param(a_dataset(1), FULL_AFTER_SECONDS, True, id="for-a-week"),
        pytest.param(a_dataset(1), FULL_AFTER_SECONDS + 1, False, id="no-longer"),
        pytest.param(a_dataset(*[1] * FULL_AFTER_REFRESHES), 0, True, id="so-often"),
        pytest.param(a_dataset(*[1] * (FULL_AFTER_REFRESHES + 1)), 0, False, id="no-more-often"),
        pytest.param(a_dataset(1, 1, added=5), 0, True, id="half-as-much-added"),
        pytest.param(a_dataset(1, 1, added=6), 0, False, id="more-than-half-added"),
    ],
)
def test_a_dataset_is_added_to_for_a_time(dataset: Dataset, late: float, *, adds: bool) -> None:
    found = previous(dataset, at=AT + late)
    assert found is not None
    assert ("transactions" in found.bookmarks) is adds


def test_who_asks_for_everything_gets_it() -> None:
    assert previous(a_dataset(1), full=True) is None


def test_a_request_for_everything_is_kept_with_its_refresh() -> None:
    for full in (True, False):
        request = RefreshRequest(connection_id=CONNECTION, full=full)
        assert create(a_connection(), request, refresh_id=REFRESH, at=0).full is full


@pytest.mark.parametrize(
    ("since", "files"),
    [("ref_1", ["k2", "k3"]), ("ref_2", ["k2", "k3"]), ("ref_3", ["k3"]), ("ref_4", [])],
)
def test_changes_are_the_files_that_came_later(since: str, files: list[str]) -> None:
    dataset = a_dataset(2, 0, 1, 1)
    numbered = [a_file(1, number=number) for number in range(4)]
    blobs = [Blob(id=each, file=a_file(0), refresh_id=each) for each in ("", "ref_3", "ref_4")]
    dataset = replace(dataset, files=tuple(numbered), blobs=tuple(blobs))
    later = select_changes(dataset, since=since)
    assert [file.key for file in later.files] == files
    assert [blob.id for blob in later.blobs] == [
        each for each in ("ref_3", "ref_4") if each > since
    ]


def test_what_is_not_in_the_chain_is_gone() -> None:
    for since in ("", "ref_0"):
        with pytest.raises(Gone, match="Read the whole dataset"):
            select_changes(a_dataset(1, 1), since=since)


def test_a_chain_forgets_refreshes_that_put_nothing_and_never_files() -> None:
    dataset = a_dataset(2, 0, 1)
    for number in range(4, 3 * MAX_CONTRIBUTIONS):
        dataset = carry_over(dataset, refresh_id=f"ref_{number}")
        assert sum(link.files for link in dataset.history) == 3
    assert len(dataset.history) == MAX_CONTRIBUTIONS
    assert select_changes(dataset, since="ref_3").files == ()
    assert len(select_changes(dataset, since="ref_1").files) == 1


def test_a_dataset_of_an_older_version_is_carried_as_it_is() -> None:
    old = replace(a_dataset(1), history=())
    assert carry_over(old, refresh_id="ref_2") == old


def test_a_manifest_of_an_older_version_is_read() -> None:
    text = b'{"refresh_id": "r", "as_of": 1, "records": 0, "deletions": 0, "files": []}'
    dataset = msgspec.json.decode(text, type=Dataset)
    assert (dataset.history, dataset.bookmark) == ((), None)


class Hours(FetchHarness):
    """One refresh after the other, each of its own pages."""

    numbers = count(2)

    def after(self, *pages: Page, datasets: tuple[str, ...] = ("transactions",)) -> Manifest:
        self.begin(*pages, datasets=datasets)
        self.fetch()
        return self.publish()[1][0]

    def begin(self, *pages: Page, datasets: tuple[str, ...] = ("transactions",)) -> None:
        self.connector = Scripted(self.clock, pages=pages)
        if self.refresh.status.has_ended:
            self.clock.now += 60
            self.admit(f"ref_{next(self.numbers)}", datasets=datasets)

    def ids(self, manifest: Manifest) -> list[str]:
        return [line.removeprefix("/") for line in self.read(manifest.datasets["transactions"])]

    def since(self, manifest: Manifest, since: Manifest) -> list[str]:
        later = select_changes(manifest.datasets["transactions"], since=since.refresh_id)
        return self.read(later)

    @property
    def last(self) -> Refresh:
        return self.refresh


def test_what_a_refresh_adds_stands_behind_what_was_there() -> None:
    hours = Hours()
    first = hours.after(a_page(*IDS, read_modes=NEW))
    second = hours.after(a_page("t1", "t10", deletions=["t2"], read_modes=MORE))
    assert hours.ids(second) == [*IDS, "t1", "t10", "-/t2"]
    dataset = second.datasets["transactions"]
    assert (dataset.records, dataset.deletions, dataset.bookmark) == (12, 1, {"place": 2})
    assert hours.last.records_read == {"transactions": 2}
    assert dataset.full_read_at == first.datasets["transactions"].full_read_at
    (given,) = hours.connector.bases
    assert given is not None
    assert given.bookmarks == {"transactions": {"place": 1}}
    assert given.revisions("transactions").keys() == {("", id_) for id_ in IDS}


def test_a_refresh_that_found_nothing_new_is_in_the_chain() -> None:
    hours = Hours()
    hours.after(a_page(*IDS, read_modes=NEW))
    second = hours.after(a_page(read_modes=MORE))
    assert [link.files for link in second.datasets["transactions"].history] == [1, 0]
    assert select_changes(second.datasets["transactions"], since=second.refresh_id).files == ()


def test_a_refresh_that_says_nothing_of_it_stands_for_itself() -> None:
    hours = Hours()
    hours.after(a_page(*IDS, read_modes=NEW))
    second = hours.after(a_page("t5"))
    dataset = second.datasets["transactions"]
    assert (hours.ids(second), len(dataset.history), dataset.bookmark) == (["t5"], 1, None)


def test_a_dataset_that_was_not_asked_for_keeps_its_chain_and_knows_the_snapshot() -> None:
    hours = Hours()
    hours.after(a_page(*IDS, read_modes=NEW))
    second = hours.after(a_page("a", dataset="accounts"), datasets=("accounts",))
    dataset = second.datasets["transactions"]
    assert select_changes(dataset, since=second.refresh_id).files == ()
    assert dataset.bookmark == {"place": 1}
    third = hours.after(a_page("t10", read_modes=MORE))
    assert len(select_changes(third.datasets["transactions"], since=second.refresh_id).files) == 1


def test_a_dataset_that_failed_as_a_whole_is_added_to_the_next_time() -> None:
    hours = Hours()
    hours.after(a_page(*IDS, read_modes=NEW))
    failed = (Part(part="transactions", state=PartState.FAILED),)
    second = hours.after(a_page(read_modes=MORE, parts=failed))
    assert second.datasets["transactions"].bookmark == {"place": 1}
    assert hours.last.records_read == {"transactions": 0}
    assert hours.ids(hours.after(a_page("t10", read_modes=MORE))) == [*IDS, "t10"]


def test_whether_it_adds_outlives_every_interruption() -> None:
    hours = Hours()
    hours.after(a_page(*IDS, read_modes=NEW))
    hours.begin(a_page("t10", read_modes=MORE), a_page("t11"), a_page("t12"))
    with pytest.raises(FetchContinues):
        hours.fetch(seconds_left=MARGIN_SECONDS - 1)
    hours.clock.now += FULL_AFTER_SECONDS
    hours.connector = Scripted(
        hours.clock, pages=[a_page("t10"), a_page("t11"), a_page("t12")], faults=[(2, AWAY)]
    )
    with pytest.raises(FetchWaits):
        hours.fetch(seconds_left=MARGIN_SECONDS, resumed=True)
    hours.fetch()
    manifest = hours.publish()[1][0]
    assert hours.ids(manifest) == [*IDS, "t10", "t11", "t12"]
    assert all(each and each.bookmarks for each in hours.connector.bases)


def test_a_fetch_does_not_go_on_from_another_snapshot_than_it_began_from() -> None:
    hours = Hours()
    first = hours.after(a_page(*IDS, read_modes=NEW))
    hours.begin(a_page("t10", read_modes=MORE), a_page("t11"))
    with pytest.raises(FetchContinues):
        hours.fetch(seconds_left=MARGIN_SECONDS - 1)
    other = replace(first, refresh_id="ref_0")
    hours.before = other
    with pytest.raises(Superseded):
        hours.fetch(resumed=True)


def test_what_adds_is_never_published_without_what_it_adds_to() -> None:
    hours = Hours()
    hours.after(a_page(*IDS, read_modes=NEW))
    hours.begin(a_page("t10", read_modes=MORE))
    hours.fetch()
    hours.staging.progress.previous_id = "ref_0"
    with pytest.raises(Superseded):
        hours.publish()
    assert read_published(hours.connection, hours.snapshots) is not None


def test_content_that_a_later_line_replaces_is_left_out() -> None:
    def with_blob(id_: str) -> Record:
        return Record(id_, msgspec.Raw(b"{}"), blob=io.BytesIO(b"large"))

    hours = Hours()
    large = [with_blob(id_) for id_ in ("a", "b", "c", "d")]
    few = a_page(*IDS, read_modes=NEW)
    hours.after(replace(few, records=[*few.records, *large]))
    plain, gone = a_page("a", read_modes=MORE), ["b"]
    second = hours.after(replace(plain, records=[*plain.records, with_blob("c")], deletions=gone))
    blobs = second.datasets["transactions"].blobs
    assert [(blob.id, blob.refresh_id == second.refresh_id) for blob in blobs] == [
        ("d", False),
        ("c", True),
    ]
    first = second.datasets["transactions"].history[0].refresh_id
    later = select_changes(second.datasets["transactions"], since=first)
    assert [blob.id for blob in later.blobs] == ["c"]


def test_content_of_another_part_under_the_same_id_stays() -> None:
    def page(part: str, **select_changes: object) -> Page:
        record = Record("a", msgspec.Raw(b"{}"), blob=io.BytesIO(part.encode()))
        return replace(Page(dataset="transactions", part=part, records=[record]), **select_changes)

    hours = Hours()
    hours.after(a_page(*IDS, read_modes=NEW, cursor={}), page("p", cursor={}), page("q"))
    later = hours.after(a_page(part="p", deletions=["a"], read_modes=MORE))
    assert [(blob.part, blob.id) for blob in later.datasets["transactions"].blobs] == [("q", "a")]


def test_a_deletion_is_no_record_that_is_there() -> None:
    hours = Hours()
    hours.after(a_page(*IDS, read_modes=NEW))
    hours.after(a_page(deletions=["t2"], read_modes=MORE))
    hours.after(a_page(read_modes=MORE))
    (given,) = hours.connector.bases
    assert given is not None
    assert given.revisions("transactions").keys() == {("", id_) for id_ in IDS if id_ != "t2"}


def lacks(*names: str, state: PartState = PartState.INCOMPLETE) -> tuple[Part, ...]:
    """Parts that were not read as a whole."""
    of = ("transactions",)
    return tuple(Part(part=name, state=state, as_of=AT, datasets=of) for name in names)


def test_what_is_read_in_full_each_time_has_changes_too() -> None:
    hours = Hours()
    first = hours.after(a_page("a", "b", part="p"), a_page("a", part="q"))
    same = hours.after(a_page("a", part="q"), a_page("b", "a", part="p"))
    other = hours.after(a_page("a", "c", part="p"))
    assert hours.since(same, first) == []
    assert hours.since(other, first) == hours.since(other, same)
    assert sorted(hours.since(other, same)) == ["-p/b", "-q/a", "p/c"]
    assert hours.since(other, other) == []
    assert [len(each.files) for each in other.datasets["transactions"].changes] == [0, 0, 1]


def test_changes_outlast_the_full_read_of_what_is_added_to() -> None:
    hours = Hours()
    first = hours.after(a_page(*IDS, read_modes=NEW))
    second = hours.after(a_page("t10", read_modes=MORE))
    hours.clock.now += FULL_AFTER_SECONDS + 1
    third = hours.after(a_page(*IDS[1:], "t10", read_modes=NEW))
    assert len(third.datasets["transactions"].history) == 1
    fourth = hours.after(a_page("t11", read_modes=MORE))
    assert hours.since(fourth, first) == ["/t10", "-/t0", "/t11"]
    assert hours.since(fourth, second) == ["-/t0", "/t11"]
    assert hours.since(fourth, third) == ["/t11"]


def test_changes_go_on_from_a_manifest_of_an_older_version() -> None:
    hours = Hours()
    first = hours.after(a_page(*IDS))
    dataset = first.datasets["transactions"]
    assert dataset.changes == ()
    assert hours.since(hours.after(a_page(*IDS[1:])), first) == ["-/t0"]


def test_a_record_that_is_missing_in_a_part_that_lacks_some_is_settled_later() -> None:
    hours = Hours()
    first = hours.after(a_page("a", "b", "c", part="p", read_modes=NEW), a_page("a", part="q"))
    second = hours.after(a_page("a", part="p", parts=lacks("p"), read_modes=NEW))
    third = hours.after(a_page("d", part="p", read_modes=MORE))
    hours.clock.now += FULL_AFTER_SECONDS + 1
    fourth = hours.after(a_page("a", "b", "d", part="p", read_modes=NEW))
    later = select_changes(second.datasets["transactions"], since=first.refresh_id)
    lines = {(line.part, line.id): line.uncertain for line in hours.objects.lines(later)}
    assert lines == {("p", "b"): True, ("p", "c"): True, ("q", "a"): False}
    assert hours.since(third, second) == ["p/d"]
    assert hours.since(fourth, third) == ["p/b", "-p/c"]


def test_a_dataset_that_lacks_records_has_no_certain_deletion() -> None:
    hours = Hours()
    hours.after(a_page("a", "b"))
    second = hours.after(a_page("a", parts=lacks("transactions", state=PartState.STALE)))
    assert [each.uncertain for each in second.datasets["transactions"].changes] == [False, True]


def test_what_was_kept_of_a_part_that_failed_is_no_change() -> None:
    hours = Hours()
    first = hours.after(a_page("a", "b", part="p"), a_page("a", part="q"))
    failed = lacks("p", state=PartState.FAILED)
    second = hours.after(a_page("c", part="q", parts=failed))
    assert hours.since(second, first) == ["q/c", "-q/a"]


def test_a_dataset_that_failed_as_a_whole_keeps_its_changes() -> None:
    hours = Hours()
    first = hours.after(a_page("a", "b"))
    second = hours.after(a_page("a"))
    third = hours.after(a_page(parts=lacks("transactions", state=PartState.FAILED)))
    assert hours.since(third, first) == ["-/b"]
    assert hours.since(third, second) == []
    assert hours.since(hours.after(a_page("a", "c")), third) == ["/c"]


def test_a_publication_without_the_time_for_it_has_a_call_of_its_own() -> None:
    hours = Hours()
    first = hours.after(a_page("a", "b", part="p"), a_page("a", part="q"))
    hours.begin(a_page("c", part="q", parts=lacks("p", state=PartState.FAILED)))
    hours.fetch()
    with pytest.raises(FetchContinues):
        hours.publish(seconds_left=PUBLISH_SECONDS - 1)
    hours.connector = Scripted(hours.clock, pages=[], faults=[(0, AWAY)])
    hours.fetch(resumed=True)
    assert not hours.connector.bases
    second = hours.publish()[1][0]
    assert hours.ids(second) == ["p/a", "p/b", "q/c"]
    assert hours.last.records_read == {"transactions": 1}
    assert hours.since(second, first) == ["q/c", "-q/a"]


def test_a_publication_that_has_never_the_time_is_one_without_changes() -> None:
    hours = Hours()
    first = hours.after(a_page("a", "b"))
    hours.begin(a_page("a"))
    hours.fetch()
    with pytest.raises(FetchContinues):
        hours.publish(seconds_left=0)
    hours.fetch(resumed=True)
    second = hours.publish(seconds_left=0)[1][0]
    with pytest.raises(Gone):
        hours.since(second, first)
    assert hours.since(hours.after(a_page("a", "c")), second) == ["/c"]


def test_changes_are_known_for_so_many_refreshes() -> None:
    hours = Hours()
    read = [hours.after(a_page("a", str(number))) for number in range(MAX_CHANGES + 2)]
    assert len(hours.since(read[-1], read[1])) == 2 * MAX_CHANGES
    with pytest.raises(Gone):
        hours.since(read[-1], read[0])


def test_changes_are_known_for_two_weeks_and_the_last_one_whenever_it_was() -> None:
    hours = Hours()
    reads = []
    for number in range(4):
        reads.append(hours.after(a_page("a", str(number))))
        hours.clock.now += MAX_CHANGES_SECONDS * 0.6
    assert sorted(hours.since(reads[3], reads[1])) == ["-/1", "-/2", "/2", "/3"]
    with pytest.raises(Gone):
        hours.since(reads[3], reads[0])
    hours.clock.now += MAX_CHANGES_SECONDS
    last = hours.after(a_page("a"))
    assert hours.since(last, reads[3]) == ["-/3"]
    with pytest.raises(Gone):
        hours.since(last, reads[2])


def test_more_lines_than_the_disk_holds_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(increment, "MAX_COMPARED", 3)
    hours = Hours()
    reads = [hours.after(a_page(*ids)) for ids in ("ab", "a", "cd")]
    assert hours.since(reads[1], reads[0]) == ["-/b"]
    assert hours.since(reads[2], reads[1]) == ["/c", "/d", "-/a"]
    with pytest.raises(Gone):
        hours.since(hours.after(a_page(*"ef")), reads[2])


def test_changes_with_more_lines_than_the_dataset_are_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(increment, "FEW_CHANGES", 3)
    hours = Hours()
    reads = [hours.after(a_page(*ids)) for ids in ("ab", "a", "ac", "ad")]
    assert hours.since(reads[-1], reads[1]) == ["/c", "/d", "-/c"]
    with pytest.raises(Gone):
        hours.since(reads[-1], reads[0])
    whole = hours.after(a_page(*"efgh"))
    with pytest.raises(Gone):
        hours.since(whole, reads[-1])


def test_changes_bring_the_content_of_what_has_changed_and_of_nothing_else() -> None:
    def page(*large: tuple[str, bytes]) -> Page:
        records = [
            Record(id_, msgspec.Raw(b"%d" % content[0]), blob=io.BytesIO(content))
            for id_, content in large
        ]
        return Page(dataset="transactions", records=records)

    hours = Hours()
    first = hours.after(page(("a", b"1"), ("b", b"2"), ("c", b"3")))
    second = hours.after(page(("a", b"1"), ("b", b"9"), ("d", b"4")))
    third = hours.after(page(("a", b"1"), ("b", b"9"), ("d", b"5")))

    def blobs(manifest: Manifest, since: Manifest) -> list[str]:
        dataset = manifest.datasets["transactions"]
        return [blob.id for blob in select_changes(dataset, since=since.refresh_id).blobs]

    assert blobs(second, first) == ["b", "d"]
    assert (blobs(third, first), blobs(third, second)) == (["b", "d"], ["d"])
