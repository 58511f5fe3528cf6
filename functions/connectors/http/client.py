"""Sends requests to a provider: one table of outcomes, bounds on everything.

Nothing of a request or an answer ever enters an error's text.
"""

from __future__ import annotations

import math
import re
from codecs import BOM_UTF8
from contextlib import ExitStack, suppress
from functools import partial
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from requests import exceptions
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
)

from functions.connectors.http.answers import (
    Answer,
    Download,
    TokenRefused,
    ends_early,
    log_refusal,
    retry_after,
)
from functions.connectors.http.sockets import CONNECT_SECONDS, leave_connections, sending, session
from functions.core.errors import (
    AnswerTooLarge,
    ConfigurationInvalid,
    FreshetError,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping

    from functions.core.contract import Clock, Scalar
    from functions.core.ports import Budget

    Refusals = Mapping[int, type[FreshetError]]

T = TypeVar("T")

READ_SECONDS: Final = 15.0
SLACK_SECONDS: Final = 15.0
"""The most that a whole sending takes beyond one read, the connection included."""

MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
SLOWEST: Final = 1024 * 1024
"""Bytes per second that a download must keep up, beyond what any call may take."""

REFUSAL_SECONDS: Final = 1.0
"""How long a refusal is read, for the code in it."""

SPOOL_BYTES: Final = 1024 * 1024
"""A download that is larger than this goes to the disk."""

OK: Final = frozenset({HTTPStatus.OK})
DONE: Final = frozenset(range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES))
"""The statuses with which what was asked for is done."""

JSON: Final = "application/json"

_ADDRESS: Final = re.compile(r"https?://[^\s?#@\\]+", re.IGNORECASE)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_STEPS: Final = frozenset({".", ".."})
_CHUNK: Final = 256 * 1024


def origin(url: str) -> str:
    """The configured address of a provider without a trailing slash.

    Raises:
        ConfigurationInvalid: it is not HTTPS, unless it is on this machine's loopback; or it
            has a user, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        sound = _ADDRESS.fullmatch(url) and parts.hostname and parts.port != 0
    except ValueError:
        raise ConfigurationInvalid from None
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not sound or not (local or parts.scheme == "https"):
        raise ConfigurationInvalid
    return url.rstrip("/")


class Http:
    """Calls below one address."""

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        budget: Budget | None = None,
        left: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """Take the address, a clock to read a Retry-After date by, and the provider's budget.

        ``left`` tells how many seconds there are for a call.
        """
        self._base_url = origin(base_url)
        self._clock, self._budget, self._left = clock, budget, left

    def call(  # noqa: PLR0913 - all that calls differ in, by name
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, Scalar] | None = None,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
        refusals: Refusals | None = None,
        accept: Container[int] = OK,
        read_seconds: float = READ_SECONDS,
        least_seconds: float = 0,
        at_once: bool = False,
    ) -> Answer:
        """Send one request and give its answer. A broken-off GET is sent once more.

        JSON is asked for, unless ``Accept`` says otherwise; where it ends early, it broke off.

        Args:
            refusals: which error a status means for this call, before the general table.
            accept: statuses that are answers.
            read_seconds: how long the provider may keep silent. A whole sending may take
                ``SLACK_SECONDS`` more, and all of it no longer than there is time left.
            least_seconds: how long a sending may take though less is left, where giving up on it
                costs more than being late.
            at_once: do not wait for a turn in the budget, but raise ``RateLimited``.

        Raises:
            TokenRefused: 401.
            RateLimited, ProviderUnavailable: 429, or the budget is spent; 408, 5xx, no
                connection, a time-out, half an answer. ``ProviderUnavailable.unsent`` says that
                nothing was sent.
            UnexpectedAnswer: any other status, redirects among them; or a path that leads out of
                its place, which is not sent.
            AnswerTooLarge: the body is over ``MAX_ANSWER_BYTES``.
        """
        data = form if json is None else msgspec.json.encode(json)  # parts of it may be raw
        typed = {"Accept": JSON} if json is None else {"Accept": JSON, "Content-Type": JSON}
        headers = {**typed, **headers}
        return self._send(
            requests.Request(
                method, self._address(path), headers=headers, params=params, data=data
            ),
            read=_read_json if headers["Accept"] == JSON else _read_answer,
            accept=accept,
            refusals=refusals or {},
            read_seconds=read_seconds,
            least_seconds=least_seconds,
            at_once=at_once,
        )

    def download(
        self, path: str, *, headers: Mapping[str, str], most: int, accept: Container[int] = OK
    ) -> Download:
        """GET a body of up to ``most`` bytes into a temporary file.

        For each ``SLOWEST`` bytes of it there is a second more.

        Raises:
            TokenRefused, RateLimited, ProviderUnavailable, UnexpectedAnswer: as for any call.
            AnswerTooLarge: the body is over ``most``.
        """
        request = requests.Request("GET", self._address(path), headers=headers)
        return self._send(request, read=partial(_spool, most=most), accept=accept, refusals={})

    def _send(
        self,
        request: requests.Request,
        *,
        read: Callable[[requests.Response], T],
        accept: Container[int],
        refusals: Refusals,
        read_seconds: float = READ_SECONDS,
        least_seconds: float = 0,
        at_once: bool = False,
    ) -> T:
        """Send a request and read its answer; what is refused is logged.

        A second try goes over a new connection: those kept open may be as dead as the first.
        """
        try:
            prepared = session().prepare_request(request)
        except exceptions.RequestException:
            raise ProviderUnavailable(unsent=True) from None

        def send_once(*, left: float) -> T:
            now, timeout = monotonic(), (CONNECT_SECONDS, read_seconds)
            sending.until, sending.end = now + read_seconds + SLACK_SECONDS, now + left
            with session().send(
                prepared, timeout=timeout, stream=True, allow_redirects=False
            ) as response:
                if response.status_code not in accept:
                    raise self._refuse(response, refusals)
                return read(response)

        self._take_turn(at_once=at_once)
        if self._left() <= 0:
            raise ProviderUnavailable(unsent=True)
        try:
            return send_once(left=max(self._left(), least_seconds))
        except exceptions.RequestException as fault:
            if request.method != "GET" or not _broke_off(fault):
                raise ProviderUnavailable(unsent=_is_unsent(fault)) from None
        self._take_turn(at_once=at_once)
        leave_connections()
        try:
            return send_once(left=self._left())
        except exceptions.RequestException:
            raise ProviderUnavailable from None

    def _address(self, path: str) -> str:
        """The address of a path, whose parts are quoted.

        Raises:
            UnexpectedAnswer: a part of it is nothing but a step, and so leads out of its place.
        """
        if not _STEPS.isdisjoint(path.split("/")):
            raise UnexpectedAnswer
        return self._base_url + path

    def _take_turn(self, *, at_once: bool) -> None:
        if self._budget is not None:
            self._budget.take(at_once=at_once)

    def _refuse(self, response: requests.Response, refusals: Refusals) -> Exception:
        """The table of outcomes. The refusal is logged."""
        status = response.status_code
        log_refusal(status, response.headers, _read_refusal(response))
        wait = retry_after(response.headers.get("Retry-After"), at=self._clock())
        meanings: dict[int, type[Exception]] = {HTTPStatus.UNAUTHORIZED: TokenRefused, **refusals}
        if status in meanings:
            return meanings[status]()
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            if self._budget is not None:
                self._budget.pause(wait)
            return RateLimited(wait_seconds=wait)
        if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ProviderUnavailable(wait_seconds=wait)
        return UnexpectedAnswer()


def _broke_off(fault: exceptions.RequestException) -> bool:
    """Tell whether to try once more pays: a time-out has taken long enough."""
    broken = isinstance(fault, exceptions.ConnectionError | exceptions.ChunkedEncodingError)
    return broken and not isinstance(fault, exceptions.Timeout)


def _is_unsent(fault: exceptions.RequestException) -> bool:
    """Tell whether there was no connection to send anything on.

    Only connecting fails with these two. A connection out of the pool is there already: what
    breaks on it may have been sent.
    """
    cause = fault.args[0] if fault.args else None
    return isinstance(cause, MaxRetryError) and isinstance(
        cause.reason, ConnectTimeoutError | NewConnectionError
    )


def _read_refusal(response: requests.Response) -> bytes:
    """The body of a refusal; empty where it is long or does not come at once."""
    sending.until = min(sending.until, monotonic() + REFUSAL_SECONDS)
    with suppress(exceptions.RequestException, AnswerTooLarge):
        return b"".join(_read_chunks(response, most=_CHUNK))
    return b""


def _read_answer(response: requests.Response) -> Answer:
    body = b"".join(_read_chunks(response, most=MAX_ANSWER_BYTES))
    log_refusal(response.status_code, response.headers, body)
    return Answer(status=response.status_code, headers=response.headers, body=body)


def _read_json(response: requests.Response) -> Answer:
    """The answer without a byte order mark; JSON that ends early has broken off.

    What does something may be answered with no body, as digi.me's trigger is.
    """
    answer = _read_answer(response)
    body = answer.body.removeprefix(BOM_UTF8)
    due = body or response.request.method == "GET"
    if due and ends_early(body, status=answer.status):
        raise exceptions.ConnectionError
    return Answer(status=answer.status, headers=answer.headers, body=body)


def _spool(response: requests.Response, *, most: int) -> Download:
    until = sending.until
    with ExitStack() as unless_whole:
        body = unless_whole.enter_context(SpooledTemporaryFile(SPOOL_BYTES))
        for chunk in _read_chunks(response, most=most):
            body.write(chunk)
            sending.until = until + body.tell() / SLOWEST
        unless_whole.pop_all()
    body.seek(0)
    log_refusal(response.status_code, response.headers, b"")
    return Download(status=response.status_code, headers=response.headers, body=body)


def _read_chunks(response: requests.Response, *, most: int) -> Iterator[bytes]:
    """The body as it comes in, so that one that drips is noticed, too."""
    received = 0
    while True:
        try:
            chunk = response.raw.read1(_CHUNK, decode_content=True)
        except ReadTimeoutError:
            raise exceptions.ReadTimeout from None
        except HTTPError:
            raise exceptions.ConnectionError from None
        if not chunk:
            return
        received += len(chunk)
        if received > most:
            raise AnswerTooLarge
        yield chunk
