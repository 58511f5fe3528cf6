"""Sends requests to the endpoints of applications: the only place that calls their addresses.

An address is looked up once for a connection, all that is found is judged, and only that is
connected to; TLS verifies the name. No redirect is followed, and no cookie, proxy or netrc is
used. A request is bounded in time as a whole and its answer in size, and nothing of an answer but
its status and ``Retry-After`` is kept, logged or shown.
"""

from __future__ import annotations

import socket
import ssl
from time import monotonic
from typing import TYPE_CHECKING, Final

from requests.exceptions import RequestException
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError

from functions.connectors.http.answers import retry_after
from functions.connectors.http.sockets import (
    CONNECT_SECONDS,
    Connection,
    TlsConnection,
    open_session,
    sending,
)
from functions.core.delivery.model import SendError
from functions.core.delivery.ports import Sent
from functions.core.errors import EndpointRefused, InvalidRequest
from functions.outbound.addresses import read_place, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    import requests

    from functions.core.contract import Clock

WHOLE_SECONDS: Final = 20.0
"""How long a request may take, with its answer."""

MAX_ANSWER_BYTES: Final = 64 * 1024
"""How much of an answer is read, to be thrown away. A longer one costs its connection."""

KEEP_SECONDS: Final = 5.0
"""How long connections are kept that nothing is sent on. After a pause, as in a function that was
frozen, one may be dead, and what breaks on it would count as the endpoint's fault."""

_CHUNK: Final = 16 * 1024

_HEADERS: Final = {
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "Freshet-Webhooks/1",
}


class _Public(TlsConnection):
    def resolve(self, host: str, port: int) -> list[str]:
        return resolve(host, port)


class _Local(Connection):
    def resolve(self, host: str, port: int) -> list[str]:
        return resolve(host, port, loopback=True)


class _LocalTls(_Local, TlsConnection):
    """The same over TLS."""


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _Public


class _LocalPool(HTTPConnectionPool):
    ConnectionCls = _Local


class _LocalTlsPool(HTTPSConnectionPool):
    ConnectionCls = _LocalTls


class HttpSender:
    """Sends requests. Threads may share it."""

    def __init__(self, *, clock: Clock, loopback: bool = False) -> None:
        """Take a clock to read a Retry-After date by.

        Args:
            loopback: whether this machine's own addresses are called, too.
        """
        self._clock, self._loopback = clock, loopback
        self._session = open_session(
            {"http": _LocalPool, "https": _LocalTlsPool} if loopback else {"https": _PublicPool}
        )
        self._session.headers.update(_HEADERS)
        self._used_at = monotonic()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self._session.close()

    def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Sent:
        """POST JSON, and tell how it was answered; nothing of that raises.

        An answer that has not ended after ``WHOLE_SECONDS`` counts for nothing, whatever its
        status.
        """
        began, used_at = monotonic(), self._used_at
        self._used_at = began
        if began - used_at > KEEP_SECONDS:
            self._session.close()
        status, wait = 0, None
        error: SendError | None = None
        try:
            read_place(url, loopback=self._loopback)
            sending.until = sending.end = began + WHOLE_SECONDS
            with self._session.post(
                url,
                headers=headers,
                data=body,
                timeout=(CONNECT_SECONDS, WHOLE_SECONDS),
                stream=True,
                allow_redirects=False,
            ) as response:
                _drop_body(response)
                status = response.status_code
                wait = retry_after(response.headers.get("Retry-After"), at=self._clock()) or None
        except (EndpointRefused, InvalidRequest):
            error = SendError.ADDRESS_REFUSED
        except (RequestException, HTTPError) as fault:
            error = _name(fault)
        took = round((monotonic() - began) * 1000)
        return Sent(milliseconds=took, status=status, error=error, retry_after=wait)


def _drop_body(response: requests.Response) -> None:
    """Read what there is of an answer, so that its connection can be used again.

    One that breaks off here was answered.

    Raises:
        ReadTimeoutError: it does not end in time.
    """
    left = MAX_ANSWER_BYTES
    try:
        while left > 0 and (chunk := response.raw.read1(_CHUNK, decode_content=False)):
            left -= len(chunk)
    except ReadTimeoutError:
        raise
    except HTTPError:
        response.close()


def _name(fault: Exception) -> SendError:
    causes = tuple(_causes(fault))
    for kind, error in (
        (TimeoutError, SendError.TIMED_OUT),
        (socket.gaierror, SendError.NAME_NOT_FOUND),
        (ssl.SSLError, SendError.TLS_FAILED),
        (NewConnectionError, SendError.NOT_CONNECTED),
    ):
        if any(isinstance(cause, kind) for cause in causes):
            return error
    return SendError.ANSWER_BROKEN


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    while fault is not None:
        yield fault
        fault = fault.__cause__ or fault.__context__
