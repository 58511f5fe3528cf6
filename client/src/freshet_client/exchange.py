"""A call: built as data, sent with a token, repeated where that is safe, and understood."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import httpx2
import msgspec

from freshet_client.errors import (
    AnswerInvalid,
    NotFound,
    Problem,
    Unauthorized,
    Unreachable,
    problem,
)
from freshet_client.flows.effects import Fetch, Lost, Send, Sleep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freshet_client.flows.effects import Flow
    from freshet_client.flows.sink import Sink
    from freshet_client.tokens import TokenSource

T = TypeVar("T")

AGENT: Final = f"freshet-client/{version('freshet-client')}"
REPEATED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
OPERATOR: Final = "contact_operator"
SAFE: Final = frozenset({"GET", "PUT", "PATCH", "DELETE"})
CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = 35
"""The API answers in 29 seconds, long polls too."""

TIMEOUT: Final = httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": AGENT}
FILE_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": AGENT}

FIRST_SECONDS: Final = 0.25
MOST_SECONDS: Final = 20


@dataclass(frozen=True)
class Call(Generic[T]):
    """A call of the API.

    Args:
        method: of HTTP.
        path: below ``/v1``.
        answer: what its body is; ``type(None)`` where it has none.
        query: parameters.
        body: JSON.
        headers: besides those that every call has.
        key: the idempotency key, the same in all attempts.
        repeatable: it does the same once and twice, though its method does not say so.
        is_open: it needs no token, so none is sent.
    """

    method: str
    path: str
    answer: type[T]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    repeatable: bool = False
    is_open: bool = False

    @property
    def may_repeat(self) -> bool:
        """Whether it may be sent again though it may have arrived."""
        return self.repeatable or self.key is not None or self.method in SAFE


class Exchange:
    """Sends calls to one API with one source of tokens.

    Args:
        api: the address of the API, which ends in ``/v1``.
        tokens: where the access tokens are from.
        attempts: how often a call is sent at the most.
        timeout: how many seconds a call may take with all its attempts.
    """

    def __init__(self, api: str, tokens: TokenSource, *, attempts: int, timeout: float) -> None:
        self.api, self.tokens = api, tokens
        self._attempts, self._timeout = attempts, timeout

    def send(self, call: Call[T]) -> Flow[T]:
        """Send a call until it is answered for good; its answer.

        Raises:
            Problem: the API refused it, or could not do it in all attempts.
            Unreachable: the last attempt had no answer.
            AnswerInvalid: the answer is not what it should be.
            TokenError: there is no token to send.
        """
        until = time.monotonic() + self._timeout
        attempt, renewed = 0, call.is_open
        while True:
            attempt += 1
            token = "" if call.is_open else (yield from self.tokens.token())
            answer = yield Send(self._build(call, token=token))
            error = find_error(answer)
            if error is None:
                return _decode(answer, call.answer)
            if isinstance(error, Unauthorized) and not renewed:
                renewed = True
                if (yield from self.tokens.renew(token)):
                    continue
            if isinstance(error, NotFound) and attempt > 1 and _deletes(call):
                return cast("T", None)  # an attempt before, whose answer was lost, has done it
            arrived = not isinstance(answer, Lost) or answer.sent
            wait = wait_before(attempt, error)
            if (
                (arrived and not call.may_repeat)
                or not is_passing(error)
                or attempt >= self._attempts
                or time.monotonic() + wait > until
            ):
                raise error
            yield Sleep(wait)

    def download(self, url: str, sink: Sink) -> Flow[int]:
        """Download a file from an address that needs no token; the answer's last status.

        Raises:
            Unreachable: the last attempt had no answer.
            FileDamaged: the file is another.
        """
        until = time.monotonic() + self._timeout
        attempt = 0
        while True:
            attempt += 1
            answer: int | Lost = yield Fetch(httpx2.Request("GET", url, headers=FILE_HEADERS), sink)
            if not isinstance(answer, Lost) and answer not in REPEATED:
                return answer
            wait = wait_before(attempt, None)
            if attempt >= self._attempts or time.monotonic() + wait > until:
                if isinstance(answer, Lost):
                    raise Unreachable(f"No answer has come: {answer.why}.")
                return answer
            yield Sleep(wait)

    def _build(self, call: Call[Any], *, token: str) -> httpx2.Request:
        headers = {
            **HEADERS,
            **call.headers,
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **({"Idempotency-Key": call.key} if call.key else {}),
            **({"Content-Type": "application/json"} if call.body is not None else {}),
        }
        return httpx2.Request(
            call.method,
            self.api + call.path,
            params={name: _text(value) for name, value in call.query.items()} or None,
            headers=headers,
            content=None if call.body is None else msgspec.json.encode(call.body),
            extensions={"timeout": TIMEOUT.as_dict()},
        )


def find_error(answer: httpx2.Response | Lost) -> Problem | Unreachable | None:
    """What is wrong with an answer; None if nothing."""
    if isinstance(answer, Lost):
        return Unreachable(f"No answer has come: {answer.why}.")
    if answer.is_success:
        return None
    try:
        told = msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.DecodeError:
        told = {"title": answer.reason_phrase}
    return problem(told, status=answer.status_code, retry_after=_read_wait(answer.headers))


def is_passing(error: Problem | Unreachable) -> bool:
    """Whether the same may well be answered when it is sent again."""
    if isinstance(error, Unreachable):
        return True
    return error.status in REPEATED and error.action != OPERATOR


def wait_before(attempt: int, error: Problem | Unreachable | None) -> float:
    """For how many seconds to wait after an attempt: as told, or at random, longer each time."""
    if isinstance(error, Problem) and error.retry_after is not None:
        return error.retry_after
    return random.uniform(0, min(MOST_SECONDS, FIRST_SECONDS * 2**attempt))  # noqa: S311


def _decode(answer: httpx2.Response, shape: type[T]) -> T:
    if shape is type(None):
        return None
    try:
        return msgspec.json.decode(answer.content, type=shape)
    except msgspec.DecodeError as error:  # its text tells of the place, and of no value
        raise AnswerInvalid(f"The API's answer is not as described: {error}") from None


def _deletes(call: Call[Any]) -> bool:
    return call.method == "DELETE" and call.answer is type(None)


def _read_wait(headers: Mapping[str, str]) -> float | None:
    """The seconds of ``Retry-After``, which may be a moment; None where there is none."""
    told = headers.get("Retry-After", "")
    if told.isascii() and told.isdigit():
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
