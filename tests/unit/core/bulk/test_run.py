"""The connections that a bulk run covers, and its end."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.bulk.model import (
    RUN_SECONDS,
    BulkOptions,
    BulkOutcome,
    BulkRequest,
    BulkRun,
    BulkStatus,
    BulkTicketOutcome,
    Result,
    refresh_id,
)
from functions.core.bulk.run import (
    AT_ONCE,
    Progress,
    check,
    close_run,
    create,
    estimate,
    keep,
    write_list,
)
from functions.core.contract import PAYLOAD_BYTES, Reason
from functions.core.errors import BulkRunning, InvalidRequest, NotFound, Superseded
from functions.core.model import Connection, SnapshotPointer, Status
from tests.support.fakes.bulk_runs import BULK, BulkHarness, a_bulk
from tests.support.fakes.stores import Clock
from tests.support.scripted_connector import TENANT, a_connection, a_refresh

NOW = Clock().now


def aged(connection_id: str, *, seconds: float) -> Connection:
    """A connection whose snapshot's oldest part is so old."""
    snapshot = SnapshotPointer(
        refresh_id="ref_0", key="k", version_id="v", published_at=NOW, as_of=NOW - seconds
    )
    return a_connection(connection_id, snapshot=snapshot)


ALL_CONNECTIONS = (
    aged("con_1", seconds=10),
    aged("con_2", seconds=3600),
    a_connection("con_3"),
    a_connection("con_4", provider="digime"),
    a_connection("con_5", tenant="another"),
)


def begun(options: BulkOptions, *, tenant: str | None = TENANT) -> BulkHarness:
    """A run over all connections, which have been listed."""
    harness = BulkHarness(*ALL_CONNECTIONS)
    bulk = a_bulk(at=NOW, options=options, tenant=tenant)
    harness.bulks.create(bulk)
    write_list(bulk, harness.ports)
    return harness


def finish(harness: BulkHarness, *ids: str) -> None:
    """These connections' refreshes have been published."""
    outcome = BulkOutcome.PUBLISHED
    results = [Result(connection_id=id_, outcome=outcome, refresh_id="ref_1") for id_ in ids]
    harness.bulks.record(harness.bulk, results)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        pytest.param(BulkOptions(), ["con_1", "con_2", "con_3", "con_4"], id="all-of-the-tenant"),
        pytest.param(BulkOptions(provider="digime"), ["con_4"], id="of-a-provider"),
        pytest.param(
            BulkOptions(older_than_seconds=60),
            ["con_2", "con_3", "con_4"],
            id="older-than-a-minute-or-without-a-snapshot",
        ),
        pytest.param(
            BulkOptions(provider="banno", older_than_seconds=3600), ["con_3"], id="both-filters"
        ),
        pytest.param(
            BulkOptions(connection_ids=("con_3", "con_1")), ["con_3", "con_1"], id="named"
        ),
    ],
)
def test_a_run_covers_the_connections_that_it_asks_for(
    options: BulkOptions, ids: list[str]
) -> None:
    harness = begun(options)
    assert list(harness.lists.read(harness.bulk)) == ids
    assert (harness.bulk.status, harness.bulk.listed, harness.bulk.total) == (
        BulkStatus.RUNNING,
        len(ids),
        len(ids),
    )


def test_a_run_passes_over_connections_that_are_paused() -> None:
    harness = BulkHarness(*(a_connection(f"con_{number}") for number in (1, 2)))
    harness.connections.change("con_1", paused=True)
    harness.bulks.create(a_bulk(at=NOW))
    write_list(harness.bulk, harness.ports)
    assert harness.lists.versions == [["con_2"]]


def test_a_run_of_the_operator_s_is_about_every_tenant() -> None:
    harness = begun(BulkOptions(provider="banno"), tenant=None)
    assert list(harness.lists.read(harness.bulk)) == ["con_1", "con_2", "con_3", "con_5"]


def test_what_is_not_there_and_what_is_another_s_are_the_same() -> None:
    harness = begun(BulkOptions(connection_ids=("con_5", "con_1", "nobody")))
    results = harness.bulks.results[BULK]
    assert results["con_5"] == replace(results["nobody"], connection_id="con_5")
    assert (results["nobody"].outcome, results["nobody"].error) == ("not_found", NotFound.name())
    assert (harness.bulk.listed, harness.bulk.total) == (1, 3)


def test_who_is_being_erased_is_not_there() -> None:
    harness = BulkHarness(*ALL_CONNECTIONS)
    harness.connections.begin_erasing("con_1")
    bulk = a_bulk(at=NOW, options=BulkOptions(connection_ids=("con_1",)))
    harness.bulks.create(bulk)
    told = write_list(bulk, harness.ports)
    assert (told.outcome, harness.bulk.total) == (BulkTicketOutcome.DONE, 1)


def test_a_run_over_no_connection_goes_through_no_list() -> None:
    harness = BulkHarness()
    harness.bulks.create(a_bulk(at=NOW))
    assert write_list(harness.bulk, harness.ports).outcome is BulkTicketOutcome.DONE


def test_a_repeated_call_lists_no_connection_anew() -> None:
    harness = begun(BulkOptions())
    before = len(harness.lists.versions)
    harness.connections.create(a_connection("con_9"), None)
    assert write_list(harness.bulk, harness.ports).listed == 4
    assert len(harness.lists.versions) == before


def test_of_two_who_list_at_once_one_is_heard_and_its_list_is_the_run_s() -> None:
    harness = BulkHarness(*ALL_CONNECTIONS)
    fresh = a_bulk(at=NOW)
    harness.bulks.create(fresh)
    write_list(fresh, harness.ports)
    harness.connections.create(a_connection("con_9"), None)
    with pytest.raises(Superseded):
        write_list(fresh, harness.ports)
    assert "con_9" not in list(harness.lists.read(harness.bulk))


def test_the_ticket_says_what_each_refresh_is_asked_for_and_when() -> None:
    harness = begun(BulkOptions(max_age_seconds=60, deadline_seconds=90, spread_seconds=7200))
    told = write_list(harness.bulk, harness.ports)
    assert told.asked == {"max_age_seconds": 60, "deadline_seconds": 90}
    assert (told.spread_seconds, told.began_ms) == (7200, int(NOW * 1000))
    assert told.version_id == harness.bulk.version_id


def test_a_ticket_is_small_however_many_are_named() -> None:
    harness = begun(BulkOptions(connection_ids=tuple(f"con_{n}" for n in range(1000))))
    assert len(msgspec.json.encode(write_list(harness.bulk, harness.ports))) < PAYLOAD_BYTES


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(BulkOptions(provider="nobody"), "There are: banno, digime.", id="nobody"),
        pytest.param(BulkOptions(provider=""), "There are: banno, digime.", id="no-name"),
        pytest.param(
            BulkOptions(provider="banno", connection_ids=("con_1",)),
            "leave out provider and older_than_seconds",
            id="of-a-provider-and-named",
        ),
        pytest.param(
            BulkRequest(older_than_seconds=0, connection_ids=("con_1",)),
            "leave out provider and older_than_seconds",
            id="old-and-named",
        ),
    ],
)
def test_what_would_be_passed_over_is_refused(options: BulkOptions, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        check(options, providers=("banno", "digime"))


def test_a_second_run_of_a_tenant_s_is_told_of_the_first() -> None:
    harness = BulkHarness()
    keep(a_bulk(at=NOW), bulk_runs=harness.bulks)
    with pytest.raises(BulkRunning, match=BULK):
        keep(a_bulk(at=NOW, bulk_id="blk_2"), bulk_runs=harness.bulks)
    close_run(harness.bulk, error="Aborted", ports=harness.ports)
    keep(a_bulk(at=NOW, bulk_id="blk_2"), bulk_runs=harness.bulks)
    assert set(harness.bulks.stored) == {BULK, "blk_2"}


def test_an_id_that_is_named_twice_is_meant_once() -> None:
    request = BulkRequest(connection_ids=("con_1", "con_2", "con_1"), tenant=TENANT)
    bulk = create(request, bulk_id=BULK, at=NOW)
    assert bulk.options.connection_ids == ("con_1", "con_2")
    assert (bulk.tenant, bulk.reason) == (TENANT, Reason.CONSOLE)


def test_a_run_whose_connections_all_have_an_outcome_is_done() -> None:
    harness = begun(BulkOptions(provider="banno"))
    finish(harness, "con_1", "con_2", "con_3")
    harness.clock.now += 7
    ended = close_run(harness.bulk, error=None, ports=harness.ports)
    assert (ended.status, ended.ended_at, ended.error) == (BulkStatus.DONE, NOW + 7, None)
    assert harness.bulk == ended
    assert harness.bulks.counts(BULK) == {BulkOutcome.PUBLISHED: 3}


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        pytest.param(None, BulkStatus.DONE, "PlatformFault", id="its-child-recorded-nothing"),
        pytest.param("Aborted", BulkStatus.FAILED, "Aborted", id="the-run-was-stopped"),
    ],
)
def test_who_has_no_outcome_and_no_refresh_in_the_end_is_listed_as_unknown(
    error: str | None, status: BulkStatus, told: str
) -> None:
    harness = begun(BulkOptions(provider="banno"))
    finish(harness, "con_2")
    assert close_run(harness.bulk, error=error, ports=harness.ports).status is status
    left = [
        Result(
            connection_id=id_,
            outcome=BulkOutcome.UNKNOWN,
            refresh_id=refresh_id(BULK, id_),
            error=told,
        )
        for id_ in ("con_1", "con_3")
    ]
    assert harness.bulks.failures(BULK, limit=9, after=None) == (left, None)
    assert sum(harness.bulks.counts(BULK).values()) == harness.bulk.total
    assert harness.stopped == []


@pytest.mark.parametrize("error", ["ABORTED", "Defect", None])
def test_what_is_under_way_when_a_run_ends_is_cancelled_and_stopped(error: str | None) -> None:
    harness = begun(BulkOptions(provider="banno"))
    finish(harness, "con_2", "con_3")
    mine = refresh_id(BULK, "con_1")
    harness.refreshes.admit(a_refresh(mine, at=NOW), until=NOW + 900)
    close_run(harness.bulk, error=error, ports=harness.ports)
    (result,) = harness.bulks.failures(BULK, limit=9, after=None)[0]
    assert (result.outcome, result.refresh_id, result.error) == (BulkOutcome.CANCELLED, mine, "")
    refresh = harness.refreshes.get(mine)
    assert refresh is not None
    assert refresh.status is Status.CANCELLED
    assert harness.stopped == [mine]
    connection = harness.connections.get("con_1")
    assert connection is not None
    assert connection.running is None


@pytest.mark.parametrize(
    ("changes", "outcome", "error"),
    [
        ({"status": Status.PUBLISHED}, BulkOutcome.PUBLISHED, ""),
        ({"status": Status.PARTIAL}, BulkOutcome.PARTIAL, ""),
        ({"status": Status.CANCELLED}, BulkOutcome.CANCELLED, ""),
        ({"status": Status.FAILED, "error": "Busy"}, BulkOutcome.FAILED, "Busy"),
    ],
)
def test_what_has_ended_and_was_not_recorded_is_told_as_it_ended(
    changes: dict[str, object], outcome: BulkOutcome, error: str
) -> None:
    harness = begun(BulkOptions(connection_ids=("con_1",)))
    mine = refresh_id(BULK, "con_1")
    harness.tables.refreshes[mine] = a_refresh(mine, at=NOW, **changes)
    close_run(harness.bulk, error="ABORTED", ports=harness.ports)
    assert harness.bulks.results[BULK]["con_1"] == Result(
        connection_id="con_1", outcome=outcome, refresh_id=mine, error=error
    )
    assert harness.stopped == []


def test_however_many_have_none_all_are_counted() -> None:
    harness = BulkHarness(*(a_connection(f"con_{n}") for n in range(2 * AT_ONCE + 1)))
    harness.bulks.create(a_bulk(at=NOW))
    write_list(harness.bulk, harness.ports)
    close_run(harness.bulk, error="Aborted", ports=harness.ports)
    assert harness.bulks.counts(BULK) == {BulkOutcome.UNKNOWN: 2 * AT_ONCE + 1}


def test_what_comes_after_the_end_changes_nothing() -> None:
    harness = begun(BulkOptions())
    close_run(harness.bulk, error="Aborted", ports=harness.ports)
    before, counts = harness.bulk, harness.bulks.counts(BULK)
    finish(harness, "con_1")
    assert close_run(harness.bulk, error=None, ports=harness.ports) == before
    assert harness.bulks.counts(BULK) == counts


def test_a_run_that_could_list_no_connection_has_failed() -> None:
    harness = BulkHarness()
    harness.bulks.create(a_bulk(at=NOW))
    ended = close_run(harness.bulk, error="Defect", ports=harness.ports)
    assert (ended.status, ended.error, ended.total) == (BulkStatus.FAILED, "Defect", 0)


def test_a_refresh_of_a_run_has_the_same_name_each_time_and_no_other_s() -> None:
    names = {refresh_id(run, one) for run in ("blk_1", "blk_2") for one in ("con_1", "con_2")}
    assert len(names) == 4
    assert refresh_id("blk_1", "con_1") in names
    assert all(len(name) == 36 for name in names)


# --- how far a run is -------------------------------------------------------------------------


def under_way(*, total: int = 100, listed: int = 100, spread: int = 0) -> BulkRun:
    return a_bulk(
        at=NOW,
        options=BulkOptions(spread_seconds=spread),
        status=BulkStatus.RUNNING,
        began_at=NOW,
        total=total,
        listed=listed,
    )


def test_nothing_is_known_of_a_run_before_its_list_and_nothing_runs_after_its_end() -> None:
    assert estimate(a_bulk(at=NOW), with_outcome=0, at=NOW, most=8) is None
    for status in (BulkStatus.DONE, BulkStatus.FAILED):
        ended = replace(under_way(), status=status)
        assert estimate(ended, with_outcome=100, at=NOW + 9, most=8) == Progress(running=0)


@pytest.mark.parametrize(
    ("with_outcome", "after", "running", "left"),
    [
        pytest.param(0, 0, 8, 0, id="at-once-no-more-run-than-may-and-the-end-is-unknown"),
        pytest.param(20, 10, 8, 40, id="it-goes-on-as-it-went-so-far"),
        pytest.param(97, 97, 3, 3, id="the-last-ones"),
        pytest.param(100, 50, 0, 0, id="all-have-an-outcome"),
    ],
)
def test_without_a_spread_the_outcomes_say_when_it_ends(
    with_outcome: int, after: float, running: int, left: float
) -> None:
    found = estimate(under_way(), with_outcome=with_outcome, at=NOW + after, most=8)
    assert found == Progress(running=running, ends_at=NOW + after + left if with_outcome else 0)


@pytest.mark.parametrize(
    ("with_outcome", "after", "running", "ends_after"),
    [
        pytest.param(0, 0, 1, 1010, id="the-first-one-begins"),
        pytest.param(48, 500, 3, 1030, id="it-keeps-up-so-the-spread-says-when-it-ends"),
        pytest.param(30, 500, 8, 500 + 70 * 500 / 30, id="it-does-not-keep-up"),
        pytest.param(98, 1100, 2, 1100 + 2 * 1100 / 98, id="all-have-begun"),
    ],
)
def test_with_a_spread_the_list_says_how_many_have_begun(
    with_outcome: int, after: float, running: int, ends_after: float
) -> None:
    bulk = under_way(spread=1000)
    found = estimate(bulk, with_outcome=with_outcome, at=NOW + after, most=8)
    assert found is not None
    assert found.running == running
    assert found.ends_at == pytest.approx(NOW + ends_after)


def test_who_was_named_and_is_not_there_has_an_outcome_but_no_refresh() -> None:
    bulk = under_way(total=12, listed=2)
    assert estimate(bulk, with_outcome=10, at=NOW, most=8) == Progress(running=2)
    assert estimate(bulk, with_outcome=11, at=NOW + 5, most=8) == Progress(
        running=1, ends_at=NOW + 10
    )


def test_no_run_is_said_to_end_later_than_it_may() -> None:
    found = estimate(under_way(), with_outcome=1, at=NOW + RUN_SECONDS / 2, most=8)
    assert found is not None
    assert found.ends_at == NOW + RUN_SECONDS
