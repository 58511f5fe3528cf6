"""How long 400 pages of Endgrate take, against a client that only reads them.

The real ``fetch_data`` door and the bare client take turns, each in a fresh process, on the same
records: 100,000 in pages of 250, each of which the simulator holds back for 50 ms. Endgrate
documents no rate limit and no order of the records, and says to follow each page to the next, so
that one request at a time is all that anyone may send: the bare client's time is the least that
there can be.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import requests

from benchmarks.bench import run_bare, run_door, show
from infra.local.caller import Caller

if TYPE_CHECKING:
    from infra.local.system import System

RECORDS, PAGE = 100_000, 250
PAGE_SECONDS = 0.05
ROUNDS = 3
TYPE = "analytics-page_views"
SESSION = "reed"


def main(running: System) -> None:
    """Measure and print."""
    connection_id = connected(running)
    doors, bare = [], []
    for _ in range(ROUNDS):
        ticket = completed(running, connection_id)
        bare.append(read(running, transfer_id=ticket["job"]["transfer_0"]))
        doors.append(fetched(running, ticket))
    least = median(bare)
    taken = median(one["seconds"] for one in doors)
    show(
        "Pages of Endgrate, one after the other",
        header=("", "seconds", "ms per page", "cpu s", "peak MB", "ratio"),
        rows=[
            ("bare client", f"{least:.2f}", f"{least / pages() * 1000:.1f}", "", "", "1.00"),
            (
                "fetch_data",
                f"{taken:.2f}",
                f"{taken / pages() * 1000:.1f}",
                f"{median(one['cpu_seconds'] for one in doors):.2f}",
                f"{median(one['peak_mb'] for one in doors):.1f}",
                f"{taken / least:.2f}",
            ),
        ],
    )
    ratios = " ".join(f"{one['seconds'] / own:.2f}" for one, own in zip(doors, bare, strict=True))
    print(f"\nfetch_data through bare client, round by round: {ratios}")


def pages() -> int:
    """How many pages there are."""
    return RECORDS // PAGE


def connected(running: System) -> str:
    """A connection to so many records, with the simulator at its beginning."""
    facts = running.providers["endgrate"]
    control = f"{facts['base_url']}/_simulator"
    requests.post(f"{control}/reset", timeout=10).raise_for_status()
    settings = {
        "records": {TYPE: RECORDS},
        "page_delay_seconds": PAGE_SECONDS,
        "transfer_seconds": 0.1,
    }
    requests.post(f"{control}/settings", json=settings, timeout=10).raise_for_status()
    (session,) = (each for each in facts["sessions"] if each["name"] == SESSION)
    caller = Caller(running.api, token=running.issuer.token("bench"))
    return caller.connect({"provider": "endgrate", "subject": session["id"], "datasets": [TYPE]})


def completed(running: System, connection_id: str) -> dict[str, Any]:
    """The ticket of a refresh whose transfer is completed."""
    start = {"execution": f"bench-{uuid4()}", "input": {"connection_id": connection_id}}
    ticket = run_door(running, "trigger", event=start)["answer"]
    answer: dict[str, Any] = run_door(running, "check_status", event=ticket)["answer"]
    return answer


def read(running: System, *, transfer_id: str) -> float:
    """Seconds that the bare client takes for all pages of a transfer."""
    facts = running.providers["endgrate"]
    query = {"endgrate_type": TYPE, "transfer_id": transfer_id, "limit": PAGE}
    return run_bare(
        host=urlsplit(facts["base_url"]).netloc,
        headers={"Authorization": f"Bearer {facts['api_key']}"},
        paths=[
            f"/api/pull/data?{urlencode({**query, 'offset': offset})}"
            for offset in range(0, RECORDS, PAGE)
        ],
    )


def fetched(running: System, ticket: dict[str, Any]) -> dict[str, Any]:
    """The figures of the door's fetch of the same pages."""
    figures = run_door(running, "fetch_data", event=ticket)
    if figures["answer"]["records"] != {TYPE: RECORDS}:
        raise AssertionError(f"not {RECORDS} records but {figures['answer']['records']}")
    return figures
