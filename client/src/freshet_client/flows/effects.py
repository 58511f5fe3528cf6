"""What a call does to the world, as data: a flow yields it, and a runner does it.

A flow is a generator: it yields one effect after the other, gets what came of each, and returns
the call's result. So each call is written once, for ``Client`` and for ``AsyncClient``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import httpx2

    from freshet_client.flows.sink import Sink

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; what comes is the response, which has been read, or ``Lost``."""

    request: httpx2.Request


@dataclass(frozen=True, slots=True)
class Fetch:
    """Download a file into a sink; what comes is the answer's status, or ``Lost``."""

    request: httpx2.Request
    sink: Sink


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Call what may take long, such as a program that prints a token; its result comes."""

    do: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Emit(Generic[T]):
    """Give the caller an item of what they iterate over."""

    item: T


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer has come. ``sent`` is False where the request has surely not arrived."""

    why: str
    sent: bool


Effect = Send | Fetch | Sleep | Work
Flow = Generator[Effect, Any, T]
Stream = Generator[Effect | Emit[T], Any, None]


def lost(error: httpx2.RequestError) -> Lost:
    """What became of a request, without what the error knows of it: its headers have the token."""
    name = type(error).__name__
    return Lost(name, sent=name not in {"ConnectError", "ConnectTimeout", "PoolTimeout"})
