"""Everything that was fetched, published at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.core.errors import Defect, Gone, Superseded
from functions.core.model import Coverage, Part, PartState, Status
from functions.core.refresh.fetch import publish
from functions.core.refresh.steps import failed
from tests.support.fetch_harness import PAGES, PARTS, TRANSACTIONS, Hall
from tests.support.scripted_connector import REFRESH, Scripted, a_page

if TYPE_CHECKING:
    from functions.core.model import SnapshotPointer


def test_every_page_is_fetched_and_every_record_published_once() -> None:
    hall = Hall()
    hall.fetch()
    ended, (manifest, *_) = hall.publish()
    assert hall.read(manifest.datasets["accounts"]) == ["/checking", "/savings"]
    assert hall.read(manifest.datasets["transactions"]) == TRANSACTIONS
    assert ended.records == {"accounts": 2, "transactions": 4}


def test_a_stale_part_makes_the_refresh_partial_and_the_snapshot_as_old_as_it() -> None:
    hall = Hall()
    hall.fetch()
    ended, (manifest, *_) = hall.publish()
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
    parts: tuple[PartState, ...], as_of: float
) -> None:
    hall = Hall(pages=(replace(PAGES[0], parts=parts), *PAGES[1:]))
    hall.fetch()
    ended, (manifest, *_) = hall.publish()
    assert (ended.status, manifest.as_of) == (Status.PUBLISHED, as_of)


def test_a_part_of_unknown_age_makes_the_age_unknown() -> None:
    unknown = PartState(part="new", state=Part.STALE)
    hall = Hall(pages=(replace(PAGES[0], parts=(*PARTS, unknown)),))
    hall.fetch()
    assert hall.publish()[1][0].as_of == 0


def test_datasets_not_asked_for_stand_as_the_snapshot_before_has_them() -> None:
    hall = Hall()
    hall.fetch()
    _, (first, *_) = hall.publish()
    hall.clock.now += 50
    hall.admit("ref_2", datasets=("accounts",))
    hall.connector = Scripted(
        hall.clock, pages=(a_page("other", dataset="accounts", parts=PARTS[:1]),)
    )
    hall.fetch()
    ended, kept = hall.publish()
    assert kept == [hall.snapshots.manifest(pointer_of(hall)), first]
    assert kept[0].datasets["transactions"].files == first.datasets["transactions"].files
    assert hall.read(kept[0].datasets["accounts"]) == ["/other"]
    assert kept[0].as_of == first.as_of
    assert (ended.status, ended.as_of) == (Status.PUBLISHED, PARTS[0].as_of)


def test_a_dataset_that_failed_as_a_whole_stands_as_the_snapshot_before_has_it() -> None:
    hall = Hall()
    hall.fetch()
    _, (first, *_) = hall.publish()
    hall.admit("ref_2", datasets=("accounts", "transactions"))
    lost = PartState(part="transactions", state=Part.FAILED, why="upstream")
    hall.connector = Scripted(
        hall.clock,
        pages=(
            a_page("other", dataset="accounts", parts=PARTS[:1]),
            replace(a_page(dataset="transactions"), parts=(lost,)),
        ),
    )
    hall.fetch()
    ended, (second, *_) = hall.publish()
    assert second.datasets["transactions"].files == first.datasets["transactions"].files
    assert ended.status is Status.PARTIAL
    assert ended.records == {"accounts": 1, "transactions": 0}


def test_a_dataset_that_failed_and_never_came_before_has_no_age() -> None:
    lost = PartState(part="transactions", state=Part.FAILED, why="upstream")
    hall = Hall(pages=(a_page("a", dataset="accounts", parts=(*PARTS[:1], lost)),))
    hall.fetch()
    _, (manifest, *_) = hall.publish()
    accounts, transactions = manifest.datasets.values()
    assert (accounts.as_of, transactions.as_of) == (PARTS[0].as_of, 0)
    assert manifest.as_of == accounts.as_of


def pointer_of(hall: Hall) -> SnapshotPointer:
    assert hall.connection.snapshot is not None
    return hall.connection.snapshot


def test_the_connection_points_to_what_was_published() -> None:
    hall = Hall()
    hall.fetch()
    _, (manifest, *_) = hall.publish()
    pointer = pointer_of(hall)
    assert hall.snapshots.manifest(pointer) == manifest
    assert (pointer.refresh_id, pointer.as_of) == (REFRESH, manifest.as_of)
    assert pointer.datasets == ("accounts", "transactions")
    assert hall.connection.running is None


def test_a_snapshot_that_cannot_be_read_any_more_is_replaced() -> None:
    hall = Hall()
    hall.fetch()
    hall.publish()
    hall.objects.forget(pointer_of(hall).key)
    with pytest.raises(Gone):
        hall.snapshots.manifest(pointer_of(hall))
    hall.admit("ref_2")
    hall.fetch()
    _, kept = hall.publish()
    assert [manifest.refresh_id for manifest in kept] == ["ref_2"]
    assert pointer_of(hall).refresh_id == "ref_2"


def test_a_publication_happens_once() -> None:
    hall = Hall()
    before = hall.refresh
    hall.fetch()
    hall.publish()
    pointer = hall.connection.snapshot
    with pytest.raises(Superseded):
        publish(
            hall.ticket,
            refresh=before,
            connection=hall.connection,
            staging=hall.staging,
            snapshots=hall.snapshots,
            refreshes=hall.refreshes,
            clock=hall.clock,
        )
    assert hall.connection.snapshot == pointer


def test_a_refresh_that_was_ended_meanwhile_publishes_nothing() -> None:
    hall = Hall()
    hall.fetch()
    zombie = hall.refresh
    hall.refreshes.save(failed(zombie, Defect, at=0), seen=zombie.version)
    hall.refreshes.release(zombie)
    with pytest.raises(Superseded):
        hall.publish()
    assert hall.connection.snapshot is None
