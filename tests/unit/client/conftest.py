"""An API that answers as a test says, a time in which nobody sleeps, and no sockets."""

from __future__ import annotations

import inspect
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from pytest_socket import disable_socket, enable_socket

from freshet_client import AsyncClient, Client, exchange, issuers, tokens, watching
from freshet_client.calls import refreshes
from freshet_client.flows import runners

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

API = "https://freshet.example/v1"
TOKEN = "head.cGF5bG9hZA.secret-signature"
TIMED = (exchange, issuers, refreshes, runners, tokens, watching)


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now, self.slept = 1_800_000_000.0, list[float]()

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


async def at_once(work: Callable[[], Any]) -> Any:
    return work()


class Script:
    """Gives one answer after the other, the last again and again, and keeps what was asked."""

    def __init__(self) -> None:
        self._answers: list[Any] = []
        self.asked: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, body, headers = answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx2.Response(status, headers=headers, stream=httpx2.ByteStream(content))

    def answer(self, *answers: Any) -> None:
        """Each is an error to raise, or the status, the body and the headers of an answer."""
        self._answers = [*answers]

    def body(self, number: int = -1) -> Any:
        return json.loads(self.asked[number].content)

    @property
    def paths(self) -> list[str]:
        return [each.url.raw_path.decode().removeprefix("/v1") for each in self.asked]


def ok(body: Any = None, status: int = 200, **headers: str) -> tuple[int, Any, dict[str, str]]:
    return status, body, headers


def refused(status: int, name: str, action: str = "retry", **headers: str) -> Any:
    told = {"type": f"urn:freshet:problem:{name}", "title": "No", "status": status}
    return status, {**told, "detail": f"It is {name}.", "action": action}, headers


def complete(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run what never has to wait, as neither time nor network is real."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


class Either:
    """Calls a client in the same way, whether it blocks or is awaited."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client

    def __call__(self, name: str, *args: Any, **named: Any) -> Any:
        found = getattr(self.client, name)(*args, **named)
        return complete(found) if inspect.iscoroutine(found) else found

    @staticmethod
    def all(found: Any) -> list[Any]:
        """What an iterator gives."""

        async def collect() -> list[Any]:
            return [each async for each in found]

        return complete(collect()) if hasattr(found, "__aiter__") else list(found)


@pytest.fixture(autouse=True)
def _no_sockets() -> Iterator[None]:
    """None but the pair by which an event loop wakes itself."""
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    for module in TIMED:
        monkeypatch.setattr(module, "time", found)
    monkeypatch.setattr("anyio.sleep", found.sleep_async)
    monkeypatch.setattr("anyio.to_thread.run_sync", at_once)
    monkeypatch.setattr(exchange, "random", SimpleNamespace(uniform=lambda _least, most: most))
    return found


@pytest.fixture
def api(clock: Time) -> Script:  # noqa: ARG001 - a call may sleep
    return Script()


@pytest.fixture(params=["blocking", "awaited"])
def client(request: pytest.FixtureRequest, api: Script) -> Iterator[Either]:
    transport = httpx2.MockTransport(api)
    if request.param == "blocking":
        with Client(api=API, token=TOKEN, http=httpx2.Client(transport=transport)) as blocking:
            yield Either(blocking)
    else:
        http = httpx2.AsyncClient(transport=transport)
        awaited = AsyncClient(api=API, token=TOKEN, http=http)
        yield Either(awaited)
        complete(awaited.aclose())
