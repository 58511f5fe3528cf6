"""Delivers webhooks.

Endgrate's guide on webhooks: a payload is posted to the endpoint and acknowledged with 200; the
next is held back until the answer to the last has come, unless the caller asked for concurrency.
What happens to one that is not acknowledged is not documented: it is tried a few times.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.simulators.endgrate.settings import Settings
    from infra.local.simulators.ledger import Ledger

_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One webhook to deliver; its payload is made when its turn has come."""

    event: str
    address: str
    session_id: str
    transfer_id: str | None
    payload: Callable[[], dict[str, object]]


@dataclass(slots=True)
class _Lane:
    """Letters that wait for each other, and how many may be on their way at once."""

    width: int
    waiting: deque[Letter] = field(default_factory=deque)
    workers: int = 0
    closed: bool = False


class Courier:
    """Carries the letters of each session in their order."""

    def __init__(
        self, settings: Callable[[], Settings], *, clock: Callable[[], float], ledger: Ledger
    ) -> None:
        """Starts idle; every try is noted in the ledger."""
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._lock = threading.Lock()
        self._lanes: dict[tuple[str, int], _Lane] = {}

    def send(self, letter: Letter, *, concurrently: bool) -> None:
        """Has a letter delivered, after those of its session that were sent before."""
        width = _AT_ONCE if concurrently else 1
        with self._lock:
            lane = self._lanes.setdefault((letter.session_id, width), _Lane(width))
            lane.waiting.append(letter)
            if lane.workers < lane.width:
                lane.workers += 1
                threading.Thread(target=self._work, args=(lane,), daemon=True).start()

    def forget(self, session_id: str | None = None) -> None:
        """Drops what has not been delivered, of one session or of all."""
        with self._lock:
            for key in [key for key in self._lanes if session_id in {key[0], None}]:
                lane = self._lanes.pop(key)
                lane.closed = True
                lane.waiting.clear()

    def _work(self, lane: _Lane) -> None:
        with requests.Session() as http:
            http.trust_env = False
            while letter := self._next(lane):
                self._deliver(letter, http, lane=lane)

    def _next(self, lane: _Lane) -> Letter | None:
        with self._lock:
            if lane.waiting:
                return lane.waiting.popleft()
            lane.workers -= 1
            return None

    def _deliver(self, letter: Letter, http: requests.Session, *, lane: _Lane) -> None:
        body, settings = msgspec.json.encode(letter.payload()), self._settings()
        for number in range(1, settings.webhook_tries + 1):
            if number > 1:
                time.sleep(settings.webhook_gap_seconds)
            if lane.closed:
                return
            at = self._clock()
            status = _post(http, letter, body=body, timeout=settings.webhook_timeout_seconds)
            if not lane.closed:
                self._note(letter, at=at, number=number, status=status)
            if status == HTTPStatus.OK:
                return

    def _note(self, letter: Letter, *, at: float, number: int, status: int | None) -> None:
        self._ledger.happened(
            "webhook",
            at=at,
            event=letter.event,
            session_id=letter.session_id,
            transfer_id=letter.transfer_id,
            attempt=number,
            status=status,
            acknowledged=status == HTTPStatus.OK,
        )


def _post(http: requests.Session, letter: Letter, *, body: bytes, timeout: float) -> int | None:
    headers = {"Content-Type": "application/json"}
    try:
        answer = http.post(
            letter.address, data=body, headers=headers, timeout=timeout, allow_redirects=False
        )
    except requests.RequestException:
        return None
    return answer.status_code
