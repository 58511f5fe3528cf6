"""Runs every benchmark, or those that are named; those that need a system, on one that runs.

``python -m benchmarks [--quick] [NAME ...]``. The figures go into ``benchmarks/results.json``, but
for those of a quick run, which takes small numbers and says only that all works.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks import results
from benchmarks.bench import PEERS_PYTHON, Bench
from benchmarks.peers import fetching, memory, starting, waiting
from benchmarks.polling import cost, simulation
from benchmarks.system import bulk, bulk_list, event_cost, full_read, latency, refresh_cost
from infra.local.system import synthesise, system

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.results import Result

BENCHMARKS: Final[dict[str, Callable[[Bench], Result]]] = {
    "waiting": waiting.main,
    "starting": starting.main,
    "fetch": fetching.main,
    "memory": memory.main,
    "refresh_cost": refresh_cost.main,
    "latency": latency.main,
    "bulk_list": bulk_list.main,
    "bulk": bulk.main,
}
ALONE: Final[dict[str, Callable[..., Result]]] = {
    "polling": simulation.main,
    "cost": cost.main,
    "event_cost": event_cost.main,
    "full_read": full_read.main,
}
PEERS: Final = ("airbyte-cdk", "dlt", "requests")


def main() -> None:
    """Run them in order, what needs no system first."""
    known = [*ALONE, *BENCHMARKS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--quick", action="store_true", help="small numbers, of which none is kept")
    asked = parser.parse_args()
    if strangers := set(asked.names) - set(known):
        parser.error(f"no such benchmark: {', '.join(sorted(strangers))}")
    chosen = [name for name in known if not asked.names or name in asked.names]
    for name in chosen:
        if name in ALONE:
            tell(name, ALONE[name](quick=asked.quick), keep=not asked.quick, peers={})
    if set(chosen) <= set(ALONE):
        return
    with TemporaryDirectory() as folder:
        assembly = synthesise(Path(folder) / "cdk.out")
        with system(Path(folder) / "logs", assembly=assembly) as running:
            bench = Bench(system=running, asset=asset(assembly), quick=asked.quick)
            for name in chosen:
                if name in BENCHMARKS:
                    result = BENCHMARKS[name](bench)
                    tell(name, result, keep=not asked.quick, peers=versions())


def tell(name: str, result: Result, *, keep: bool, peers: Mapping[str, str]) -> None:
    """Print the tables of a result, and keep it."""
    for title, rows in result.tables.items():
        print(f"\n### {title}\n\n{results.write_rows(rows)}", end="", flush=True)
    if keep:
        results.keep(name, result, peers=peers)


def asset(assembly: Path) -> Path:
    """The folder in an assembly from which the doors run."""
    (door,) = assembly.glob("asset.*/functions/fetch_data.py")
    return door.parents[1]


def versions() -> dict[str, str]:
    """The versions of what is compared with."""
    said = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
    done = subprocess.run(
        [PEERS_PYTHON, "-c", said, *PEERS], capture_output=True, text=True, check=True
    )
    return dict(zip(PEERS, done.stdout.split(), strict=True))


if __name__ == "__main__":
    main()
