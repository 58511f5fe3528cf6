"""Suite for stores of files; see ``stores.suite``."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from functions.core.model import Part, PartState
from functions.core.ports import Page, Quarantined, ReadMode, Record
from functions.core.refresh.progress import Staged
from tests.support.scripted_connector import CONNECTION, REFRESH, a_manifest, a_page
from tests.support.stores.suite import pointer

if TYPE_CHECKING:
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


def begun(stores: Stores) -> Staging:
    """The staging of a refresh that was asked for transactions."""
    staging = stores.staging(CONNECTION, REFRESH)
    staging.progress.datasets["transactions"] = Staged()
    return staging


def ids(stores: Stores, staging: Staging) -> list[str]:
    """The lines that a reader gets; a minus marks a deletion."""
    dataset = staging.datasets(refresh_id=REFRESH, as_of=1)["transactions"]
    return [("-" if line.deleted else "") + line.id for line in stores.lines(dataset)]
