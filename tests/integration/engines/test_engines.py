"""The synthesised state machine does the same on two engines that share no interpreter."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from functions.connectors.banno.ahead import AT_ONCE
from functions.core.bulk.model import BulkOutcome, refresh_id
from functions.core.bulk.run import close_run, write_list
from functions.core.contract import HOLD_SECONDS, LOOK_HOLD_SECONDS
from functions.core.errors import NotFound
from functions.core.model import Coverage, Status
from tests.support.engines.engine import (
    OWN_NAME,
    Ended,
    Engine,
    emulator_engine,
    moto_engine,
    until,
)
from tests.support.fakes.bulk_runs import BulkHarness, a_bulk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from functions.core.model import Connection

QUICK_SECONDS = 0.5

BEGIN = ("Trigger", "CheckStatus", "What next?")
TURN = ("CheckStatus", "What next?")
BEN = {"accounts": 3, "transactions": 0}
ADA = {"accounts": 12, "transactions": 5000}
PAGES = "/accounts/*/transactions"
PAGES_ASKED = "/accounts/[^/]*/transactions"
PAGES_OF_ADA = 29


@pytest.fixture(scope="module")
def engines(
    assembly: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Engine]]:
    folder = tmp_path_factory.mktemp("engines")
    with (
        emulator_engine(folder / "emulator", assembly=assembly) as emulator,
        moto_engine(folder / "moto", assembly=assembly) as moto,
    ):
        yield {"emulator": emulator, "moto": moto}


@pytest.fixture(params=["emulator", "moto"])
def engine(engines: Mapping[str, Engine], request: pytest.FixtureRequest) -> Engine:
    found = engines[request.param]
    found.simulator.settings(task_seconds=QUICK_SECONDS)
    return found


def refreshed(engine: Engine, connection: Connection) -> Ended:
    return engine.wait_until_ended(engine.start({"connection_id": connection.connection_id}))


def published(
    visited: Sequence[str],
    records: Mapping[str, int],
    *,
    gone: int = 0,
    failures: Sequence[str] = (),
) -> Ended:
    coverage = Coverage(fresh=records["accounts"], gone=gone)
    return Ended(
        status="SUCCEEDED",
        visited=[*visited],
        failures=[*failures],
        output={
            "refresh_id": OWN_NAME,
            "status": "published",
            "records_read": records,
            "coverage": msgspec.to_builtins(coverage),
        },
    )


def failed(visited: Sequence[str], failures: Sequence[str]) -> Ended:
    return Ended(
        status="FAILED", visited=[*visited], failures=[*failures], error=failures[-1], output=None
    )


def is_whole(engine: Engine, connection: Connection) -> bool:
    """True if each of Ada's transactions stands in the snapshot, and stands there once."""
    ids = [
        line.id
        for line in engine.read_published(connection.connection_id, "transactions")
        if not line.deleted
    ]
    return len(ids) == len(set(ids)) == ADA["transactions"]


def test_a_refresh_within_the_hold_visits_four_states(engine: Engine) -> None:
    ada = engine.connect("ada")
    assert refreshed(engine, ada) == published([*BEGIN, "FetchData"], ADA, gone=1)
    assert is_whole(engine, ada)


def test_a_look_that_is_due_later_is_waited_for_in_the_machine(engine: Engine) -> None:
    ben = engine.connect("ben")
    long = str(LOOK_HOLD_SECONDS + 1)
    engine.fault(ben, "/tasks/*", kind="status", status=503, retry_after=long)
    assert refreshed(engine, ben) == published([*BEGIN, "Wait", *TURN, "FetchData"], BEN)


def test_a_provider_that_cannot_be_asked_now_is_asked_again(engine: Engine) -> None:
    ada = engine.connect("ada")
    engine.fault(ada, "/fetch", kind="status", status=503)
    visited = [*BEGIN, "WaitToTrigger", *BEGIN, "FetchData"]
    assert refreshed(engine, ada) == published(visited, ADA, gone=1)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({}, "InvalidRequest"),
        ([], "InvalidRequest"),
        ("con_1", "InvalidRequest"),
        ({"connection_id": 7}, "InvalidRequest"),
        ({"connection_id": None}, "InvalidRequest"),
        ({"connection_id": {"type": "string"}}, "InvalidRequest"),
        ({"connection_id": "con_1", "conection": "con_1"}, "InvalidRequest"),
        ({"connection_id": "con_1", "refresh_id": "another"}, "InvalidRequest"),
        ({"connection_id": 'con_nobody\'s "own" \\ name'}, "NotFound"),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_served_fails_under_its_own_name(
    engine: Engine, *, request_: object, error: str
) -> None:
    assert engine.wait_until_ended(engine.start(request_)) == failed(
        ["Trigger", "Conclude"], [error] * 2
    )


def test_a_user_who_must_act_fails_the_execution_by_name(engine: Engine) -> None:
    dora = engine.connect("dora")
    assert refreshed(engine, dora) == failed([*BEGIN, "Conclude"], ["InteractionRequired"])


def test_a_short_pause_in_the_middle_of_the_fetch_is_slept_through(engine: Engine) -> None:
    ada, since = engine.connect("ada"), time.time()
    engine.fault(ada, PAGES, kind="status", status=503, skip=4)
    assert refreshed(engine, ada) == published([*BEGIN, "FetchData"], ADA, gone=1)
    assert is_whole(engine, ada)
    asked = engine.count_requests(ada, PAGES_ASKED, since=since)
    # Pages asked for ahead of the pause come again; some are asked for behind the ends of lists.
    assert PAGES_OF_ADA < asked <= PAGES_OF_ADA + 2 * AT_ONCE


def test_a_long_pause_in_the_middle_of_the_fetch_doubles_and_loses_nothing(
    engine: Engine,
) -> None:
    ada, since = engine.connect("ada"), time.time()
    long = str(HOLD_SECONDS + 1)
    engine.fault(ada, PAGES, kind="status", status=503, retry_after=long, skip=4)
    visited = [*BEGIN, "FetchData", "Wait", *TURN, "FetchData"]
    assert refreshed(engine, ada) == published(visited, ADA, gone=1, failures=["FetchWaits"])
    assert is_whole(engine, ada)
    asked = engine.count_requests(ada, PAGES_ASKED, since=since)
    # Pages asked for ahead of the pause come again; some are asked for behind the ends of lists.
    assert PAGES_OF_ADA < asked <= PAGES_OF_ADA + 2 * AT_ONCE


def test_two_starts_at_once_are_one_refresh(engine: Engine) -> None:
    engine.simulator.settings(task_seconds=3)
    ada, since = engine.connect("ada"), time.time()
    request = {"connection_id": ada.connection_id}
    with ThreadPoolExecutor() as pool:
        executions = list(pool.map(engine.start, [request] * 2))
        ended = list(pool.map(engine.wait_until_ended, executions))
    (joined, _), (ran, execution) = sorted(
        zip(ended, executions, strict=True), key=lambda each: each[0].visited[-1]
    )
    assert ran == published([*BEGIN, "FetchData"], ADA, gone=1)
    assert joined == Ended(
        status="SUCCEEDED",
        visited=[*BEGIN, "Conclude"],
        failures=[],
        output={"refresh_id": execution.rpartition(":")[2], "outcome": "joined"},
    )
    assert engine.count_requests(ada, "/fetch", since=since) == 1


def test_what_a_run_has_under_way_is_cancelled_and_stopped_when_it_is_closed(
    engine: Engine,
) -> None:
    engine.simulator.settings(task_seconds=5)
    ada = engine.connect("ada")
    harness = BulkHarness(ada)
    bulk = a_bulk(at=harness.clock(), bulk_id=f"blk_{uuid.uuid4().hex}", tenant=ada.tenant)
    harness.bulks.create(bulk)
    write_list(bulk, harness.ports)
    name = refresh_id(bulk.bulk_id, ada.connection_id)
    execution = engine.start({"connection_id": ada.connection_id}, name=name)
    refreshes = engine.refreshes()
    until(lambda: refreshes.get(name), lambda it: it and it.status is Status.RUNNING)
    ports = replace(harness.ports, refreshes=refreshes, stop=engine.executions().stop)
    close_run(harness.bulks.stored[bulk.bulk_id], error="ABORTED", ports=ports)

    assert engine.wait_until_ended(execution).status == "ABORTED"
    assert harness.bulks.counts(bulk.bulk_id) == {BulkOutcome.CANCELLED: 1}
    time.sleep(6)
    found = refreshes.get(name)
    assert found is not None
    assert found.status is Status.CANCELLED
    with pytest.raises(NotFound):
        engine.read_published(ada.connection_id, "accounts")


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the door's process in /proc")
def test_a_door_that_dies_in_the_middle_of_the_fetch_is_called_again(engine: Engine) -> None:
    ada, since = engine.connect("ada"), time.time()
    engine.fault(ada, PAGES, kind="slow", seconds=20, skip=4)
    execution = engine.start({"connection_id": ada.connection_id})
    until(
        lambda: engine.count_requests(ada, PAGES_ASKED, since=since), lambda requests: requests > 4
    )
    engine.kill("fetch_data")
    assert engine.wait_until_ended(execution) == published(
        [*BEGIN, "FetchData"], ADA, gone=1, failures=["Runtime.ExitError"]
    )
    assert is_whole(engine, ada)
