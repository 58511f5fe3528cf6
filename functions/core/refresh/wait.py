"""Waits for a refresh to move on, by reading it again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.contract import Clock, Sleep
    from functions.core.model import Refresh

MAX_WAIT_SECONDS: Final = 25
"""How long a call of the API waits at most."""

ANSWER_SECONDS: Final = 27
"""Seconds after the gateway took the request by which the answer is sent. The gateway gives up
after 29 seconds, of which the start of a function may take several."""

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
    """Wait until the refresh has ended, has passed a version, or time is over.

    Args:
        refresh: as it was just read.
        look: reads it again.
        since: the version that the caller knows; None waits for the end.
    """
    pause = FIRST_PAUSE
    while not _has_moved(refresh, since=since) and (left := until - clock()) > 0:
        sleep(min(pause, left))
        pause = min(pause * GROWTH, LAST_PAUSE)
        refresh = look()
    return refresh


def _has_moved(refresh: Refresh, *, since: int | None) -> bool:
    return refresh.status.has_ended or (since is not None and refresh.version > since)
