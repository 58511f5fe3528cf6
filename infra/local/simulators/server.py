"""Serves a simulator: HTTP/1.1 with kept-alive connections, on loopback only.

Werkzeug's own handler closes the connection after every answer and reads ahead to do so. Clients of
a provider keep connections open, and faults such as a body cut in half need the wire, so that this
module brings its own handler.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, assert_never

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    _Request = socket.socket | tuple[bytes, socket.socket]
    _Address = tuple[str, int] | str

LOOPBACK = "127.0.0.1"
WIRE = "simulator.wire"
"""The WSGI environment's key for the exchange's `Wire`."""
_LARGEST_BODY = 32 * 1024 * 1024
_BODILESS = frozenset({204, 304})


class PortUnavailableError(Exception):
    """The port asked for can't be listened on; the text says which and why."""


class Cut(Enum):
    """The part of an answer that reaches the client before the connection is closed."""

    NOTHING = auto()
    HALF = auto()
    ALL = auto()


@dataclass(slots=True)
class Wire:
    """The effects that an application may have on its answer's connection."""

    cut: Cut = Cut.NOTHING
    drip_seconds: float = 0.0


class _Exchange(WSGIRequestHandler):
    """One connection: reads each request whole, answers it, and keeps the connection open."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def run_wsgi(self) -> None:
        self.environ = environ = self.make_environ()
        try:
            environ["wsgi.input"] = io.BytesIO(self._body(environ))
        except (ValueError, OSError):
            self.send_error(400)
            return
        wire = environ[WIRE] = Wire()
        self._answer(Response.from_app(self.server.app, environ, buffered=True), wire)

    def _body(self, environ: WSGIEnvironment) -> bytes:
        if environ.get("wsgi.input_terminated"):
            body: bytes = environ["wsgi.input"].read()
            return body
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= _LARGEST_BODY:
            raise ValueError("no body of that length")
        received = self.rfile.read(length)
        if len(received) < length:
            raise ValueError("the body was cut short")
        return received

    def _answer(self, response: Response, wire: Wire) -> None:
        body = response.get_data()
        match wire.cut:
            case Cut.ALL:
                self.close_connection = True
            case Cut.HALF:
                line, self.wfile = self.wfile, io.BytesIO()
                self._headers(response, body)
                head, self.wfile = self.wfile.getvalue(), line
                half = head + body[: len(body) // 2] if body else head[: len(head) // 2]
                self.wfile.write(half)
                self.close_connection = True
            case Cut.NOTHING if wire.drip_seconds:
                self._drip(response, body, seconds=wire.drip_seconds)
            case Cut.NOTHING:
                self._headers(response, body)
                self.wfile.write(body)
            case _:
                assert_never(wire.cut)

    def _drip(self, response: Response, body: bytes, *, seconds: float) -> None:
        """Sends head and body byte by byte, each after so many seconds."""
        line, self.wfile = self.wfile, io.BytesIO()
        self._headers(response, body)
        told, self.wfile = self.wfile.getvalue() + body, line
        for byte in told:
            time.sleep(seconds)
            line.write(bytes([byte]))
            line.flush()

    def _headers(self, response: Response, body: bytes) -> None:
        if self.command != "HEAD" and response.status_code not in _BODILESS:
            response.headers["Content-Length"] = str(len(body))
        self.send_response(response.status_code)
        for name, value in response.headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def finish(self) -> None:
        """Clients that go away without their answer are no news."""
        with suppress(ConnectionError):
            super().finish()

    def log(self, *_: object) -> None:
        """Says nothing: the ledger is where requests are looked up."""


class _LoopbackServer(ThreadedWSGIServer):
    """Listens on loopback; closing it ends the connections that clients keep open, too."""

    def __init__(self, app: WSGIApplication, *, port: int) -> None:
        self._open: set[_Request] = set()
        try:
            listener = socket.create_server((LOOPBACK, port), backlog=128)
        except OSError as problem:
            raise PortUnavailableError(f"port {port}: {problem.strerror}") from problem
        with listener:
            super().__init__(LOOPBACK, port, app, _Exchange, fd=listener.fileno())

    def process_request(self, request: _Request, client_address: _Address) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: _Request) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in tuple(self._open):
            if isinstance(connection, socket.socket):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serve(app: WSGIApplication, *, port: int = 0) -> Iterator[str]:
    """Serves the application from a thread for as long as the context lasts.

    Args:
        app: the simulator.
        port: where to listen on 127.0.0.1; 0 takes any free port.

    Yields:
        The base address, such as `http://127.0.0.1:43121`, without a slash at its end.

    Raises:
        PortUnavailableError: the port is taken or not allowed.
    """
    server = _LoopbackServer(app, port=port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.port}"
    finally:
        server.shutdown()
        thread.join()
