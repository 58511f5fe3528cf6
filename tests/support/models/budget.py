"""Workers who share a provider's budget, one step at a time.

A worker is the real ``SharedBudget``. Each call of it to the clock, to the bucket or to sleep is
one step, and it is replayed from what it has been told so far, so that others can come between
any two of its steps.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from functions.core.budget import BudgetLimit, SharedBudget
from functions.core.errors import RateLimited
from tests.support.fakes.budget import Bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

START = 1_800_000_000.0


class Pause(BaseException):
    """The worker has made its step, and has come to the next one."""


class BudgetModel:
    """The time, the one bucket, and when requests were sent."""

    def __init__(self, limit: BudgetLimit) -> None:
        self.limit, self.bucket, self.now = limit, Bucket(), START
        self.sent: list[float] = []

    def pause(self, seconds: float) -> None:
        """The provider has answered 429."""
        asked = SharedBudget(
            self.bucket,
            limit=lambda: self.limit,
            patience_seconds=0,
            clock=lambda: self.now,
            sleep=lambda _seconds: None,
        )
        asked.pause(seconds)


class Taker:
    """One worker who takes one turn. ``wakes_at`` is when it can go on."""

    def __init__(self, model: BudgetModel, *, patience: float) -> None:
        self._world, self._patience = model, patience
        self._story: list[Any] = []
        self.wakes_at = model.now
        self.refused: RateLimited | None = None

    def step(self) -> bool:
        """Make one step; whether that was the last."""
        try:
            self._budget(_Replay(self, steps=1)).take()
        except Pause:
            return False
        except RateLimited as refused:
            self.refused = refused
        else:
            self._world.sent.append(self._world.now)
        return True

    def _budget(self, replay: _Replay) -> SharedBudget:
        return SharedBudget(
            replay,
            limit=lambda: self._world.limit,
            patience_seconds=self._patience,
            clock=lambda: float(replay.ask(lambda: self._world.now)),
            sleep=lambda seconds: replay.ask(lambda: self._slept(seconds), leaves=True),
        )

    def _slept(self, seconds: float) -> None:
        self.wakes_at = self._world.now + seconds

    @property
    def told(self) -> list[Any]:
        """The outcomes of its steps so far."""
        return self._story

    @property
    def model(self) -> BudgetModel:
        return self._world


class _Replay:
    """The ports of a worker: what it has been told already, then so many steps."""

    def __init__(self, taker: Taker, *, steps: int) -> None:
        self._taker, self._steps, self._place = taker, steps, 0

    def ask(self, act: Callable[[], Any], *, leaves: bool = False) -> Any:
        story = self._taker.told
        if self._place == len(story):
            if not self._steps:
                raise Pause
            self._steps -= 1
            story.append(act())
            if leaves:
                raise Pause
        self._place += 1
        return story[self._place - 1]

    def draw(self, **bounds: int) -> Any:
        return self.ask(lambda: self._taker.model.bucket.draw(**bounds))

    def renew(self, **instants: int) -> Any:
        return self.ask(lambda: self._taker.model.bucket.renew(**instants))

    def close(self, **instants: int) -> Any:
        return self.ask(lambda: self._taker.model.bucket.close(**instants))

    def pause_end(self) -> Any:
        return self.ask(self._taker.model.bucket.pause_end)


class Job:
    """A refresh: a request that begins it, and others that go on. It takes no as doors do."""

    def __init__(self, *, requests: int, patience: tuple[float, float], works: float) -> None:
        self.left = requests
        self._patience, self._works = patience, works
        self._begun = False
        self.refusals = 0
        self._taker: Taker | None = None

    def go_on(self, model: BudgetModel) -> float | None:
        """All that it does until it has to wait; until when that is. None: it has ended."""
        taker = self._taker or Taker(model, patience=self._patience[self._begun])
        self._taker = taker
        if taker.wakes_at > model.now:
            return taker.wakes_at
        while not taker.step():
            if taker.wakes_at > model.now:
                return taker.wakes_at
        self._taker = None
        if taker.refused:
            self.refusals += 1
            return model.now + taker.refused.wait_seconds
        self._begun, self.left = True, self.left - 1
        return model.now + self._works if self.left else None


def run(model: BudgetModel, jobs: Sequence[Job], *, at_once: int) -> None:
    """Let so many jobs run at a time, until all have ended."""
    waiting = list(reversed(jobs))
    queue: list[tuple[float, int, Job]] = []
    for place in range(min(at_once, len(jobs))):
        heapq.heappush(queue, (model.now, place, waiting.pop()))
    while queue:
        at, place, job = heapq.heappop(queue)
        model.now = max(model.now, at)
        until = job.go_on(model)
        if until is not None:
            heapq.heappush(queue, (until, place, job))
        elif waiting:
            heapq.heappush(queue, (model.now, place, waiting.pop()))


def overdrawn(sent: Sequence[float], limit: BudgetLimit) -> float:
    """By how many tokens a bucket of this limit would have been overdrawn at the worst.

    Not more than nothing means that no window has seen more than the burst and the rate allow.
    """
    level, last, least = float(limit.burst), min(sent, default=0.0), 0.0
    for at in sorted(sent):
        level = min(limit.burst, level + (at - last) * limit.requests_per_second) - 1
        last, least = at, min(least, level)
    return -least
