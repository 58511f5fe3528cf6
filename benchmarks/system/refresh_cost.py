"""State transitions of real executions, what they cost, and how soon the end is noticed.

The prices are us-east-1's list, arm64, without a free tier, as published in 2026: check them
before quoting. A refresh is modelled as its transitions and the time that its functions ran.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.results import Result
from functions.core.model import instant
from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.results import Row
    from infra.local.system import System

TASK_SECONDS = (0.5, 2.0, 6.0, 15.0, 30.0, 60.0)
DOLLARS_A_TRANSITION = 25 / 1e6
DOLLARS_A_GB_SECOND = 13.3334 / 1e6
DOLLARS_AN_INVOCATION = 0.2 / 1e6
MEMORY_GB = {"Trigger": 0.25, "CheckStatus": 144 / 1024, "FetchData": 0.5}


def main(bench: Bench) -> Result:
    """Measure."""
    tasks = TASK_SECONDS[:2] if bench.quick else TASK_SECONDS
    return Result(tables={"refresh-cost": [measure(bench, seconds) for seconds in tasks]})


def measure(bench: Bench, seconds: float) -> Row:
    """One refresh of a task of this length."""
    bench.set_up("banno", {"task_seconds": seconds})
    caller = bench.caller()
    facts = bench.system.providers["banno"]
    connection_id = caller.connect(DEMOS["banno"].connection(facts, "ben"))
    refresh = caller.wait_until_ended(caller.refresh(connection_id)["refresh_id"], seconds=120)
    (ended,) = (each["at"] for each in bench.ledger("banno") if each["kind"] == "task_ended")
    (ready,) = (event for event in refresh["events"] if event["type"] == "ready")
    events = history(bench.system, refresh["refresh_id"])
    entered = [e for e in events if e["type"].endswith("StateEntered")]
    dollars = len(entered) * DOLLARS_A_TRANSITION + functions_cost(events)
    return {
        "task, s": seconds,
        "transitions": len(entered),
        "looks": ready["facts"]["looks"],
        "noticed after, s": instant(ready["at"]) - ended,
        "$ per million refreshes": round(dollars * 1e6),
    }


def history(running: System, refresh_id: str) -> list[dict[str, Any]]:
    """The events of an execution."""
    arn = running.outputs["RefreshMachineArn"].replace(":stateMachine:", ":execution:")
    found: list[dict[str, Any]] = running.client("stepfunctions").get_execution_history(
        executionArn=f"{arn}:{refresh_id}", maxResults=1000
    )["events"]
    return found


def functions_cost(events: list[dict[str, Any]]) -> float:
    """The cost of an execution's functions, by the time between their state's two ends."""
    dollars, entered = 0.0, 0.0
    for event in events:
        if event["type"] == "TaskStateEntered":
            entered = event["timestamp"].timestamp()
        elif event["type"] == "TaskStateExited":
            memory = MEMORY_GB.get(event["stateExitedEventDetails"]["name"], 0.25)
            ran = event["timestamp"].timestamp() - entered
            dollars += ran * memory * DOLLARS_A_GB_SECOND + DOLLARS_AN_INVOCATION
    return dollars
