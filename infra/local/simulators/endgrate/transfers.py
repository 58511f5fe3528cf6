"""All transfers, when they are carried out, and the webhooks that tell of them.

Endgrate's overview of transfers: triggering puts a transfer into a queue; one that is triggered
before the end user has configured the session is executed afterwards.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
import requests

from infra.local.simulators.endgrate.bodies import Pull
from infra.local.simulators.endgrate.records import BATCH, Failures, Outcome, whole_failure
from infra.local.simulators.endgrate.replies import ApiError, new_id
from infra.local.simulators.endgrate.transfer import Transfer, check_pull, check_push, pull, push

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from infra.local.simulators.endgrate.bodies import Webhook
    from infra.local.simulators.endgrate.providers import Settings
    from infra.local.simulators.endgrate.records import Failure, Outcome
    from infra.local.simulators.endgrate.sessions import Session
    from infra.local.simulators.ledger import Ledger

    Payload = Callable[[], dict[str, object]]
    from collections.abc import Callable

    from infra.local.simulators.endgrate.bodies import Push

_LONGEST_NAP = 60.0


class Scheduler:
    """Does things when their instant has come.

    Everything happens under one lock, `news`, which others share and wait on.
    """

    def __init__(self, news: threading.Condition, *, clock: Callable[[], float]) -> None:
        """Starts with nothing due; `clock` tells the seconds since 1970."""
        self._news = news
        self._clock = clock
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._watched = False

    def at(self, instant: float, action: Callable[[], None]) -> None:
        """Has an action done at an instant, in seconds since 1970."""
        with self._news:
            heapq.heappush(self._due, (instant, next(self._order), action))
            self._news.notify_all()
            if not self._watched:
                self._watched = True
                threading.Thread(target=self._watch, daemon=True).start()

    def settle(self) -> None:
        """Does everything that is due."""
        with self._news:
            while self._due and self._due[0][0] <= self._clock():
                heapq.heappop(self._due)[2]()
                self._news.notify_all()

    def clear(self) -> None:
        """Forgets everything that is due."""
        with self._news:
            self._due.clear()
            self._news.notify_all()

    def _watch(self) -> None:
        with self._news:
            while self._due:
                self.settle()
                if self._due:
                    left = self._due[0][0] - self._clock()
                    self._news.wait(min(max(left, 0.001), _LONGEST_NAP))
            self._watched = False


_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One webhook to deliver; its payload is made when its turn has come."""

    event: str
    address: str
    session_id: str
    transfer_id: str | None
    payload: Callable[[], dict[str, object]]


@dataclass(slots=True)
class _Lane:
    """Deliveries that wait for each other, and how many may be on their way at once."""

    width: int
    waiting: deque[Delivery] = field(default_factory=deque)
    workers: int = 0
    closed: bool = False


class WebhookSender:
    """Sends the webhooks of each session in their order."""

    def __init__(
        self, settings: Callable[[], Settings], *, clock: Callable[[], float], ledger: Ledger
    ) -> None:
        """Starts idle; every try is noted in the ledger."""
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._lock = threading.Condition()
        self._lanes: dict[tuple[str, int], _Lane] = {}

    def send(self, delivery: Delivery, *, concurrently: bool) -> None:
        """Has a delivery delivered, after those of its session that were sent before."""
        width = _AT_ONCE if concurrently else 1
        with self._lock:
            lane = self._lanes.setdefault((delivery.session_id, width), _Lane(width))
            lane.waiting.append(delivery)
            if lane.workers < lane.width:
                lane.workers += 1
                threading.Thread(target=self._work, args=(lane,), daemon=True).start()

    def forget(self, session_id: str | None = None) -> None:
        """Drops what has not been delivered, of one session or of all.

        Of all, it waits a moment for what is on its way: no connection is made after it.
        """
        with self._lock:
            keys = [key for key in self._lanes if session_id in {key[0], None}]
            lanes = [self._lanes.pop(key) for key in keys]
            for lane in lanes:
                lane.closed = True
                lane.waiting.clear()
            if session_id is None:
                self._lock.wait_for(lambda: not any(lane.workers for lane in lanes), timeout=1)

    def _work(self, lane: _Lane) -> None:
        with requests.Session() as http:
            http.trust_env = False
            while delivery := self._next(lane):
                self._deliver(delivery, http, lane=lane)

    def _next(self, lane: _Lane) -> Delivery | None:
        with self._lock:
            if lane.waiting:
                return lane.waiting.popleft()
            lane.workers -= 1
            self._lock.notify_all()
            return None

    def _deliver(self, delivery: Delivery, http: requests.Session, *, lane: _Lane) -> None:
        body, settings = msgspec.json.encode(delivery.payload()), self._settings()
        for number in range(1, settings.webhook_tries + 1):
            if number > 1:
                time.sleep(settings.webhook_gap_seconds)
            if lane.closed:
                return
            at = self._clock()
            status = _post(http, delivery, body=body, timeout=settings.webhook_timeout_seconds)
            if not lane.closed:
                self._note(delivery, at=at, number=number, status=status)
            if status == HTTPStatus.OK:
                return

    def _note(self, delivery: Delivery, *, at: float, number: int, status: int | None) -> None:
        self._ledger.add_event(
            "webhook",
            at=at,
            event=delivery.event,
            session_id=delivery.session_id,
            transfer_id=delivery.transfer_id,
            attempt=number,
            status=status,
            acknowledged=status == HTTPStatus.OK,
        )


def _post(http: requests.Session, delivery: Delivery, *, body: bytes, timeout: float) -> int | None:
    headers = {"Content-Type": "application/json"}
    try:
        answer = http.post(
            delivery.address, data=body, headers=headers, timeout=timeout, allow_redirects=False
        )
    except requests.RequestException:
        return None
    return answer.status_code


def configuration_deliveries(session: Session) -> Iterator[Delivery]:
    """The configuration webhook."""
    hook = session.asked.configuration_webhook
    if hook:
        told = session.configuration()
        yield _delivery("configuration", hook, session, payload=lambda: told)


def completion_deliveries(
    transfer: Transfer, outcome: Outcome, *, failures: Iterable[Failure]
) -> Iterator[Delivery]:
    """The webhooks of a transfer that has completed: errors, then data, then that it has."""
    asked, session = transfer.asked, transfer.session
    delivery = partial(_delivery, session=session, transfer_id=transfer.id)
    if hook := asked.error_webhook or session.asked.error_webhook:
        for failure in failures:
            yield delivery("error", hook, payload=partial(_failure, failure))
    if hook := asked.data_webhook or session.asked.data_webhook:
        for start in range(0, max(len(outcome.records), 1), BATCH):
            yield delivery("data", hook, payload=partial(_batch, transfer, outcome, start=start))
    if hook := asked.completed_webhook or session.asked.completed_webhook:
        yield delivery("completed", hook, payload=partial(_transfer, transfer, completed=True))


def concurrently(transfer: Transfer) -> bool:
    """True if a transfer's webhooks need not wait for each other's answers."""
    return bool(transfer.asked.webhook_concurrency or transfer.session.asked.webhook_concurrency)


def _delivery(
    event: str,
    hook: Webhook,
    session: Session,
    *,
    payload: Payload,
    transfer_id: str | None = None,
) -> Delivery:
    metadata = {} if hook.metadata is None else {"metadata": hook.metadata}
    return Delivery(
        event=event,
        address=hook.address,
        session_id=session.id,
        transfer_id=transfer_id,
        payload=lambda: payload() | metadata,
    )


def _transfer(transfer: Transfer, *, completed: bool) -> dict[str, object]:
    return {
        "success": True,
        "transfer_id": transfer.id,
        "session_id": transfer.session.id,
        "endgrate": {"endgrate_type": transfer.asked.endgrate_type},
        "completed": completed,
    }


def _batch(transfer: Transfer, outcome: Outcome, *, start: int) -> dict[str, object]:
    last = start + BATCH >= len(outcome.records)
    return {
        **_transfer(transfer, completed=last),
        "transfer_data": outcome.records.cut(start, start + BATCH),
        "transfer_errors": bool(outcome.troubles),
    }


def _failure(failure: Failure) -> dict[str, object]:
    return {"success": True, **failure.row(), "transfer_errors": True}


_REAUTHENTICATE = "The user's credentials are no longer valid: the session must be reauthenticated."
_NOT_CHOSEN = "The end user has not chosen this schema."


class Transfers:
    """All transfers of all sessions, with what went wrong in them."""

    def __init__(
        self, settings: Callable[[], Settings], *, clock: Callable[[], float], ledger: Ledger
    ) -> None:
        """Starts with none; `clock` tells the seconds since 1970."""
        self.news = threading.Condition()
        self.scheduler = Scheduler(self.news, clock=clock)
        self.webhook_sender = WebhookSender(settings, clock=clock, ledger=ledger)
        self.failures = Failures()
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._all: dict[str, Transfer] = {}

    def trigger(self, session: Session, asked: Pull | Push) -> Transfer:
        """Takes a transfer into the queue.

        Raises:
            ApiError: 400, it can't be executed as it stands.
        """
        with self.news:
            name = _check(session, asked)
            now = self._clock()
            transfer = Transfer(new_id(now), session, asked, session.find_resource(name), now)
            self._all[transfer.id] = transfer
            self._note("triggered", transfer, at=now)
            if session.provider is not None:
                self._start(transfer)
            return transfer

    def start_waiting(self, session: Session) -> None:
        """Starts what waited for the session's configuration."""
        with self.news:
            for transfer in self.of(session.id):
                if transfer.started is None:
                    self._start(transfer)

    def wait(self, transfer: Transfer, *, at_most: float) -> None:
        """Returns when a transfer is completed, or after so many seconds."""
        deadline = time.monotonic() + at_most
        with self.news:
            while not transfer.completed and transfer.id in self._all:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self.news.wait(left)

    def find(self, transfer_id: str | None) -> Transfer | None:
        """The transfer with this id."""
        return self._all.get(transfer_id or "")

    def of(self, session_id: str) -> list[Transfer]:
        """A session's transfers, oldest first."""
        return [each for each in self._all.values() if each.session.id == session_id]

    def forget(self, session_id: str) -> None:
        """Deletes everything that belongs to a session."""
        with self.news:
            self._all = {id_: it for id_, it in self._all.items() if it.session.id != session_id}
            self.failures.forget(session_id)
            self.webhook_sender.forget(session_id)
            self.news.notify_all()

    def clear(self) -> None:
        """Deletes everything."""
        with self.news:
            self._all.clear()
            self.scheduler.clear()
            self.failures.clear()
            self.webhook_sender.forget()

    def _start(self, transfer: Transfer) -> None:
        settings, now = self._settings(), self._clock()
        transfer.outcome = outcome = _execute(transfer, settings)
        own = settings.seconds_by_type.get(transfer.asked.endgrate_type, settings.transfer_seconds)
        transfer.started, transfer.ends = now, now + own
        self._note("started", transfer, at=now)
        self.scheduler.at(transfer.ends, partial(self._complete, transfer, outcome))
        self.scheduler.settle()

    def _complete(self, transfer: Transfer, outcome: Outcome) -> None:
        if transfer.id not in self._all:
            return
        at = self._clock() if transfer.ends is None else transfer.ends
        transfer.completed = True
        logged = [
            self.failures.add(
                trouble,
                session_id=transfer.session.id,
                transfer_id=transfer.id,
                at=at,
                endgrate=transfer.endgrate(),
            )
            for trouble in outcome.troubles
        ]
        self._note("completed", transfer, at=at)
        at_once = concurrently(transfer)
        for delivery in completion_deliveries(transfer, outcome, failures=logged):
            self.webhook_sender.send(delivery, concurrently=at_once)

    def _note(self, what: str, transfer: Transfer, *, at: float) -> None:
        kind = "pull" if isinstance(transfer.asked, Pull) else "push"
        self._ledger.add_event(
            f"{kind}_{what}",
            at=at,
            session_id=transfer.session.id,
            transfer_id=transfer.id,
            endgrate_type=transfer.resource.name,
            records=transfer.size,
        )


def _check(session: Session, asked: Pull | Push) -> str:
    """The name of the schema that is meant."""
    name = session.name_of(asked.endgrate_type)
    if name is None:
        errors = {"$.endgrate_type": "the session has no such type"}
        raise ApiError("The endgrate_type is not valid for the session.", errors=errors)
    if isinstance(asked, Pull):
        check_pull(session, asked, resource=session.find_resource(name))
    else:
        check_push(session, asked, resource=session.find_resource(name))
    return name


def _execute(transfer: Transfer, settings: Settings) -> Outcome:
    session, name = transfer.session, transfer.resource.name
    if not session.authenticated:
        return whole_failure("authentication", _REAUTHENTICATE)
    if session.name_of(name) is None:
        return whole_failure("upstream", _NOT_CHOSEN)
    if isinstance(transfer.asked, Pull):
        return pull(session, transfer.asked, name=name, settings=settings)
    return push(session, transfer.asked, name=name, settings=settings)
