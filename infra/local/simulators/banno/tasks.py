"""Fetch tasks: what `PUT fetch` starts, and the event log that clients wait on.

Banno's task events reference: a task begins with TaskStarted and ends with TaskEnded, whether it
succeeded, failed or timed out; a reader that names a version is held up to seven seconds for news.
Everything is planned when a task starts and takes place when its instant has come and someone
looks, so that nothing here needs a thread.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.local.simulators.banno.settings import Outcome
from infra.local.simulators.replies import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.local.simulators.banno.accounts import Account
    from infra.local.simulators.banno.institution import Person
    from infra.local.simulators.banno.settings import Settings
    from infra.local.simulators.ledger import Ledger


_STARTED, _ENDED = "TaskStarted", "TaskEnded"
_NOTED = {_STARTED: "task_started", _ENDED: "task_ended"}


class UnknownTaskError(Exception):
    """No such task: never was, or no longer kept."""


class VersionAheadError(Exception):
    """The version named has not been reached yet."""


@dataclass(frozen=True, slots=True)
class _Step:
    at: float
    type: str
    account: Account | None = None
    extra: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class _Task:
    id: str
    user: Person
    outcome: Outcome
    plan: deque[_Step]
    events: list[dict[str, object]] = field(default_factory=list)
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """A task's log as a reader gets it: the current version and the events asked for."""

    version: int
    events: list[dict[str, object]]


class Tasks:
    """All fetch tasks of the institution."""

    def __init__(
        self, settings: Callable[[], Settings], *, clock: Callable[[], float], ledger: Ledger
    ) -> None:
        """Starts with none; `clock` tells the seconds since 1970."""
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._tasks: dict[str, _Task] = {}
        self._running: dict[str, _Task] = {}
        self._news = threading.Condition()

    def start(self, user: Person, accounts: Sequence[Account]) -> str:
        """Starts a fetch, unless the user's last is still running; answers the running one's id."""
        with self._news:
            self.settle()
            running = self._running.get(user.id)
            return running.id if running else self._begin(user, accounts)

    def log(self, user_id: str, task_id: str) -> Log:
        """The whole log so far.

        Raises:
            UnknownTaskError: the user has no such task.
        """
        with self._news:
            self.settle()
            task = self._find(user_id, task_id)
            return Log(len(task.events), list(task.events))

    def wait(self, user_id: str, task_id: str, *, since: int, hold_seconds: float) -> Log:
        """The events after version `since`, as soon as there are any; none after the hold.

        Raises:
            UnknownTaskError: the user has no such task, or it went away meanwhile.
            VersionAheadError: the task has not come as far as that.
        """
        deadline = time.monotonic() + hold_seconds
        with self._news:
            while True:
                self.settle()
                task = self._find(user_id, task_id)
                left = deadline - time.monotonic()
                if since > len(task.events):
                    raise VersionAheadError
                if since < len(task.events) or left <= 0:
                    return Log(len(task.events), task.events[since:])
                next_in = task.plan[0].at - self._clock() if task.plan else left
                self._news.wait(max(0.001, min(left, next_in)))

    def settle(self) -> None:
        """Carries out every step that is due."""
        with self._news:
            now = self._clock()
            for task in tuple(self._running.values()):
                while task.plan and task.plan[0].at <= now:
                    self._take(task, task.plan.popleft())
                    self._news.notify_all()

    def clear(self) -> None:
        """Forgets all tasks; readers who are held find theirs unknown."""
        with self._news:
            self._tasks.clear()
            self._running.clear()
            self._news.notify_all()

    def _begin(self, user: Person, accounts: Sequence[Account]) -> str:
        settings = self._settings()
        outcome = settings.outcome.get(user.name, Outcome.SUCCESS)
        plan = _plan(self._clock(), accounts, seconds=settings.task_seconds)
        task = _Task(str(uuid.uuid4()), user, outcome, deque(plan))
        self._tasks[task.id] = self._running[user.id] = task
        self.settle()
        return task.id

    def _find(self, user_id: str, task_id: str) -> _Task:
        task = self._tasks.get(task_id)
        if task is None or task.user.id != user_id:
            raise UnknownTaskError
        kept = self._settings().task_retention_seconds
        if task.ended is not None and self._clock() > task.ended + kept:
            raise UnknownTaskError
        return task

    def _take(self, task: _Task, step: _Step) -> None:
        extra, dated = step.extra, step.at + self._settings().clock_ahead_seconds
        if step.account is not None:
            self._touch(step.account, task.outcome, at=dated)
            extra = step.account.news()
        task.events.append({"type": step.type, "date": stamp(dated), **extra})
        if step.type == _ENDED:
            task.ended = step.at
            del self._running[task.user.id]
        if step.type in _NOTED:
            kind, user = _NOTED[step.type], task.user.name
            self._ledger.add_event(kind, at=step.at, user=user, task_id=task.id)

    def _touch(self, account: Account, outcome: Outcome, *, at: float) -> None:
        if outcome is Outcome.SUCCESS and not account.seed.fails:
            account.refresh(at, self._settings())
        elif outcome is not Outcome.TIMEOUT:
            account.fail()


def _plan(now: float, accounts: Sequence[Account], *, seconds: float) -> list[_Step]:
    between = [
        ("AggregationQueued", None, {"position": 1, "provider": {"name": "core", "tier": 2}}),
        *(("EnrichmentAccountBalances", account, {}) for account in accounts),
        ("TransactionsIndexed", None, {"progress": 0.99, "hints": ["ignore", None, "me"]}),
    ]
    gap = seconds / (len(between) + 1)
    return [
        _Step(now, _STARTED),
        *(
            _Step(now + gap * place, type_, account, extra)
            for place, (type_, account, extra) in enumerate(between, start=1)
        ),
        _Step(now + seconds, _ENDED),
    ]
