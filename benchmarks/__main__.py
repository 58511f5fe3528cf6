"""Runs every benchmark, or those that are named, on one running system."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import (
    bulk,
    bulk_list,
    digime_files,
    endgrate_pages,
    fetch_memory,
    latency,
    refresh_cost,
)
from infra.local.system import synthesise, system

BENCHMARKS = {
    "fetch_memory": fetch_memory.main,
    "refresh_cost": refresh_cost.main,
    "digime_files": digime_files.main,
    "endgrate_pages": endgrate_pages.main,
    "latency": latency.main,
    "bulk_list": bulk_list.main,
    "bulk": bulk.main,
}


def main() -> None:
    """Run them in order."""
    chosen = sys.argv[1:] or list(BENCHMARKS)
    with TemporaryDirectory() as folder:
        assembly = synthesise(Path(folder) / "cdk.out")
        with system(Path(folder) / "logs", assembly=assembly) as running:
            for name in chosen:
                BENCHMARKS[name](running)


if __name__ == "__main__":
    main()
