"""Waits for a thing to move on, by reading it again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.contract import Clock, Sleep

MAX_WAIT_SECONDS: Final = 25
"""How long a call of the API waits at most."""

ANSWER_SECONDS: Final = 27
"""Seconds after the gateway took the request by which the answer is sent. The gateway gives up
after 29 seconds, of which the start of a function may take several."""

FIRST_PAUSE: Final = 0.1
LAST_PAUSE: Final = 0.5
GROWTH: Final = 1.25


class _Status(Protocol):
    @property
    def has_ended(self) -> bool: ...


class Versioned(Protocol):
    """A thing that moves on until it ends, a version at a time."""

    @property
    def status(self) -> _Status:
        """Its status."""

    @property
    def version(self) -> int:
        """The number of its moves."""


T = TypeVar("T", bound=Versioned)


def wait(
    thing: T,
    look: Callable[[], T],
    *,
    until: float,
    since: int | None,
    clock: Clock,
    sleep: Sleep,
) -> T:
    """Wait until the thing has ended, has passed a version, or time is over.

    Args:
        thing: as it was just read.
        look: reads it again.
        since: the version that the caller knows; None waits for the end.
    """
    pause = FIRST_PAUSE
    while not _has_moved(thing, since=since) and (left := until - clock()) > 0:
        sleep(min(pause, left))
        pause = min(pause * GROWTH, LAST_PAUSE)
        thing = look()
    return thing


def _has_moved(thing: Versioned, *, since: int | None) -> bool:
    return thing.status.has_ended or (since is not None and thing.version > since)
