"""Suites for stores of bulk runs, the fakes and the adapters alike; see ``stores.suite``.

A room that runs these has a fixture ``store`` that gives a fresh ``BulkStore``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest
from msgspec.structs import replace

from functions.core.bulk.model import OPEN_SECONDS, BulkOptions, BulkOutcome, BulkStatus, Result
from functions.core.bulk.ports import BulkRuns
from functions.core.contract import Reason
from functions.core.errors import Superseded
from functions.core.idempotency import Claim, Key
from tests.support.fakes.bulk_runs import BULK, a_bulk
from tests.support.scripted_connector import TENANT

if TYPE_CHECKING:
    from functions.core.bulk.model import BulkRun
    from functions.core.bulk.ports import BulkLists
    from functions.core.idempotency import Keys
    from functions.core.refresh.history import Line, Place

AT = 1_800_000_000.25
KEY = Key(name="f" * 64, digest="d1")


class RunKeeper(BulkRuns, Protocol):
    """Everything that the adapter for runs can do."""

    def of_tenant(self, tenant: str) -> Line[BulkRun]: ...


@dataclass(frozen=True, kw_only=True)
class BulkStore:
    """Empty stores of runs and their lists."""

    bulks: RunKeeper
    lists: BulkLists
    keys: Keys


def failed(connection_id: str, outcome: BulkOutcome = BulkOutcome.FAILED) -> Result:
    return Result(
        connection_id=connection_id, outcome=outcome, refresh_id="ref_1", error="ReauthRequired"
    )


def published(connection_id: str) -> Result:
    return Result(connection_id=connection_id, outcome=BulkOutcome.PUBLISHED, refresh_id="ref_1")


class BulkBehaviour:
    """Runs: moved on by who has seen where they are; outcomes: written once and counted."""

    def test_a_run_is_read_as_it_was_kept(self, store: BulkStore) -> None:
        named = a_bulk(at=AT, options=BulkOptions(connection_ids=("con_1", "con_2")))
        assert store.bulks.get(BULK) is None
        assert store.bulks.create(named) == BULK
        assert store.bulks.get(BULK) == named

    def test_an_id_is_taken_once_and_its_repetition_changes_nothing(self, store: BulkStore) -> None:
        for _ in ("once", "its answer was lost"):
            assert store.bulks.create(a_bulk(at=AT)) == BULK
        with pytest.raises(Superseded):
            store.bulks.create(a_bulk(at=AT + 1))
        assert store.bulks.get(BULK) == a_bulk(at=AT)

    def test_only_who_has_seen_where_a_run_is_moves_it_on(self, store: BulkStore) -> None:
        kept = a_bulk(at=AT)
        store.bulks.create(kept)
        running = replace(kept, status=BulkStatus.RUNNING, total=7, listed=7)
        store.bulks.save(running, seen=BulkStatus.LISTING)
        store.bulks.save(running, seen=BulkStatus.LISTING)
        with pytest.raises(Superseded):
            store.bulks.save(replace(running, total=8), seen=BulkStatus.LISTING)
        assert store.bulks.get(BULK) == running

    def test_what_was_never_kept_is_not_moved_on(self, store: BulkStore) -> None:
        with pytest.raises(Superseded):
            store.bulks.save(a_bulk(at=AT), seen=BulkStatus.LISTING)

    def test_outcomes_are_counted_once_however_often_they_are_written(
        self, store: BulkStore
    ) -> None:
        bulk = a_bulk(at=AT)
        results = [published("con_1"), published("con_2"), failed("con_3")]
        for _ in range(2):
            store.bulks.record(bulk, results)
        store.bulks.record(bulk, [failed("con_1"), failed("con_4", BulkOutcome.NOT_FOUND)])
        assert store.bulks.counts(BULK) == {
            BulkOutcome.PUBLISHED: 2,
            BulkOutcome.FAILED: 1,
            BulkOutcome.NOT_FOUND: 1,
        }

    def test_a_run_without_outcomes_has_no_counts(self, store: BulkStore) -> None:
        store.bulks.create(a_bulk(at=AT))
        assert store.bulks.counts(BULK) == {}

    def test_more_outcomes_than_fit_into_a_transaction_are_all_counted(
        self, store: BulkStore
    ) -> None:
        bulk = a_bulk(at=AT)
        store.bulks.record(bulk, (published(f"con_{n}") for n in range(150, 160)))
        store.bulks.record(bulk, (published(f"con_{n}") for n in range(250)))
        assert store.bulks.counts(BULK) == {BulkOutcome.PUBLISHED: 250}

    def test_it_is_known_who_has_an_outcome(self, store: BulkStore) -> None:
        bulk = a_bulk(at=AT)
        store.bulks.record(bulk, [published("con_1"), failed("con_2")])
        ids = [f"con_{number}" for number in range(90)]
        assert store.bulks.find_recorded(BULK, ids) == {"con_1", "con_2"}

    def test_failures_are_paged_through_by_connection(self, store: BulkStore) -> None:
        bulk = a_bulk(at=AT)
        bad = [failed(f"con_{number}") for number in range(5)]
        store.bulks.record(bulk, [*reversed(bad), published("con_0a"), published("con_9")])
        found: list[Result] = []
        after: str | None = None
        while True:
            page, after = store.bulks.failures(BULK, limit=2, after=after)
            assert len(page) <= 2
            found += page
            if after is None:
                break
        assert found == bad

    def test_one_run_knows_nothing_of_another(self, store: BulkStore) -> None:
        store.bulks.record(a_bulk(at=AT), [failed("con_1")])
        assert store.bulks.counts("blk_2") == {}
        assert store.bulks.find_recorded("blk_2", ["con_1"]) == set()
        assert store.bulks.failures("blk_2", limit=9, after=None) == ([], None)

    @pytest.mark.parametrize("id_", ["bulk", "count#1", "of#con_1", "\u2615 #", "x" * 64])
    def test_any_name_can_be_the_id_of_what_is_not_there(self, store: BulkStore, id_: str) -> None:
        bulk = a_bulk(at=AT)
        store.bulks.create(bulk)
        missing = failed(id_, BulkOutcome.NOT_FOUND)
        store.bulks.record(bulk, [missing])
        assert store.bulks.failures(BULK, limit=9, after=None) == ([missing], None)
        assert store.bulks.counts(BULK) == {BulkOutcome.NOT_FOUND: 1}
        assert store.bulks.get(BULK) == bulk


class PlaceBehaviour:
    """A tenant has one run under way at a time; a key is noted by the run that it stands for."""

    def test_who_has_a_run_under_way_gets_no_other(self, store: BulkStore) -> None:
        store.bulks.create(a_bulk(at=AT))
        for at in (AT, AT + OPEN_SECONDS - 1):
            assert store.bulks.create(a_bulk(at=at, bulk_id="blk_2")) == BULK
        assert store.bulks.get("blk_2") is None

    @pytest.mark.parametrize("status", [BulkStatus.DONE, BulkStatus.FAILED])
    def test_a_run_leaves_its_place_as_it_ends_and_not_before(
        self, store: BulkStore, status: BulkStatus
    ) -> None:
        kept = a_bulk(at=AT)
        store.bulks.create(kept)
        running = replace(kept, status=BulkStatus.RUNNING)
        store.bulks.save(running, seen=BulkStatus.LISTING)
        assert store.bulks.create(a_bulk(at=AT, bulk_id="blk_2")) == BULK
        for _ in ("once", "its answer was lost"):
            store.bulks.save(replace(kept, status=status), seen=BulkStatus.RUNNING)
        assert store.bulks.create(a_bulk(at=AT, bulk_id="blk_2")) == "blk_2"
        assert store.bulks.create(a_bulk(at=AT, bulk_id="blk_3")) == "blk_2"

    def test_a_run_that_nothing_closes_keeps_its_place_no_longer_than_its_time(
        self, store: BulkStore
    ) -> None:
        lost, late = a_bulk(at=AT), a_bulk(at=AT + OPEN_SECONDS + 1, bulk_id="blk_2")
        store.bulks.create(lost)
        assert store.bulks.create(late) == "blk_2"
        for _ in ("once", "its answer was lost"):
            store.bulks.save(replace(lost, status=BulkStatus.FAILED), seen=BulkStatus.LISTING)
        other = a_bulk(at=late.requested_at, bulk_id="blk_3")
        assert store.bulks.create(other) == "blk_2"
        assert store.bulks.get(BULK) == replace(lost, status=BulkStatus.FAILED)

    def test_a_place_is_its_tenant_s_alone(self, store: BulkStore) -> None:
        store.bulks.create(a_bulk(at=AT))
        assert store.bulks.create(a_bulk(at=AT, bulk_id="blk_2", tenant="another")) == "blk_2"

    @pytest.mark.parametrize("tenant", [TENANT, None])
    @pytest.mark.parametrize("reason", [Reason.CONSOLE, Reason.SCHEDULE])
    def test_what_an_operator_starts_takes_no_place_and_needs_none(
        self, store: BulkStore, tenant: str | None, reason: Reason
    ) -> None:
        store.bulks.create(a_bulk(at=AT))
        for id_ in ("blk_2", "blk_3"):
            own = a_bulk(at=AT, bulk_id=id_, tenant=tenant, reason=reason)
            assert store.bulks.create(own) == id_
        store.bulks.save(replace(own, status=BulkStatus.DONE), seen=BulkStatus.LISTING)
        assert store.bulks.create(a_bulk(at=AT, bulk_id="blk_4")) == BULK

    def test_a_run_notes_the_key_as_it_is_kept(self, store: BulkStore) -> None:
        for _ in ("once", "its answer was lost"):
            assert store.bulks.create(a_bulk(at=AT), key=KEY) == BULK
        assert store.keys.get(KEY.name, at=AT) == Claim(digest=KEY.digest, resource_id=BULK)

    def test_a_run_that_finds_no_place_notes_no_key(self, store: BulkStore) -> None:
        store.bulks.create(a_bulk(at=AT))
        assert store.bulks.create(a_bulk(at=AT, bulk_id="blk_2"), key=KEY) == BULK
        assert store.keys.get(KEY.name, at=AT) is None

    def test_a_key_that_is_noted_lets_no_run_be_kept(self, store: BulkStore) -> None:
        store.keys.claim(KEY.name, Claim(digest="d2", resource_id="blk_2"), at=AT)
        with pytest.raises(Superseded):
            store.bulks.create(a_bulk(at=AT), key=KEY)
        assert store.bulks.get(BULK) is None
        assert store.bulks.create(a_bulk(at=AT, bulk_id="blk_3")) == "blk_3"


class TenantBehaviour:
    """A tenant's runs in their order, newest first."""

    def test_a_tenant_pages_through_its_own_runs_newest_first(self, store: BulkStore) -> None:
        for number, tenant in enumerate((TENANT, TENANT, "another", TENANT, None, TENANT)):
            store.bulks.create(an_operator_s(number, tenant=tenant))
        for limit in (1, 2, 3, 9):
            assert read(store.bulks.of_tenant(TENANT), limit=limit) == ["r5", "r3", "r1", "r0"]
            assert read(store.bulks.of_tenant("another"), limit=limit) == ["r2"]
            assert read(store.bulks.of_tenant("another one"), limit=limit) == []

    def test_runs_of_one_moment_are_all_listed(self, store: BulkStore) -> None:
        for number in range(5):
            store.bulks.create(replace(an_operator_s(number, tenant=TENANT), requested_at=AT))
        found = read(store.bulks.of_tenant(TENANT), limit=2)
        assert found == ["r4", "r3", "r2", "r1", "r0"]

    def test_a_place_in_another_tenant_s_list_leads_on_in_one_s_own(self, store: BulkStore) -> None:
        for number, tenant in enumerate((TENANT, TENANT, "another", "another")):
            store.bulks.create(an_operator_s(number, tenant=tenant))
        _, theirs = store.bulks.of_tenant("another")(limit=1, after=None)
        found, _ = store.bulks.of_tenant(TENANT)(limit=9, after=theirs)
        assert [bulk.bulk_id for bulk in found] == ["r1", "r0"]

    def test_a_run_is_listed_as_it_stands_and_its_place_is_none(self, store: BulkStore) -> None:
        kept = a_bulk(at=AT)
        for _ in ("once", "its answer was lost"):
            store.bulks.create(kept)
        running = replace(kept, status=BulkStatus.RUNNING, total=7)
        store.bulks.save(running, seen=BulkStatus.LISTING)
        assert store.bulks.of_tenant(TENANT)(limit=9, after=None) == ([running], None)

    def test_a_run_that_found_no_place_is_not_listed(self, store: BulkStore) -> None:
        store.bulks.create(a_bulk(at=AT))
        store.bulks.create(a_bulk(at=AT + 1, bulk_id="blk_2"))
        assert read(store.bulks.of_tenant(TENANT), limit=9) == [BULK]


def an_operator_s(number: int, *, tenant: str | None) -> BulkRun:
    """A run that needs no place, some seconds after the one of the number before."""
    return a_bulk(at=AT + number, bulk_id=f"r{number}", tenant=tenant, reason=Reason.CONSOLE)


def read(line: Line[BulkRun], *, limit: int) -> list[str]:
    """The ids of a whole list, read page by page."""
    ids: list[str] = []
    after: Place | None = None
    while True:
        page, after = line(limit=limit, after=after)
        assert len(page) <= limit
        ids += [bulk.bulk_id for bulk in page]
        if after is None:
            return ids


class ListBehaviour:
    """Lists: read as they were written, in the version that a run goes by."""

    def test_a_list_is_read_in_the_version_that_was_written(self, store: BulkStore) -> None:
        first = store.lists.write(BULK, iter(["con_2", "con_1"]))
        second = store.lists.write(BULK, ["con_3"])
        for listed, ids in ((first, ["con_2", "con_1"]), (second, ["con_3"])):
            assert listed.count == len(ids)
            bulk = a_bulk(at=AT, listed=listed.count, version_id=listed.version_id)
            assert list(store.lists.read(bulk)) == ids

    def test_an_empty_list_is_a_list(self, store: BulkStore) -> None:
        listed = store.lists.write(BULK, [])
        assert listed.count == 0
        assert list(store.lists.read(a_bulk(at=AT))) == []
