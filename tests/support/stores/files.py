"""Suite for stores of files; see ``stores.suite``."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.errors import FetchContinues, Gone
from functions.core.model import Dataset, Part, PartState
from functions.core.ports import Page, Quarantined, ReadMode, Record
from functions.core.refresh.progress import Staged
from tests.support.scripted_connector import CONNECTION, REFRESH, a_manifest, a_page
from tests.support.stores.suite import pointer

if TYPE_CHECKING:
    from functions.core.model import Change, File
    from functions.core.refresh.ports import Staging
    from tests.support.stores.suite import Stores


class StagingBehaviour:
    """Files: each record once, whatever is fetched twice, and nothing lost at a pause."""

    def test_what_is_written_is_read_in_order(self, stores: Stores) -> None:
        staging = begun(stores)
        staging.write(a_page("a", "b", part="p", deletions=["x"]))
        staging.write(a_page("c", part="p"))
        assert ids(stores, staging) == ["a", "b", "-x", "c"]

    def test_a_record_that_its_part_has_had_is_left_out(self, stores: Stores) -> None:
        staging = begun(stores)
        staging.write(a_page("a", "b", part="p", deletions=["x"]))
        staging.write(a_page("b", "c", part="p", deletions=["x", "a"]))
        assert ids(stores, staging) == ["a", "b", "-x", "c", "-a"]

    def test_parts_do_not_share_their_ids(self, stores: Stores) -> None:
        staging = begun(stores)
        staging.write(a_page("a", part="p"))
        staging.write(a_page("a", part="q"))
        assert ids(stores, staging) == ["a", "a"]

    def test_a_record_that_comes_again_in_another_state_is_written_again(
        self, stores: Stores
    ) -> None:
        staging = begun(stores)
        for revision in ("1", "1", "2"):
            record = Record("a", msgspec.Raw(b"{}"), revision=revision)
            staging.write(Page(dataset="transactions", records=[record]))
        staging.put_aside()
        dataset = staging.datasets(refresh_id=REFRESH, as_of=1)["transactions"]
        assert [line.revision for line in stores.lines(dataset)] == ["1", "2"]

    def test_large_content_has_a_file_of_its_own_and_is_closed(self, stores: Stores) -> None:
        staging, content = begun(stores), b"large\n" * 100_000
        blobs = [io.BytesIO(content) for _ in range(2)]
        for blob in blobs:
            record = Record("a", msgspec.Raw(b"{}"), blob=blob)
            staging.write(Page(dataset="transactions", records=[record]))
        (kept,) = staging.datasets(refresh_id=REFRESH, as_of=1)["transactions"].blobs
        assert (kept.id, stores.content(kept.file)) == ("a", content)
        assert all(blob.closed for blob in blobs)

    def test_large_content_that_comes_again_in_another_state_is_there_once(
        self, stores: Stores
    ) -> None:
        staging = begun(stores)
        for revision, id_ in enumerate("aba"):
            content = io.BytesIO(b"%d" % revision)
            record = Record(id_, msgspec.Raw(b"{}"), revision=str(revision), blob=content)
            staging.write(Page(dataset="transactions", records=[record]))
        staging.put_aside()
        again = stores.staging(CONNECTION, REFRESH)
        again.resume()
        kept = again.datasets(refresh_id=REFRESH, as_of=1)["transactions"].blobs
        assert {blob.id: stores.content(blob.file) for blob in kept} == {"a": b"2", "b": b"1"}
        assert len(kept) == 2

    def test_large_contents_of_two_parts_under_one_id_are_both_there(self, stores: Stores) -> None:
        staging = begun(stores)
        for part in ("p", "q"):
            record = Record("a", msgspec.Raw(b"{}"), blob=io.BytesIO(part.encode()))
            staging.write(Page(dataset="transactions", part=part, records=[record]))
        kept = staging.datasets(refresh_id=REFRESH, as_of=1)["transactions"].blobs
        found = [(blob.part, blob.id, stores.content(blob.file)) for blob in kept]
        assert found == [("p", "a", b"p"), ("q", "a", b"q")]

    def test_what_is_kept_of_parts_comes_before_what_was_written(self, stores: Stores) -> None:
        before = begun(stores)
        before.write(a_page("a", "b", part="p", deletions=["a"]))
        before.write(a_page("a", "c", part="q"))
        for id_ in ("p", "r"):
            record = Record(id_, msgspec.Raw(b"{}"), blob=io.BytesIO(id_.encode()))
            before.write(Page(dataset="transactions", records=[record]))
        had = before.datasets(refresh_id=REFRESH, as_of=1)["transactions"]
        staging = stores.staging(CONNECTION, f"{REFRESH}+")
        staging.progress.datasets["transactions"] = Staged()
        staging.write(a_page("b", part="p"))
        staging.keep("transactions", had, parts={"p"})
        dataset = staging.datasets(refresh_id=f"{REFRESH}+", as_of=2)["transactions"]
        lines = [(line.part, line.id, line.deleted) for line in stores.lines(dataset)]
        kept = [("p", "a", False), ("p", "b", False), ("p", "a", True), ("", "p", False)]
        assert lines == [*kept, ("p", "b", False)]
        assert (dataset.records, dataset.deletions) == (4, 1)
        assert [stores.content(blob.file) for blob in dataset.blobs] == [b"p"]

    def test_what_cannot_be_opened_is_kept_apart(self, stores: Stores) -> None:
        staging = begun(stores)
        for name in ("x", "y"):
            found = Quarantined(name, name.encode())
            staging.write(Page(dataset="transactions", quarantined=[found]))
        assert staging.progress.quarantined == ["x", "y"]
        assert stores.quarantined(CONNECTION, REFRESH) == [b"x", b"y"]
        assert ids(stores, staging) == []

    def test_what_a_later_page_says_of_a_part_replaces_what_an_earlier_said(
        self, stores: Stores
    ) -> None:
        staging = begun(stores)
        for state in (PartState.STALE, PartState.FRESH):
            staging.write(a_page(parts=(Part(part="p", state=state),)))
        staging.write(a_page(parts=(Part(part="q", state=PartState.GONE),)))
        told = {part.part: part.state for part in staging.progress.parts}
        assert told == {"p": PartState.FRESH, "q": PartState.GONE}

    def test_a_pause_loses_and_doubles_nothing(self, stores: Stores) -> None:
        staging = begun(stores)
        staging.write(a_page("a", "b", part="p", cursor={"page": 1}))
        staging.put_aside()
        again = stores.staging(CONNECTION, REFRESH)
        again.resume()
        assert again.progress.cursor == {"page": 1}
        again.write(a_page("b", "c", part="p"))
        assert ids(stores, again) == ["a", "b", "c"]

    def test_after_a_pause_as_before_parts_do_not_share_their_ids(self, stores: Stores) -> None:
        staging = begun(stores)
        staging.write(a_page("a", part="p"))
        staging.write(a_page("b", part="q", cursor={"page": 1}))
        staging.put_aside()
        again = stores.staging(CONNECTION, REFRESH)
        again.resume()
        again.write(a_page("a", part="q"))
        assert ids(stores, again) == ["a", "b", "a"]

    def test_a_page_ends_the_row_of_faults(self, stores: Stores) -> None:
        staging = begun(stores)
        staging.progress.faults = 2
        staging.write(a_page("a"))
        staging.put_aside()
        assert staging.progress.faults == 0

    def test_what_came_after_the_pause_and_was_lost_is_written_again(self, stores: Stores) -> None:
        staging = begun(stores)
        staging.write(a_page("a", part="p", cursor={"page": 1}))
        staging.put_aside()
        staging.write(a_page("lost", part="p"))
        staging.datasets(refresh_id=REFRESH, as_of=1)
        again = stores.staging(CONNECTION, REFRESH)
        again.resume()
        again.write(a_page("b", part="p"))
        assert ids(stores, again) == ["a", "b"]

    def test_a_dataset_that_was_not_asked_for_is_not_written(self, stores: Stores) -> None:
        staging = begun(stores)
        staging.write(a_page("a", dataset="accounts", cursor={"page": 1}))
        assert staging.progress.cursor == {"page": 1}
        assert staging.datasets(refresh_id=REFRESH, as_of=1).keys() == {"transactions"}

    def test_the_counts_are_those_of_the_lines(self, stores: Stores) -> None:
        staging = begun(stores)
        staging.write(a_page("a", "b", "a", deletions=["x", "x"]))
        dataset = staging.datasets(refresh_id=REFRESH, as_of=7)["transactions"]
        assert (dataset.records, dataset.deletions, dataset.as_of) == (2, 1, 7)
        assert sum(file.lines for file in dataset.files) == 3

    def test_a_record_keeps_its_value_whatever_stands_in_it(self, stores: Stores) -> None:
        text = '{\n "id": "a",\r\n "amount": "-1543.00", "n": 1.10, "memo": "\\n\u2028🌱"}'.encode()
        staging = begun(stores)
        page = Page(dataset="transactions", records=[Record("a", msgspec.Raw(text))])
        staging.write(page)
        (line,) = stores.lines(staging.datasets(refresh_id=REFRESH, as_of=1)["transactions"])
        assert msgspec.json.decode(line.data) == msgspec.json.decode(text)
        assert b"1.10" in line.data

    def test_how_a_dataset_is_read_outlives_a_pause(self, stores: Stores) -> None:
        staging = begun(stores)
        told = ReadMode(incremental=True, bookmark={"at": 1.5})
        begins = {"transactions": told, "accounts": told}
        staging.write(a_page("a", read_modes=begins, cursor={"page": 1}))
        staging.put_aside()
        again = stores.staging(CONNECTION, REFRESH)
        again.resume()
        again.write(a_page("b"))
        assert again.progress.datasets["transactions"].incremental
        dataset = again.datasets(refresh_id=REFRESH, as_of=1)["transactions"]
        assert dataset.bookmark == {"at": 1.5}

    def test_data_that_a_decoder_refuses_are_read_back_as_they_are(self, stores: Stores) -> None:
        odd = rb'{"id": "a", "memo": "\ud83d"}'
        staging = begun(stores)
        staging.write(Page(dataset="transactions", records=[Record("a", msgspec.Raw(odd))]))
        staging.put_aside()
        again = stores.staging(CONNECTION, REFRESH)
        again.resume()
        again.write(a_page("a"))
        dataset = again.datasets(refresh_id=REFRESH, as_of=1)["transactions"]
        (line,) = stores.lines(dataset)
        assert line.data == odd

    def test_the_marks_of_files_are_those_of_the_last_lines(self, stores: Stores) -> None:
        staging = begun(stores)
        for id_, revision in (("a", "1"), ("b", "1"), ("c", ""), ("a", "2")):
            record = Record(id_, msgspec.Raw(b"{}"), revision=revision)
            staging.write(Page(dataset="transactions", records=[record]))
        staging.write(a_page("b", part="q"))
        staging.put_aside()
        staging.write(a_page(deletions=["b"]))
        dataset = staging.datasets(refresh_id=REFRESH, as_of=1)["transactions"]
        assert stores.snapshots.marks(dataset.files) == {
            ("", "a"): "2",
            ("", "b"): None,
            ("", "c"): "",
            ("q", "b"): "",
        }

    def test_a_manifest_is_read_where_it_was_sealed(self, stores: Stores) -> None:
        staging = begun(stores)
        first, second = (a_manifest(as_of=at) for at in (1.0, 2.0))
        places = [staging.seal(manifest) for manifest in (first, second)]
        pointers = [
            replace(pointer(REFRESH), key=key, version_id=version) for key, version in places
        ]
        assert [stores.snapshots.manifest(each) for each in pointers] == [first, second]


class DiffBehaviour:
    """What a full read has changed: lines that make of what was before what is."""

    def test_what_is_new_or_has_changed_or_is_missing_is_told(self, stores: Stores) -> None:
        before = written(stores, "ref_0", a_page(*"abc", part="p"))
        after = written(stores, REFRESH, a_page(*"dc", part="p"), replaced("b", b'{"id":"x"}'))
        assert diff(stores, after, before=before) == ["p/b", "p/d", "-p/a"]

    def test_a_read_that_changed_nothing_has_no_file(self, stores: Stores) -> None:
        page = replaced("a", b'{"n": 1.50, "s": "x", "l": [1, 2]}')
        before = written(stores, "ref_0", page, a_page(*"bc", part="p", deletions=["d"]))
        again = replaced("a", b'{"s": "x",\n"l":[1,2], "n":1.50}')
        after = written(stores, REFRESH, a_page(*"cb", part="p"), again)
        assert diff(stores, after, before=before) == []
        change = change_of(stores, after, before=before.files)
        assert (change.refresh_id, change.files, change.uncertain) == (REFRESH, (), False)

    @pytest.mark.parametrize(
        "data",
        [b'{"n": 1.5}', b'{"n": "1.50"}', b'{"n": 2}', b'{"m": 1.50}', b'"\\ud83d"', b"null"],
    )
    def test_another_value_is_a_change_however_small(self, stores: Stores, data: bytes) -> None:
        before = written(stores, "ref_0", replaced("a", b'{"n": 1.50}'))
        after = written(stores, REFRESH, replaced("a", data))
        assert diff(stores, after, before=before) == ["p/a"]

    def test_another_revision_of_the_same_data_is_a_change(self, stores: Stores) -> None:
        page = replaced("a", b"{}")
        marked = replace(page, records=[Record("a", msgspec.Raw(b"{}"), revision="2")])
        before, after = written(stores, "ref_0", page), written(stores, REFRESH, marked)
        assert diff(stores, after, before=before) == ["p/a"]

    def test_the_same_id_in_two_parts_is_two_records(self, stores: Stores) -> None:
        before = written(stores, "ref_0", a_page("a", part="p"), a_page("a", part="q"))
        after = written(stores, REFRESH, a_page("a", part="q"), a_page("a", part="r"))
        assert diff(stores, after, before=before) == ["r/a", "-p/a"]

    def test_of_two_lines_of_a_record_the_later_one_counts(self, stores: Stores) -> None:
        first, second = (replaced("a", b'{"n": %d}' % number) for number in (1, 2))
        gone = a_page(part="p", deletions=["a"])
        before = written(stores, "ref_0", rerevised(first, "1"), rerevised(second, "2"))
        after = written(stores, REFRESH, rerevised(second, "2"))
        assert diff(stores, after, before=before) == []
        assert diff(stores, written(stores, "ref_2", first, gone), before=before) == ["-p/a"]
        assert diff(stores, after, before=written(stores, "ref_3", first, gone)) == ["p/a"]

    @pytest.mark.parametrize(
        ("unsure", "told"),
        [("", "-"), ("p", "?"), ("q", "-"), ("transactions", "?")],
    )
    def test_what_is_missing_where_not_all_was_read_is_uncertain(
        self, stores: Stores, unsure: str, told: str
    ) -> None:
        before = written(stores, "ref_0", a_page(*"ab", part="p"))
        after = written(stores, REFRESH, a_page("a", part="p"))
        assert diff(stores, after, before=before, unsure={unsure}) == [f"{told}p/b"]

    def test_an_uncertain_deletion_is_settled_once_its_part_is_read(self, stores: Stores) -> None:
        before = written(stores, "ref_0", a_page(*"abc", part="p"))
        few = written(stores, "ref_1", a_page("a", part="p"))
        doubt = change_of(stores, few, before=before.files, unsure={"p"})
        assert doubt.uncertain
        known = (*doubt.files, *few.files)
        still = change_of(stores, few, before=known, unsure={"p"})
        assert (still.files, still.uncertain) == ((), False)
        back = written(stores, REFRESH, a_page(*"ab", part="p"))
        assert told(stores, change_of(stores, back, before=known)) == ["p/b", "-p/c"]

    def test_more_than_may_be_told_is_not(self, stores: Stores) -> None:
        before = written(stores, "ref_0", a_page(*"abc"))
        after = written(stores, REFRESH, a_page(*"cde"))
        assert len(diff(stores, after, before=before, most=4)) == 4
        with pytest.raises(Gone):
            diff(stores, after, before=before, most=3)

    def test_what_ends_the_time_ends_the_diff(self, stores: Stores) -> None:
        def over() -> None:
            raise FetchContinues

        after = written(stores, REFRESH, a_page("a"))
        with pytest.raises(FetchContinues):
            change_of(stores, after, before=after.files, require_time=over)


def written(stores: Stores, refresh_id: str, *pages: Page) -> Dataset:
    """A dataset of these pages."""
    staging = begun(stores, refresh_id)
    for page in pages:
        staging.write(page)
    return staging.datasets(refresh_id=refresh_id, as_of=1)["transactions"]


def replaced(id_: str, data: bytes) -> Page:
    """A page of one record with other data."""
    return Page(dataset="transactions", part="p", records=[Record(id_, msgspec.Raw(data))])


def rerevised(page: Page, revision: str) -> Page:
    """The same page with another revision of its record."""
    (record,) = page.records
    return replace(page, records=[Record(record.id, record.data, revision=revision)])


def change_of(
    stores: Stores, dataset: Dataset, *, before: tuple[File, ...], **options: Any
) -> Change:
    """What a full read has changed."""
    plain: dict[str, Any] = {"unsure": (), "most": 100, "require_time": lambda: None}
    staging = begun(stores, dataset.refresh_id)
    return staging.diff("transactions", dataset, before=before, **plain | options)


def told(stores: Stores, change: Change) -> list[str]:
    """The lines of a change, deletions last; a question mark is for one that is uncertain."""
    files = Dataset(refresh_id="", as_of=0, records=0, deletions=0, files=change.files)
    lines = stores.lines(files)
    assert change.uncertain == any(line.uncertain for line in lines)
    marks = {(False, False): "", (True, False): "-", (True, True): "?"}
    texts = [f"{marks[line.deleted, line.uncertain]}{line.part}/{line.id}" for line in lines]
    return sorted(texts, key=lambda text: (text[0] in "-?", text))


def diff(stores: Stores, dataset: Dataset, *, before: Dataset, **options: Any) -> list[str]:
    """The same of two reads."""
    return told(stores, change_of(stores, dataset, before=before.files, **options))


def begun(stores: Stores, refresh_id: str = REFRESH) -> Staging:
    """The staging of a refresh that was asked for transactions."""
    staging = stores.staging(CONNECTION, refresh_id)
    staging.progress.datasets["transactions"] = Staged()
    return staging


def ids(stores: Stores, staging: Staging) -> list[str]:
    """The lines that a reader gets; a minus marks a deletion."""
    dataset = staging.datasets(refresh_id=REFRESH, as_of=1)["transactions"]
    return [("-" if line.deleted else "") + line.id for line in stores.lines(dataset)]
