"""Calls a handler once, as Lambda does in a fresh environment, and tells what it took.

``python -m benchmarks.door functions.fetch_data handler`` with the event on standard input and the
door's environment in this process's.
"""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

from benchmarks import measure

BUDGET_SECONDS = 280


class Context:
    """The part of Lambda's context that a function reads."""

    function_name = memory_limit_in_mb = aws_request_id = invoked_function_arn = ""

    def __init__(self) -> None:
        self._ends = time.monotonic() + BUDGET_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would end the call."""
        return int((self._ends - time.monotonic()) * 1000)


def do_nothing(event: object, _context: object) -> object:
    """Answer with the event: what an interpreter takes by itself."""
    return event


def main() -> None:
    """Import the module, then call its handler."""
    handler: Any = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
    measure.run(lambda event: handler(event, Context()))


if __name__ == "__main__":
    main()
