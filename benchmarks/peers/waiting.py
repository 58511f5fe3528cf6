"""The time until each client notices the end of a task, and its requests until then.

Endgrate's transfers take about fourteen seconds, and then have a single page. The simulator's
ledger says when one was completed and when its page was asked for: so late it was noticed.
Airbyte's CDK polls at its own interval, the script at the same one. Freshet runs as a whole,
through its state machine, and learns: its refreshes are of one connection, one after the other.
"""

from __future__ import annotations

from statistics import mean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from benchmarks.peers.fetching import (
    AIRBYTE,
    ENDGRATE_PAGE,
    FRESHET,
    IS_PAGE,
    NAIVE,
    connection_of,
    endgrate,
    run_client,
)
from benchmarks.results import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.bench import Bench
    from benchmarks.results import Row

TASK_SECONDS: Final = (12.5, 14.0, 15.5)
"""One of each, so that no interval fits by chance."""

CYCLES: Final = 4
"""How often Freshet refreshes each of these; the first and the last cycle are told of."""


def main(bench: Bench) -> Result:
    """Measure."""
    scenario = endgrate(records=ENDGRATE_PAGE)
    caller, facts = bench.caller(), bench.system.providers["endgrate"]
    tasks = TASK_SECONDS[1:2] if bench.quick else TASK_SECONDS
    cycles = 2 if bench.quick else CYCLES
    bench.set_up("endgrate", scenario.settings)
    connection = caller.connect(connection_of(scenario, facts))

    def refresh() -> None:
        caller.wait_until_ended(caller.refresh(connection)["refresh_id"], seconds=120)

    def client(name: str) -> None:
        with TemporaryDirectory() as folder:
            run_client(bench, scenario, client=name, folder=folder)

    def time_tasks(act: Callable[[], None]) -> list[dict[str, Any]]:
        found = []
        for seconds in tasks:
            bench.set_up("endgrate", {**scenario.settings, "transfer_seconds": seconds})
            act()
            found.append(read_ledger(bench))
        return found

    refreshes = [time_tasks(refresh) for _ in range(cycles)]
    figures = {
        NAIVE: time_tasks(lambda: client(NAIVE)),
        AIRBYTE: time_tasks(lambda: client(AIRBYTE)),
        f"{FRESHET}, first {len(tasks)}": refreshes[0],
        f"{FRESHET}, after {len(tasks) * (cycles - 1)}": refreshes[-1],
    }
    rows: list[Row] = [
        {
            "client": name,
            "requests until then": float(mean(each["requests"] for each in found)),
            "noticed after, s": float(mean(each["late"] for each in found)),
        }
        for name, found in figures.items()
    ]
    return Result(tables={"waiting": rows}, rounds={**figures, "all of Freshet": refreshes})


def read_ledger(bench: Bench) -> dict[str, Any]:
    """The lateness of the ledger's one transfer, and the requests that it took."""
    ledger = bench.ledger("endgrate")
    sent = [row for row in ledger if row["kind"] == "request"]
    (ended,) = (row["at"] for row in ledger if row["kind"] == "pull_completed")
    page = next(row["at"] for row in sent if IS_PAGE["endgrate"](row["path"]))
    return {"late": round(page - ended, 3), "requests": sum(row["at"] < page for row in sent)}
