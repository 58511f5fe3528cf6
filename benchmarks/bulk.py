"""One bulk run over a thousand connections of a provider that grants twenty requests a second.

The requests are counted by the simulator's own ledger, transitions and times in the histories of
the executions. It takes some minutes.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import requests

from benchmarks.bench import show
from benchmarks.refresh_cost import MEMORY_GB, history
from infra.local.caller import Caller
from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.local.system import System

CONNECTIONS = 1000
RATE, BURST = 20, 20
TASK_SECONDS = 1.0
TOKEN_SECONDS = 86_400
PATIENCE_SECONDS = 1800
LOOK_SECONDS = 2.0
WINDOWS = (1, 10, 60)


def main(running: System) -> None:
    """Measure and print."""
    facts = running.providers["banno"]
    control = f"{facts['base_url']}/_simulator"
    requests.post(f"{control}/reset", timeout=10).raise_for_status()
    settings = {"task_seconds": TASK_SECONDS, "token_seconds": TOKEN_SECONDS}
    requests.post(f"{control}/settings", json=settings, timeout=10).raise_for_status()
    grant(running, {"requests_per_second": RATE, "burst": BURST})
    caller = Caller(running.api, token=running.issuer.token("bench-bulk"))
    body = DEMOS["banno"].connection(facts, "ben")
    for _ in range(CONNECTIONS):  # takes longer than a door keeps a secret
        caller.connect(body)
    since = time.time()
    bulk = ran(caller)
    ledger = requests.get(f"{control}/ledger", timeout=60).json()
    sent = [row["at"] for row in ledger if row["kind"] == "request" and row["at"] >= since]
    grant(running, None)
    tell(running, bulk, sent=sent)


def grant(running: System, budget: dict[str, int] | None) -> None:
    """Put the budget into the provider's secret, or take it out."""
    secret = DEMOS["banno"].secret(running.providers["banno"])
    running.client("secretsmanager").put_secret_value(
        SecretId=running.outputs["BannoSecretArn"],
        SecretString=json.dumps(secret | {"budget": budget}),
    )


def ran(caller: Caller) -> dict[str, Any]:
    """The run once it has ended."""
    bulk = caller.ask("POST", "/v1/bulk-refreshes", json={"provider": "banno"})
    deadline = time.monotonic() + PATIENCE_SECONDS
    while bulk["status"] not in {"done", "failed"}:
        if time.monotonic() > deadline:
            raise AssertionError(f"not done: {bulk}")
        time.sleep(LOOK_SECONDS)
        bulk = caller.ask("GET", f"/v1/bulk-refreshes/{bulk['bulk_id']}")
    return bulk


def tell(running: System, bulk: dict[str, Any], *, sent: Sequence[float]) -> None:
    """Print what the provider saw, and what a refresh took."""
    seconds = max(sent) - min(sent)
    outcomes = {name: count for name, count in bulk["outcomes"].items() if count}
    show(
        f"{CONNECTIONS} connections in one bulk run, {RATE} requests a second, burst {BURST}",
        header=("figure", "value"),
        rows=[
            ("outcomes", outcomes),
            ("from the first request to the last, s", f"{seconds:.0f}"),
            ("requests", len(sent)),
            ("requests a second", f"{len(sent) / seconds:.1f}"),
            *(
                (f"most requests in any {window} s (granted)", f"{most} ({BURST + RATE * window})")
                for window in WINDOWS
                for most in [most_in(sent, window=window)]
            ),
        ],
    )
    states, times = visited(running, bulk)
    show(
        "A refresh of that run, on average",
        header=("state", "entered", "s", "GB-s"),
        rows=[
            (
                name,
                f"{entered / CONNECTIONS:.3f}",
                f"{times[name] / CONNECTIONS:.2f}",
                f"{times[name] / CONNECTIONS * MEMORY_GB.get(name, 0):.2f}",
            )
            for name, entered in states.items()
        ],
    )


def most_in(sent: Sequence[float], *, window: float) -> int:
    """How many requests came within the busiest window of so many seconds."""
    ordered, first, most = sorted(sent), 0, 0
    for last, at in enumerate(ordered):
        while ordered[first] <= at - window:
            first += 1
        most = max(most, last - first + 1)
    return most


def visited(running: System, bulk: dict[str, Any]) -> tuple[Counter[str], dict[str, float]]:
    """How often the refreshes have entered each state, and how long they were in it."""
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
