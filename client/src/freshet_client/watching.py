"""Follows what runs on the server until it has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from freshet_client.errors import StillRunning
from freshet_client.flows.effects import Emit, Sleep

if TYPE_CHECKING:
    from collections.abc import Callable

    from freshet_client.flows.effects import Flow, Stream

T = TypeVar("T")

POLL_SECONDS: Final = 20
"""How long the API is asked to hold an answer."""

PAUSE_SECONDS: Final = 0.5
"""Between two answers that tell the same, should the API not hold them."""


def watch(
    read: Callable[..., Flow[T]],
    id_: str,
    *,
    ended: Callable[[Any], bool] = lambda state: state.ended_at is not None,
    timeout: float | None = None,
    every: float | None = None,
    known: T | None = None,
) -> Stream[T]:
    """Give each new state of something until it has ended.

    Between two calls more than one thing may happen: a state has the events of all.

    Args:
        read: the call that reads it by its id.
        id_: which it is.
        ended: whether a state is the last.
        timeout: for how many seconds to watch; for ever, if None.
        every: how many seconds to let pass between two looks; None where the API holds its answer.
        known: the state that the caller has, of which nothing is told.

    Raises:
        StillRunning: it has not ended in this time.
    """
    until = time.monotonic() + (float("inf") if timeout is None else timeout)
    state: Any = known
    while state is None or not ended(state):
        query: dict[str, Any] = {}
        if state is not None:
            left = until - time.monotonic()
            if left <= 0:
                raise StillRunning(id_, state.status)
            if every is None:
                wait = max(1, int(min(POLL_SECONDS, left)))
                query = {"wait": wait, "since_version": state.version}
            else:
                yield Sleep(min(every, left))
        found = yield from read(id_, **query)
        if found != state:
            yield Emit(found)
        elif every is None:
            yield Sleep(PAUSE_SECONDS)
        state = found


def last(stream: Stream[T], known: T | None) -> Flow[T]:
    """Follow a stream to its end; its last item, or else what was known before."""
    outcome: Any = None
    item = known
    while True:
        try:
            effect = stream.send(outcome)
        except StopIteration:
            return cast("T", item)
        if isinstance(effect, Emit):
            item, outcome = effect.item, None
        else:
            outcome = yield effect
