"""How a request is sent and an answer's body read: one pooled session, bounds on everything."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from tempfile import SpooledTemporaryFile
from time import monotonic
from typing import IO, TYPE_CHECKING, Final, TypeVar

import requests
from requests import exceptions
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError

from functions.connectors.http_answers import ends_early
from functions.core.errors import AnswerTooLarge, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 15.0

SLACK_SECONDS: Final = 15.0
"""What a whole call may take beyond one read of the longest, the connection included."""

MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024

SLOWEST: Final = 1024 * 1024
"""Bytes per second that a download must keep up, beyond what any call may take."""

SPOOL_BYTES: Final = 1024 * 1024
"""A download that is larger than this goes to the disk."""

_POOL: Final = 16
_CHUNK: Final = 64 * 1024


class _Connection(HTTPSConnection):
    """Whatever goes wrong before TLS stands is a failure to connect.

    Otherwise a handshake that breaks off looks like an answer that does.
    """

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as fault:
            raise ConnectTimeoutError(self, "no TLS in time") from fault
        except OSError as fault:
            raise NewConnectionError(self, "no TLS") from fault


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


@cache
def session() -> requests.Session:
    """The one pooled session of this process; it reads no proxy or netrc settings.

    It keeps no cookies, for it speaks in the name of one user after the other. What urllib3
    would log is addresses, and a provider may have secrets in those.
    """
    logging.getLogger("urllib3.connectionpool").disabled = True
    pooled = requests.Session()
    pooled.trust_env = False
    pooled.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    pooled.headers["User-Agent"] = "freshet"
    adapter = HTTPAdapter(pool_maxsize=_POOL, max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = {"http": HTTPConnectionPool, "https": _Pool}
    pooled.mount("https://", adapter)
    pooled.mount("http://", adapter)
    return pooled


def leave_connections() -> None:
    """Close those that are kept open, so that the next call has one of its own.

    One that has been idle, as in a function that was frozen, may be dead without our knowing;
    what breaks on it may have been sent. On a new one, a provider that cannot be reached has
    certainly heard nothing.
    """
    session().close()


def asked(
    request: requests.Request,
    *,
    read: Callable[[requests.Response, float], T],
    turn: Callable[[], None],
    read_seconds: float = READ_SECONDS,
) -> tuple[requests.Response, T]:
    """Send a request, and read its answer's body. A broken-off GET is sent once more.

    That goes over a new connection: those that were kept open may be as dead as the first.

    Args:
        read: reads the body until the moment given, of the monotonic clock.
        turn: waits for the turn of each sending; what it raises is passed on.
        read_seconds: how long one read may take; the whole, ``SLACK_SECONDS`` more.

    Raises:
        ProviderUnavailable: there is no whole answer.
    """
    try:
        prepared = session().prepare_request(request)
    except exceptions.RequestException:
        raise ProviderUnavailable(unsent=True) from None
    turn()
    try:
        return _sent(prepared, read=read, read_seconds=read_seconds)
    except exceptions.RequestException as fault:
        if request.method != "GET" or not _broke_off(fault):
            raise ProviderUnavailable(unsent=_never_sent(fault)) from None
    turn()
    leave_connections()
    try:
        return _sent(prepared, read=read, read_seconds=read_seconds)
    except exceptions.RequestException:
        raise ProviderUnavailable from None


def whole(response: requests.Response, until: float) -> bytes:
    """The body, if it is there by then.

    Raises:
        AnswerTooLarge: it is over ``MAX_ANSWER_BYTES``.
    """
    body = bytearray()
    for chunk in _chunks(response, most=MAX_ANSWER_BYTES):
        body += chunk
        if monotonic() > until:
            raise exceptions.ReadTimeout
    return bytes(body)


def whole_json(response: requests.Response, until: float, *, accept: frozenset[int]) -> bytes:
    """The body like ``whole``; at these statuses, one whose JSON ends early has broken off.

    What does something may be answered with no body, as digi.me's trigger is.

    Raises:
        AnswerTooLarge: it is over ``MAX_ANSWER_BYTES``.
    """
    body, status = whole(response, until), response.status_code
    due = body or response.request.method == "GET"
    if due and status in accept and ends_early(body, status=status):
        raise exceptions.ConnectionError
    return body


def spooled(response: requests.Response, until: float, *, most: int) -> IO[bytes]:
    """The body as an open file; for each ``SLOWEST`` bytes there is a second more.

    Raises:
        AnswerTooLarge: it is over ``most``.
    """
    with ExitStack() as unless_whole:
        body = unless_whole.enter_context(SpooledTemporaryFile(SPOOL_BYTES))
        for chunk in _chunks(response, most=most):
            body.write(chunk)
            if monotonic() > until + body.tell() / SLOWEST:
                raise exceptions.ReadTimeout
        unless_whole.pop_all()
    body.seek(0)
    return body


def _sent(
    prepared: requests.PreparedRequest,
    *,
    read: Callable[[requests.Response, float], T],
    read_seconds: float,
) -> tuple[requests.Response, T]:
    until, timeout = monotonic() + read_seconds + SLACK_SECONDS, (CONNECT_SECONDS, read_seconds)
    with session().send(prepared, timeout=timeout, stream=True, allow_redirects=False) as response:
        return response, read(response, until)


def _broke_off(fault: exceptions.RequestException) -> bool:
    """Whether to try once more pays: a time-out has taken long enough."""
    broken = isinstance(fault, exceptions.ConnectionError | exceptions.ChunkedEncodingError)
    return broken and not isinstance(fault, exceptions.Timeout)


def _never_sent(fault: exceptions.RequestException) -> bool:
    """Whether there was no connection to send anything on.

    Only connecting fails with these two. A connection out of the pool is there already: what
    breaks on it may have been sent.
    """
    cause = fault.args[0] if fault.args else None
    return isinstance(cause, MaxRetryError) and isinstance(
        cause.reason, ConnectTimeoutError | NewConnectionError
    )


def _chunks(response: requests.Response, *, most: int) -> Iterator[bytes]:
    """The body as it comes in, so that one that drips is noticed, too."""
    received = 0
    while chunk := _next(response):
        received += len(chunk)
        if received > most:
            raise AnswerTooLarge
        yield chunk


def _next(response: requests.Response) -> bytes:
    try:
        chunk: bytes = response.raw.read1(_CHUNK, decode_content=True)
    except HTTPError:
        raise exceptions.ConnectionError from None
    return chunk
