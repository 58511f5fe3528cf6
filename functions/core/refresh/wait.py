"""Waits for a refresh to move on, by looking at what is stored of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.contract import Clock, Sleep
    from functions.core.model import Refresh

MAX_WAIT_SECONDS: Final = 25
"""How long a call of the API waits at most."""

ANSWER_SECONDS: Final = 27
"""When the answer has to be on its way, after the gateway took the request. The gateway gives up
after 29 seconds, of which a function that has to start first may take several."""

FIRST_PAUSE: Final = 0.1
LAST_PAUSE: Final = 0.5
GROWTH: Final = 1.25


def wait(
    refresh: Refresh,
    look: Callable[[], Refresh],
    *,
    until: float,
    since: int | None,
    clock: Clock,
    sleep: Sleep,
) -> Refresh:
    """The refresh once it has ended, or has come past a version, or as it is when time is over.

    Args:
        refresh: as it was just read.
        look: reads it again.
        since: the version that the caller knows; None for one who waits for the end.
    """
    pause = FIRST_PAUSE
    while not _has_moved(refresh, since=since) and (left := until - clock()) > 0:
        sleep(min(pause, left))
        pause = min(pause * GROWTH, LAST_PAUSE)
        refresh = look()
    return refresh


def _has_moved(refresh: Refresh, *, since: int | None) -> bool:
    return refresh.status.has_ended or (since is not None and refresh.version > since)
