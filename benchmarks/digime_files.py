"""How fast digi.me files are fetched, opened and published, and in how much memory.

The real ``fetch_data`` door in a fresh process, against the simulator and the local AWS. The
files are JSON, compressed with brotli or gzip or not at all as the simulator deals them out;
megabytes are those of the opened payload.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import requests

from benchmarks.bench import run_door, show
from infra.local.caller import Caller
from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from infra.local.system import System

LOADS = ((10, 100_000), (1_000, 100_000), (4, 50_000_000))
TENANT = "bench"


def main(running: System) -> None:
    """Measure and print."""
    show(
        "digi.me files",
        header=("files", "bytes each", "fetch s", "MB/s", "MB per CPU second", "peak MB"),
        rows=[measured(running, files=files, size=size) for files, size in LOADS],
    )


def measured(running: System, *, files: int, size: int) -> tuple[object, ...]:
    """The figures of one fetch."""
    facts = running.providers["digime"]
    control = f"{facts['base_url']}/_simulator"
    requests.post(f"{control}/reset", timeout=10).raise_for_status()
    settings = {"scale_files": files, "scale_bytes": size, "sync_seconds": 0.1}
    requests.post(f"{control}/settings", json=settings, timeout=60).raise_for_status()
    caller = Caller(running.api, token=running.issuer.token(TENANT))
    connection_id = caller.connect(DEMOS["digime"].connection(facts, "max"))
    warm(running, connection_id)
    figures = fetched(running, connection_id)
    if figures["answer"]["records"]["files"] != files:
        raise AssertionError(f"not {files} files but {figures['answer']['records']}")
    megabytes = files * size / 1e6
    return (
        files,
        size,
        f"{figures['seconds']:.2f}",
        f"{megabytes / figures['seconds']:.0f}",
        f"{megabytes / figures['cpu_seconds']:.0f}",
        f"{figures['peak_mb']:.1f}",
    )


def warm(running: System, connection_id: str) -> None:
    """Fetch once before measuring: the simulator seals each size of file at its first use."""
    fetched(running, connection_id)


def fetched(running: System, connection_id: str) -> dict[str, Any]:
    """A whole refresh, each door in a process of its own; the fetch's figures."""
    start = {"execution": f"bench-{uuid4()}", "input": {"connection_id": connection_id}}
    ticket = run_door(running, "trigger", event=start)["answer"]
    ticket = run_door(running, "check_status", event=ticket)["answer"]
    return run_door(running, "fetch_data", event=ticket)
