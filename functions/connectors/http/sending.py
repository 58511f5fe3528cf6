"""How a request is sent and an answer's body read: one pooled session, bounds on everything.

A socket's timeout bounds one read only, and a server that drips a byte at a time holds a call for
minutes. So before each step, a connection gives its socket what is left of the whole call.
"""

from __future__ import annotations

import io
import logging
import math
import socket
import threading
from codecs import BOM_UTF8
from contextlib import ExitStack
from functools import cache
from http.client import HTTPResponse, RemoteDisconnected
from http.cookiejar import DefaultCookiePolicy
from tempfile import SpooledTemporaryFile
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

import requests
from requests import exceptions
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
)

from functions.connectors.http.answers import ends_early
from functions.core.errors import AnswerTooLarge, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 15.0

SLACK_SECONDS: Final = 15.0
"""What a whole sending may take beyond one read of the longest, the connection included."""

MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024

SLOWEST: Final = 1024 * 1024
"""Bytes per second that a download must keep up, beyond what any call may take."""

SPOOL_BYTES: Final = 1024 * 1024
"""A download that is larger than this goes to the disk."""

_POOL: Final = 16
_CHUNK: Final = 64 * 1024
_PIECE: Final = 16 * 1024
"""What is sent at a time: a TLS record, as each of them takes a socket's whole timeout."""


class _Sending(threading.local):
    """What this thread is sending: when, by the monotonic clock, it must be over.

    A download may move ``until`` on; ``end`` stands.
    """

    until = end = math.inf


_sending: Final = _Sending()


def _seconds_left(most: float = math.inf) -> float:
    """Seconds that the next step of this thread's sending may take, ``most`` of them at most.

    Raises:
        TimeoutError: there is no time left.
    """
    seconds = min(most, min(_sending.until, _sending.end) - monotonic())
    if seconds <= 0:
        raise TimeoutError
    return seconds


class _Incoming(io.RawIOBase):
    """What comes in on a connection; one read takes ``most`` seconds, or what is left.

    ``ended`` says that the other side has sent its last.
    """

    def __init__(self, line: socket.socket, raw: io.RawIOBase) -> None:
        self._line, self._raw, self._most = line, raw, line.gettimeout() or math.inf
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any buffer
        self._line.settimeout(_seconds_left(self._most))
        received = self._raw.readinto(buffer)
        self.ended = received == 0
        return received

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """An answer that is read so: its first line, its headers and its body.

    Where the headers break off, ``http.client`` takes those that came for all.
    """

    def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:  # noqa: ANN401 - as they are
        super().__init__(sock, *args, **more)
        self._incoming = _Incoming(sock, self.fp.detach())
        self.fp = io.BufferedReader(self._incoming)

    def begin(self) -> None:
        super().begin()
        if self._incoming.ended:
            raise RemoteDisconnected("within the headers")


class _Connection(HTTPConnection):
    """Connects, sends and reads within what is left of a sending.

    Whatever goes wrong before it stands, TLS included, is a failure to connect. Otherwise a
    handshake that breaks off looks like an answer that does.
    """

    response_class = _Response

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as fault:
            raise ConnectTimeoutError(self, "no connection in time") from fault
        except (OSError, UnicodeError) as fault:
            raise NewConnectionError(self, "no connection") from fault

    def _new_conn(self) -> socket.socket:
        """A connection to the first of the host's addresses that takes one."""
        until = monotonic() + CONNECT_SECONDS
        fault = OSError("no address")
        for *_, address in socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM):
            place = (str(address[0]), self.port)
            try:
                line = socket.create_connection(place, _seconds_left(until - monotonic()))
            except OSError as problem:
                fault = problem
            else:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line.settimeout(_seconds_left(until - monotonic()))
                return line
        raise fault

    def send(self, data: Any) -> None:  # noqa: ANN401 - any bytes
        if self.sock is None:
            self.connect()
        for start in range(0, len(data), _PIECE):
            self.sock.settimeout(_seconds_left())
            super().send(data[start : start + _PIECE])


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS; a handshake takes its socket's timeout as a whole."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Session(requests.Session):
    """Follows no redirect, and reads none: an odd ``Location`` is as good as any other."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - as it is
        return None


@cache
def session() -> requests.Session:
    """The one pooled session of this process; it reads no proxy or netrc settings.

    It keeps no cookies, for it speaks in the name of one user after the other. What urllib3
    would log is addresses, and a provider may have secrets in those.
    """
    logging.getLogger("urllib3.connectionpool").disabled = True
    pooled = _Session()
    pooled.trust_env = False
    pooled.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    pooled.headers["User-Agent"] = "freshet"
    adapter = HTTPAdapter(pool_maxsize=_POOL, max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
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


def send(
    request: requests.Request,
    *,
    read: Callable[[requests.Response], T],
    turn: Callable[[], None],
    left: Callable[[], float],
    read_seconds: float = READ_SECONDS,
    least_seconds: float = 0,
) -> tuple[requests.Response, T]:
    """Send a request, and read its answer's body. A broken-off GET is sent once more.

    That goes over a new connection: those that were kept open may be as dead as the first.

    Args:
        read: reads the body.
        turn: waits for the turn of each sending; what it raises is passed on.
        left: how many seconds there are for all of it; it is asked before each sending, and
            where there are none, nothing is sent.
        read_seconds: how long one read may take; a whole sending, ``SLACK_SECONDS`` more.
        least_seconds: how long a sending may take though less is left.

    Raises:
        ProviderUnavailable: there is no whole answer.
    """
    try:
        prepared = session().prepare_request(request)
    except exceptions.RequestException:
        raise ProviderUnavailable(unsent=True) from None
    turn()
    if left() <= 0:
        raise ProviderUnavailable(unsent=True)
    try:
        given = max(left(), least_seconds)
        return _send_once(prepared, read=read, read_seconds=read_seconds, left=given)
    except exceptions.RequestException as fault:
        if request.method != "GET" or not _broke_off(fault):
            raise ProviderUnavailable(unsent=_is_unsent(fault)) from None
    turn()
    leave_connections()
    try:
        return _send_once(prepared, read=read, read_seconds=read_seconds, left=left())
    except exceptions.RequestException:
        raise ProviderUnavailable from None


def read_body(response: requests.Response, *, accept: frozenset[int]) -> bytes:
    """The body at these statuses. At any other, none is read: the status and headers say it all.

    Raises:
        AnswerTooLarge: it is over ``MAX_ANSWER_BYTES``.
    """
    body = bytearray()
    if response.status_code in accept:
        for chunk in _chunks(response, most=MAX_ANSWER_BYTES):
            body += chunk
    return bytes(body)


def read_json(response: requests.Response, *, accept: frozenset[int]) -> bytes:
    """The body like ``read_body``, without a byte order mark; JSON that ends early has broken off.

    What does something may be answered with no body, as digi.me's trigger is.

    Raises:
        AnswerTooLarge: it is over ``MAX_ANSWER_BYTES``.
    """
    body = read_body(response, accept=accept).removeprefix(BOM_UTF8)
    status = response.status_code
    due = body or (response.request.method == "GET" and status in accept)
    if due and ends_early(body, status=status):
        raise exceptions.ConnectionError
    return body


def spool(response: requests.Response, *, most: int) -> IO[bytes]:
    """The body as an open file; for each ``SLOWEST`` bytes there is a second more.

    Raises:
        AnswerTooLarge: it is over ``most``.
    """
    until = _sending.until
    with ExitStack() as unless_whole:
        body = unless_whole.enter_context(SpooledTemporaryFile(SPOOL_BYTES))
        for chunk in _chunks(response, most=most):
            body.write(chunk)
            _sending.until = until + body.tell() / SLOWEST
        unless_whole.pop_all()
    body.seek(0)
    return body


def _send_once(
    prepared: requests.PreparedRequest,
    *,
    read: Callable[[requests.Response], T],
    read_seconds: float,
    left: float,
) -> tuple[requests.Response, T]:
    now, timeout = monotonic(), (CONNECT_SECONDS, read_seconds)
    _sending.until, _sending.end = now + read_seconds + SLACK_SECONDS, now + left
    with session().send(prepared, timeout=timeout, stream=True, allow_redirects=False) as response:
        return response, read(response)


def _broke_off(fault: exceptions.RequestException) -> bool:
    """Whether to try once more pays: a time-out has taken long enough."""
    broken = isinstance(fault, exceptions.ConnectionError | exceptions.ChunkedEncodingError)
    return broken and not isinstance(fault, exceptions.Timeout)


def _is_unsent(fault: exceptions.RequestException) -> bool:
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
    except ReadTimeoutError:
        raise exceptions.ReadTimeout from None
    except HTTPError:
        raise exceptions.ConnectionError from None
    return chunk
