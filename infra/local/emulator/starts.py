"""How many environments start at a time.

MiniStack starts one for every call that finds none free. Of fifty that start at the same moment on
two cores none is ready before its time is over. Where as many start as there are cores, the first
are soon free for the calls that wait.
"""

import os
import time
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any

LOOK_SECONDS = 0.005

_places = BoundedSemaphore(max(2, os.cpu_count() or 1))

Lease = tuple[Any, str]


def leased(original: Callable[..., Lease], *about: object, **named: object) -> Lease:
    """Leases an environment that is free, or a new one as soon as it may start.

    A new one gives its place back when it is ready, see ``lambdas.Environment``.
    """
    while not _places.acquire(blocking=False):
        # One that is free, or the first of its function, which needs no place.
        environment, how = original(*about, **named, max_concurrency=1)
        if environment is not None:
            return environment, how
        time.sleep(LOOK_SECONDS)
    give_back: Callable[[], object] | None = _places.release
    try:
        environment, how = original(*about, **named)
        if how == "spawn" and hasattr(environment, "when_ready"):
            environment.when_ready, give_back = give_back, None
        return environment, how
    finally:
        if give_back:
            give_back()
