"""The figures of a benchmark's program about itself; needs the standard library only."""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def run(work: Callable[[Any], Any]) -> None:
    """Do the work on what stands in standard input, and print what it took as the last line.

    ``cpu_seconds`` are of the work alone, ``cpu_whole`` of the process from its start; ``ended``
    is when the work was done, in seconds since 1970.
    """
    given = json.load(sys.stdin)
    before, began = cpu_seconds(), time.monotonic()
    answer = work(given)
    figures = {
        "answer": answer,
        "seconds": time.monotonic() - began,
        "ended": time.time(),
        "cpu_seconds": cpu_seconds() - before,
        "cpu_whole": cpu_seconds(),
        "peak_mb": peak_mb(),
    }
    print(json.dumps(figures))


def cpu_seconds() -> float:
    """Processor time of this process, in user and system mode."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> float:
    """The most memory that this process has held, by the kernel's high-water mark.

    Not ``ru_maxrss``: a process inherits that from the one that started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024
