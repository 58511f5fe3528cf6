"""A caller of the Endgrate simulator, and a receiver of its webhooks, for the tests to use."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from werkzeug.wrappers import Response

from infra.local.simulators.endgrate import create_app
from infra.local.simulators.endgrate.provider import facts
from infra.local.simulators.server import serve
from tests.support.providers.simulated import WallClock
from tests.support.simulator_control import SimulatorControl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

CONTACT, COMPANY, DEAL = "crm-contact", "crm-company", "crm-deal"
TICKET, PAGE_VIEWS = "crm-ticket", "analytics-page_views"
NOT_COMPLETED = "Transfer has not yet completed."
UNKNOWN_ID = "ffffffffffffffffffffffff"
TIMEOUT = 10
TRANSFER_SECONDS = 0.02

Json = dict[str, Any]


class EndgrateClient(SimulatorControl):
    """A customer of Endgrate's, with the simulator's API key."""

    def __init__(self, base_url: str, clock: WallClock) -> None:
        super().__init__(base_url)
        self.clock = clock
        self.told = facts(base_url)
        self.key = str(self.told["api_key"])
        sessions = self.told["sessions"]
        assert isinstance(sessions, list)
        self.demo: dict[str, str] = {each["name"]: each["id"] for each in sessions}

    def call(
        self, method: str, path: str, key: str | None = None, **more: Any
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        return self.http.request(
            method, f"{self.base_url}{path}", headers=headers, timeout=TIMEOUT, **more
        )

    def get(self, path: str, **query: object) -> requests.Response:
        return self.call("GET", path, params=query)

    def post(self, path: str, **body: object) -> requests.Response:
        return self.call("POST", path, json=body)

    def reset(self) -> None:
        self.clock.ahead = 0.0
        super().reset()
        self.settings(transfer_seconds=TRANSFER_SECONDS, webhook_gap_seconds=0.01)

    def initiate(self, *types: str, **more: object) -> str:
        """A new session that is not configured yet, for Endgrate's own types."""
        schema = [{"endgrate_type": name} for name in types or (CONTACT,)]
        answer = self.post("/api/session/initiate", **{"schema": schema, **more})
        assert answer.status_code == 200, answer.text
        session_id: str = answer.json()["session_id"]
        return session_id

    def open_session(self, *types: str, **more: object) -> str:
        """A new session that its user has configured."""
        session_id = self.initiate(*types, **more)
        self.configure(session_id)
        return session_id

    def configure(self, session_id: str) -> None:
        self.order("configure", session_id=session_id)

    def pull(self, session_id: str, type_: str = CONTACT, **more: object) -> str:
        """A pull triggered; its id."""
        body = {"session_id": session_id, "endgrate_type": type_, **more}
        return _transfer(self.post("/api/pull/transfer", **body))

    def pull_records(self, session_id: str, type_: str = CONTACT, **more: object) -> list[Json]:
        """Everything that a pull brings, page by page."""
        transfer = self.pull(session_id, type_, synchronous=True, **more)
        return self.records(transfer, type_)

    def push(self, session_id: str, *items: Json, type_: str = CONTACT, **more: object) -> str:
        """A push triggered; its id."""
        body = {"session_id": session_id, "endgrate_type": type_, "transfer_data": items, **more}
        return _transfer(self.post("/api/push/transfer", **body))

    def push_records(self, session_id: str, *items: Json, type_: str = CONTACT) -> list[Json]:
        """The rows that a push returns."""
        transfer = self.push(session_id, *items, type_=type_, synchronous=True)
        return self.records(transfer, type_, path="push")

    def page(self, transfer: str, type_: str = CONTACT, **query: object) -> requests.Response:
        query = {"endgrate_type": type_, "transfer_id": transfer, **query}
        return self.get("/api/pull/data", **query)

    def records(self, transfer: str, type_: str = CONTACT, path: str = "pull") -> list[Json]:
        query: Json = {"endgrate_type": type_, "transfer_id": transfer}
        records: list[Json] = []
        while True:
            answer = self.get(f"/api/{path}/data", **query)
            assert answer.status_code == 200, answer.text
            records += answer.json()["transfer_data"]
            if "next" not in answer.json()["meta"]:
                return records
            query["offset"] = answer.json()["meta"]["next"]["offset"]

    def errors(self, transfer: str) -> list[Json]:
        errors: list[Json] = self.get("/api/errors", transfer_id=transfer).json()["errors"]
        return errors

    def statistics(self, transfer: str, type_: str = CONTACT) -> Json:
        statistics: Json = self.get("/api/statistics", transfer_id=transfer).json()
        return {**statistics, **statistics["statistics"][type_]}


@dataclass
class Receiver:
    """A server of the customer's that webhooks are posted to.

    Attributes:
        answers: the statuses of the next answers; 200 when there are no more.
        seconds: how long each answer takes.
        busiest: the most requests that were there at once.
    """

    base_url: str = ""
    received: list[tuple[str, Json]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    seconds: float = 0.0
    busiest: int = 0
    _there: int = 0
    _news: threading.Condition = field(default_factory=threading.Condition)

    def hook(self, event: str, **more: object) -> Json:
        return {"endpoint": f"{self.base_url}/{event}", **more}

    def hooks(self, **more: object) -> Json:
        """All four webhooks, to give when a session is initiated."""
        events = "completed", "configuration", "data", "error"
        return {f"{event}_webhook": self.hook(event, **more) for event in events}

    def take(self, event: str) -> Response:
        with self._news:
            self._there += 1
            self.busiest = max(self.busiest, self._there)
            status = self.answers.pop(0) if self.answers else 200
        time.sleep(self.seconds)
        with self._news:
            self._there -= 1
            self.received.append((event, json.loads(request.get_data())))
            self._news.notify_all()
        return Response(status=status)

    def wait(self, count: int) -> list[str]:
        """Waits for so many deliveries; the events of all that there were."""
        self._until(lambda: len(self.received) >= count)
        return [event for event, _ in self.received]

    def payloads(self, event: str) -> list[Json]:
        """Waits for a delivery of an event; the payloads of all that there were."""
        self._until(lambda: any(each == event for each, _ in self.received))
        return [payload for each, payload in self.received if each == event]

    def _until(self, there: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(there, timeout=5), self.received


@contextmanager
def open_endgrate() -> Iterator[EndgrateClient]:
    """A simulator of its own, with a clock that can be put ahead."""
    clock = WallClock()
    with serve(create_app(clock=clock)) as base_url:
        caller = EndgrateClient(base_url, clock)
        with caller.http:
            yield caller
            caller.reset()  # what it has to deliver yet would go out during other tests


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    receiver, app = Receiver(), Flask("receiver")
    app.add_url_rule("/<event>", view_func=receiver.take, methods=["POST"])
    with serve(app) as receiver.base_url:
        yield receiver


def is_error(response: requests.Response, status: int = 400, *, at: str | None = None) -> bool:
    """True if this is Endgrate's Error object; `at` is a place that its `errors` must name."""
    body = response.json()
    return (
        response.status_code == status
        and isinstance(body["message"], str)
        and body.keys() <= {"message", "errors"}
        and (at is None or at in body["errors"])
    )


def _transfer(answer: requests.Response) -> str:
    assert answer.status_code == 200, answer.text
    assert answer.json()["success"] is True
    transfer: str = answer.json()["transfer_id"]
    return transfer
