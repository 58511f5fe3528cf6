"""The sockets under the calls: each step of a sending takes no longer than there is left of it.

A socket's timeout bounds one read only, and a server that drips a byte at a time holds a call for
minutes. So before each step, a connection gives its socket what is left of the whole call.
"""

from __future__ import annotations

import io
import logging
import math
import socket
import threading
from contextlib import ExitStack
from functools import cache
from http.client import HTTPResponse, RemoteDisconnected
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

CONNECT_SECONDS: Final = 5.0

_POOL: Final = 32
_PIECE: Final = 16 * 1024
"""Bytes sent at a time: a TLS record, as each of them takes a socket's whole timeout."""


class Sending(threading.local):
    """When this thread's sending must be over, by the monotonic clock.

    A download may move ``until`` on; ``end`` stands.
    """

    until = end = math.inf


sending: Final = Sending()


def _seconds_left(most: float = math.inf) -> float:
    """Seconds that the next step of this thread's sending may take, ``most`` of them at most.

    Raises:
        TimeoutError: there is no time left.
    """
    seconds = min(most, min(sending.until, sending.end) - monotonic())
    if seconds <= 0:
        raise TimeoutError
    return seconds


class _Incoming(io.RawIOBase):
    """Reads a connection; one read takes what is left, or the socket's own timeout.

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
    """Reads an answer so. Where the headers break off, ``http.client`` takes those that came."""

    def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:  # noqa: ANN401 - as they are
        super().__init__(sock, *args, **more)
        self._incoming = _Incoming(sock, self.fp.detach())
        self.fp = io.BufferedReader(self._incoming)

    def begin(self) -> None:
        super().begin()
        if self._incoming.ended:
            raise RemoteDisconnected("within the headers")


class Connection(HTTPConnection):
    """Connects, sends and reads within what is left of a sending.

    Whatever goes wrong before it stands, TLS included, is a failure to connect. Otherwise a
    handshake that breaks off looks like an answer that does.
    """

    response_class = _Response

    def resolve(self, host: str, port: int) -> list[str]:
        """Look a host's addresses up: what is connected to is one of them."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [str(address[0]) for *_, address in found]

    def connect(self) -> None:
        """Connect, with TLS where the scheme asks for it.

        Raises:
            ConnectTimeoutError, NewConnectionError: there is no connection.
        """
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
        for address in self.resolve(self._dns_host, self.port):
            try:
                with ExitStack() as unless_ready:
                    line = socket.create_connection(
                        (address, self.port), _seconds_left(until - monotonic())
                    )
                    unless_ready.enter_context(line)
                    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    line.settimeout(_seconds_left(until - monotonic()))
                    unless_ready.pop_all()
                    return line
            except OSError as problem:
                fault = problem
        raise fault

    def send(self, data: Any) -> None:  # noqa: ANN401 - any bytes
        """Send bytes; it connects first where it is not yet."""
        if self.sock is None:
            self.connect()
        for start in range(0, len(data), _PIECE):
            self.sock.settimeout(_seconds_left())
            super().send(data[start : start + _PIECE])


class TlsConnection(Connection, HTTPSConnection):
    """The same over TLS; a handshake takes its socket's timeout as a whole."""

    def connect(self) -> None:
        """Connect by what this process has read of the certificates that it trusts."""
        if self.ca_certs is not None:
            self.ssl_context, self.ca_certs = _read_trusted(self.ca_certs), None
        super().connect()


@cache
def _read_trusted(path: str) -> ssl.SSLContext:
    """Read a file of certificates, once: it takes ten times as long as a handshake."""
    context = create_urllib3_context()
    context.load_verify_locations(path)
    return context


class _Pool(HTTPConnectionPool):
    ConnectionCls = Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = TlsConnection


class _Session(requests.Session):
    """Follows no redirect, and reads none: an odd ``Location`` is as good as any other."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - as it is
        return None


def open_session(pools: Mapping[str, type[HTTPConnectionPool]]) -> requests.Session:
    """A pooled session for the schemes that have pools; it reads no proxy or netrc settings.

    It keeps no cookies, as it speaks in the name of one user after the other. urllib3 would log
    addresses, and those may have secrets in them.
    """
    logging.getLogger("urllib3.connectionpool").disabled = True
    pooled = _Session()
    pooled.trust_env = False
    pooled.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    pooled.headers["User-Agent"] = "freshet"
    adapter = HTTPAdapter(pool_maxsize=_POOL, max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = pools
    pooled.adapters.clear()
    for scheme in pools:
        pooled.mount(f"{scheme}://", adapter)
    return pooled


@cache
def session() -> requests.Session:
    """The one session of this process for calls to providers."""
    return open_session({"http": _Pool, "https": _TlsPool})


def leave_connections() -> None:
    """Close the connections that are kept open, so that the next call has one of its own.

    One that has been idle, as in a function that was frozen, may be dead, and what breaks on it
    may have been sent. On a new one, a provider that cannot be reached has heard nothing.
    """
    session().close()
