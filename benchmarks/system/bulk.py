"""One bulk run over a thousand connections of a provider that grants twenty requests a second.

The requests are counted by the simulator's own ledger, transitions and times in the histories of
the executions. It takes some minutes.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from benchmarks.results import Result
from benchmarks.system.refresh_cost import MEMORY_GB, history
from infra.local.caller import Caller
from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.bench import Bench
    from benchmarks.results import Row
    from infra.local.system import System

CONNECTIONS = 1000
RATE, BURST = 20, 20
TASK_SECONDS = 1.0
TOKEN_SECONDS = 86_400
PATIENCE_SECONDS = 1800
LOOK_SECONDS = 2.0
WINDOWS = (1, 10, 60)


def main(bench: Bench) -> Result:
    """Measure."""
    running, connections = bench.system, 20 if bench.quick else CONNECTIONS
    bench.set_up("banno", {"task_seconds": TASK_SECONDS, "token_seconds": TOKEN_SECONDS})
    grant(running, {"requests_per_second": RATE, "burst": BURST})
    caller = Caller(running.api, token=running.issuer.token(f"bench-{uuid4().hex[:8]}"))
    body = DEMOS["banno"].connection(running.providers["banno"], "ben")
    for _ in range(connections):  # takes longer than a door keeps a secret
        caller.connect(body)
    since = time.time()
    bulk = run(caller)
    ledger = bench.ledger("banno")
    grant(running, None)
    sent = [row["at"] for row in ledger if row["kind"] == "request" and row["at"] >= since]
    return Result(
        tables={
            "bulk": read_requests(bulk, sent=sent),
            "bulk-states": read_states(running, bulk, connections=connections),
        }
    )


def grant(running: System, budget: dict[str, int] | None) -> None:
    """Put the budget into the provider's secret, or take it out."""
    secret = DEMOS["banno"].secret(running.providers["banno"])
    running.client("secretsmanager").put_secret_value(
        SecretId=running.outputs["BannoSecretArn"],
        SecretString=json.dumps(secret | {"budget": budget}),
    )


def run(caller: Caller) -> dict[str, Any]:
    """The run once it has ended."""
    bulk = caller.ask("POST", "/v1/bulk-refreshes", json={"provider": "banno"})
    deadline = time.monotonic() + PATIENCE_SECONDS
    while bulk["status"] not in {"done", "failed"}:
        if time.monotonic() > deadline:
            raise AssertionError(f"not done: {bulk}")
        time.sleep(LOOK_SECONDS)
        bulk = caller.ask("GET", f"/v1/bulk-refreshes/{bulk['bulk_id']}")
    return bulk


def read_requests(bulk: dict[str, Any], *, sent: Sequence[float]) -> list[Row]:
    """The requests that the provider received."""
    seconds = max(sent) - min(sent)
    outcomes = [f"{count} {name}" for name, count in bulk["outcomes"].items() if count]
    found: dict[str, str | int | float | None] = {
        "outcomes": ", ".join(outcomes),
        "from the first request to the last, s": round(seconds),
        "requests": len(sent),
        "requests a second": len(sent) / seconds,
    }
    for window in WINDOWS:
        name = f"most requests in any {window} s, of {BURST + RATE * window} granted"
        found[name] = most_in(sent, window=window)
    return [{"figure": figure, "value": value} for figure, value in found.items()]


def read_states(running: System, bulk: dict[str, Any], *, connections: int) -> list[Row]:
    """The mean time of a refresh in each state."""
    states, times = count_states(running, bulk)
    return [
        {
            "state": name,
            "entered": entered / connections,
            "seconds": times[name] / connections,
            "GB-seconds": times[name] / connections * MEMORY_GB.get(name, 0),
        }
        for name, entered in states.items()
    ]


def most_in(sent: Sequence[float], *, window: float) -> int:
    """The number of requests in the busiest window of so many seconds."""
    ordered, first, most = sorted(sent), 0, 0
    for last, at in enumerate(ordered):
        while ordered[first] <= at - window:
            first += 1
        most = max(most, last - first + 1)
    return most


def count_states(running: System, bulk: dict[str, Any]) -> tuple[Counter[str], dict[str, float]]:
    """The number of entries of the refreshes into each state, and their time in it."""
    states: Counter[str] = Counter()
    times: dict[str, float] = defaultdict(float)
    pages = running.client("dynamodb").get_paginator("query")
    for page in pages.paginate(
        TableName=running.outputs["BulksTableName"],
        KeyConditionExpression="bulk_id = :bulk AND begins_with(entry, :of)",
        ExpressionAttributeValues={":bulk": {"S": bulk["bulk_id"]}, ":of": {"S": "of#"}},
    ):
        for item in page["Items"]:
            add(history(running, item["refresh_id"]["S"]), states=states, times=times)
    return states, times


def add(events: list[dict[str, Any]], *, states: Counter[str], times: dict[str, float]) -> None:
    """Count one execution's states and the seconds spent in them."""
    entered = 0.0
    for event in events:
        if event["type"].endswith("StateEntered"):
            states[event["stateEnteredEventDetails"]["name"]] += 1
            entered = event["timestamp"].timestamp()
        elif event["type"].endswith("StateExited"):
            name = event["stateExitedEventDetails"]["name"]
            times[name] += event["timestamp"].timestamp() - entered
