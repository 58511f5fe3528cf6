"""Peak memory and processor time as one account grows, for those who fetch it page by page.

Banno's simulator answers at once. Growth is the peak with the most transactions by that with the
least; processor time is compared where there are the most, so that nothing is told of starting.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.peers.fetching import AIRBYTE, DLT, FRESHET, NAIVE, banno, ratio, take_turns
from benchmarks.results import Result

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.results import Row

SIZES = (45_000, 900_000)
QUICK_SIZES = (4_500, 45_000)
ROUNDS = 1


def main(bench: Bench) -> Result:
    """Measure."""
    sizes = QUICK_SIZES if bench.quick else SIZES
    clients = (NAIVE, AIRBYTE, DLT, FRESHET)
    rounds = {}
    for size in sizes:
        scenario = replace(banno(accounts=1, each=size, page_seconds=0), clients=clients)
        rounds[size] = take_turns(bench, scenario, rounds=ROUNDS)
    least, most = rounds[sizes[0]], rounds[sizes[-1]]
    rows: list[Row] = [
        {
            "client": client,
            **{
                f"peak at {size:,}, MB": round(each[client][0]["peak_mb"])
                for size, each in rounds.items()
            },
            "growth": most[client][0]["peak_mb"] / least[client][0]["peak_mb"],
            "CPU, of naive": ratio(most, client, "cpu_seconds", to=NAIVE),
        }
        for client in clients
    ]
    return Result(tables={"memory": rows}, rounds=rounds)
