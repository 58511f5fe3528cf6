"""Runs one door once in this process and prints its answer, peak memory and processor time.

``python -m benchmarks.door fetch_data`` with the event on standard input and the door's
environment in this process's.
"""

from __future__ import annotations

import importlib
import json
import re
import resource
import sys
import time
from pathlib import Path

BUDGET_SECONDS = 280


class Context:
    """What a door reads of Lambda's context."""

    function_name = memory_limit_in_mb = aws_request_id = invoked_function_arn = ""

    def __init__(self) -> None:
        self._ends = time.monotonic() + BUDGET_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would end the call."""
        return int((self._ends - time.monotonic()) * 1000)


def peak_mb() -> float:
    """The most memory that this process has held, by the kernel's high-water mark.

    Not ``ru_maxrss``: a process inherits that from the one that started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def main() -> None:
    """Import the door, note what that took, then call it."""
    module = importlib.import_module(f"functions.{sys.argv[1]}")
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    answer = module.handler(json.load(sys.stdin), Context())
    after = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "answer": answer,
        "seconds": time.monotonic() - began,
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mb": peak_mb(),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
