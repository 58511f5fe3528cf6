"""A listener on loopback that does with each connection what a test says, and keeps no protocol."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Turn = Callable[["Listener", socket.socket], object]

LOOPBACK = "127.0.0.1"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n(?:.*\r\n)*?\r\n", re.IGNORECASE)
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{}"


class Listener:
    """Takes one connection after the other; each has its turn, and is closed after it."""

    def __init__(self, *turns: Turn, tls: ssl.SSLContext | None = None) -> None:
        self.heard: list[bytes] = []
        self.ended = threading.Semaphore(0)
        """Released each time that a connection has been closed."""
        self.socket = socket.create_server((LOOPBACK, 0))
        self.port: int = self.socket.getsockname()[1]
        self._turns, self._tls = turns, tls

    def serve(self) -> None:
        for turn in self._turns:
            with suppress(OSError), self._accept() as line:
                turn(self, line)
            self.ended.release()

    def _accept(self) -> socket.socket:
        line = self.socket.accept()[0]
        line.settimeout(20)
        return self._tls.wrap_socket(line, server_side=True) if self._tls else line

    def hear(self, line: socket.socket) -> None:
        """Take in one request, which has no body."""
        self.heard.append(line.recv(65536))

    def hear_whole(self, line: socket.socket) -> None:
        """Take in one request with its body."""
        heard = b""
        while not (found := _LENGTH.search(heard)) or len(heard) < found.end() + int(found[1]):
            if not (piece := line.recv(65536)):
                raise ConnectionError
            heard += piece
        self.heard.append(heard)


@contextmanager
def listening(*turns: Turn, tls: ssl.SSLContext | None = None) -> Iterator[Listener]:
    listener = Listener(*turns, tls=tls)
    thread = threading.Thread(target=listener.serve, daemon=True)
    thread.start()
    with listener.socket:
        yield listener
        with suppress(OSError):
            listener.socket.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@contextmanager
def full() -> Iterator[int]:
    """A port whose queue is full, so that a further connection does not come about."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server((LOOPBACK, 0), backlog=0))
        for _ in range(3):
            waiting = opened.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def make_certificate(folder: Path, *, host: str = "") -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS on loopback, or of this host, and the file with what to trust it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    named = x509.DNSName(host) if host else x509.IPAddress(ip_address(LOOPBACK))
    address = x509.SubjectAlternativeName([named])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    both, trusted = folder / "both.pem", folder / "trusted.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    both.write_bytes(private + trusted.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context, trusted
