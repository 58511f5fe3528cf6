"""Cold starts: the import of a function and its first call, each in a fresh process.

Freshet's functions run from the asset as it is shipped, and the naive handler's with the same
versions of the same packages as they are installed. Both do a refresh at Endgrate that has one
page. Processor time is that of the whole process above an interpreter that calls a handler that
does nothing; on Lambda, where a small function has a fraction of a core, it is the time.
"""

from __future__ import annotations

import sysconfig
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from benchmarks.bench import call_handler
from benchmarks.peers.fetching import (
    ENDGRATE_PAGE,
    ENDGRATE_TYPE,
    Figures,
    connection_of,
    endgrate,
    pick,
)
from benchmarks.results import Result
from infra.local.issuer import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.bench import Bench
    from benchmarks.results import Row

ROUNDS: Final = 9
PAIRS: Final = {"check_status": "check", "fetch_data": "fetch", "authorize": "authorize"}
"""Freshet's functions, and which one of the naive handler does the same."""

NOTHING: Final = "benchmarks.door.do_nothing"


def main(bench: Bench) -> Result:
    """Measure."""
    scenario = endgrate(records=ENDGRATE_PAGE)
    bench.set_up("endgrate", {**scenario.settings, "page_delay_seconds": 0})
    rounds: dict[str, list[Figures]] = defaultdict(list)
    for _ in range(2 if bench.quick else ROUNDS):
        for name, figures in run_round(bench).items():
            rounds[name].append(pick(figures))
    rows: list[Row] = [
        {
            "function": door,
            "CPU, of naive": compare(rounds, door, "cpu_whole"),
            "peak memory, of naive": compare(rounds, door, "peak_mb"),
        }
        for door in PAIRS
    ]
    return Result(tables={"starting": rows}, rounds=dict(rounds))


def compare(rounds: Mapping[str, list[Figures]], door: str, figure: str) -> float:
    """The median of a door's figure by that of the naive handler, each above doing nothing."""

    def above(name: str) -> list[float]:
        least = (none[figure] for none in rounds[NOTHING])
        return [one[figure] - none for one, none in zip(rounds[name], least, strict=True)]

    pairs = zip(above(door), above(f"naive {door}"), strict=True)
    return float(median(own / naive for own, naive in pairs))


def run_round(bench: Bench) -> dict[str, Figures]:
    """Each function once, for a connection of its own."""
    scenario, facts = endgrate(records=ENDGRATE_PAGE), bench.system.providers["endgrate"]
    connection = bench.caller().connect(connection_of(scenario, facts))
    start = {"execution": f"bench-{uuid4()}", "input": {"connection_id": connection}}
    found = {"trigger": bench.door("trigger", start)}
    ticket = found["trigger"]["answer"]
    token = {
        "authorizationToken": f"Bearer {bench.system.issuer.token('bench')}",
        "methodArn": "arn:aws:execute-api:us-east-1:000000000000:api/local/GET/v1/connections",
    }
    found["check_status"] = bench.door("check_status", ticket)
    found["fetch_data"] = bench.door("fetch_data", found["check_status"]["answer"])
    found["authorize"] = bench.door("authorize", token)
    event = {
        **token,
        **places(bench),
        "connection": connection,
        "transfer": ticket["job"]["transfer_0"],
    }
    packages = Path(sysconfig.get_path("purelib"))
    variables = bench.variables("fetch_data")
    for door, name in {**PAIRS, NOTHING: ""}.items():
        handler = f"benchmarks.peers.naive_handler.{name}" if name else NOTHING
        figures = call_handler(handler, event, packages=packages, variables=variables)
        found[f"naive {door}" if name else NOTHING] = figures
    return found


def places(bench: Bench) -> dict[str, Any]:
    """The naive handler's event: the places of tables and secrets."""
    outputs = bench.system.outputs
    return {
        "type": ENDGRATE_TYPE,
        "base": bench.system.providers["endgrate"]["base_url"],
        "table": outputs["ConnectionsTableName"],
        "secret": outputs["EndgrateSecretArn"],
        "bucket": outputs["BucketName"],
        "jwks": bench.system.issuer.jwks_url,
        "audience": AUDIENCE,
    }
