"""What the benchmarks share: the system, its doors run apart, and a table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from infra.local.aws import KEY, REGION, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.local.system import System


def environment(running: System, door: str) -> dict[str, str]:
    """A door's environment as the stack has set it, pointed at the local AWS."""
    functions = running.client("lambda").list_functions()["Functions"]
    handler = f"functions.{door}.handler"
    (found,) = (f for f in functions if f["Handler"] == handler)
    variables: dict[str, str] = found["Environment"]["Variables"]
    return {
        **variables,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "AWS_ENDPOINT_URL": running.endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    }


def run_door(running: System, door: str, *, event: Any) -> dict[str, Any]:
    """Run a door in a process of its own; its answer and figures (see ``benchmarks.door``)."""
    return _told("door", door, given=event, variables=environment(running, door))


def run_bare(*, host: str, headers: Mapping[str, str], paths: Sequence[str]) -> float:
    """Seconds in which a client that does nothing else reads these (see ``benchmarks.bare``)."""
    return float(_told("bare", given={"host": host, "headers": headers, "paths": paths})["seconds"])


def _told(
    program: str, *arguments: str, given: Any, variables: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What one of our programs prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{program}", *arguments],
        cwd=ROOT,
        env=variables,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{program} {' '.join(arguments)} failed: {done.stderr[-4000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def show(title: str, *, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
