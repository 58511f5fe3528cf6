"""Peak memory of ``fetch_data`` as the number of transactions grows.

The real door in a fresh process, against the simulator and the local AWS; trigger and check run
in processes of their own, so that the peak is the fetch's. Each size three times, interleaved.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import requests

from benchmarks.bench import run_door, show
from infra.local.caller import Caller
from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from infra.local.system import System

SIZES = (500, 5_000, 50_000)
ROUNDS = 3


def main(running: System) -> None:
    """Measure and print."""
    figures: dict[int, list[dict[str, Any]]] = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        for size in SIZES:
            figures[size].append(fetched(running, size))
    least = median(one["peak_mb"] for one in figures[SIZES[0]])
    show(
        "Peak memory of fetch_data",
        header=("transactions", "peak MB", "growth MB", "fetch s", "cpu s"),
        rows=[
            (
                size,
                f"{median(one['peak_mb'] for one in ones):.1f}",
                f"{median(one['peak_mb'] for one in ones) - least:+.1f}",
                f"{median(one['seconds'] for one in ones):.2f}",
                f"{median(one['cpu_seconds'] for one in ones):.2f}",
            )
            for size, ones in figures.items()
        ],
    )


def fetched(running: System, size: int) -> dict[str, Any]:
    """The figures of one fetch of so many transactions."""
    facts = running.providers["banno"]
    control = f"{facts['base_url']}/_simulator"
    settings = {"scale_transactions": size, "scale_accounts": 1, "task_seconds": 0.1}
    requests.post(f"{control}/settings", json=settings, timeout=10).raise_for_status()
    caller = Caller(running.api, token=running.issuer.token("bench"))
    connection_id = caller.connect(DEMOS["banno"].connection(facts, "max"))
    start = {"execution": f"bench-{uuid4()}", "input": {"connection_id": connection_id}}
    ticket = run_door(running, "trigger", event=start)["answer"]
    ticket = run_door(running, "check_status", event=ticket)["answer"]
    figures = run_door(running, "fetch_data", event=ticket)
    if figures["answer"]["records"]["transactions"] != size:
        raise AssertionError(f"not {size} transactions but {figures['answer']['records']}")
    return figures
