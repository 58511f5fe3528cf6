"""An internet of one public host: what a name leads to is told, and who is connected to noted."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from functions.outbound.sender import HttpSender
from tests.support.fakes.stores import Clock
from tests.support.http_listener import LOOPBACK, listening, make_certificate
from tests.support.trick_addresses import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from functions.core.delivery.ports import Sent
    from tests.support.http_listener import Listener, Turn

HOST = "hooks.example.com"
URL = f"https://{HOST}/in"
BODY = b'{"id":"evt_1"}'


class Internet:
    """``names`` has what a name leads to, one answer after the other; the last one stays."""

    def __init__(self, stack: ExitStack, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._stack = stack
        self._tls, trusted = make_certificate(folder, host=HOST)
        self.asked_for: list[str | None] = []
        """The names that TLS was asked for."""
        self._tls.sni_callback = lambda _line, name, _context: self.asked_for.append(name)
        self.names: dict[str, list[list[str]]] = {HOST: [[PUBLIC]]}
        self.looked_up: list[str] = []
        self.dialled: list[str] = []
        self._ports: dict[str, int] = {}
        patch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(trusted))
        patch.setattr(socket, "getaddrinfo", self._look_up)
        patch.setattr(socket, "create_connection", self._dial)
        self.sender = stack.enter_context(HttpSender(clock=Clock()))

    def serve(self, *turns: Turn, tls: bool = True) -> Listener:
        """Have the public host take one connection after the other."""
        listener = self._stack.enter_context(listening(*turns, tls=self._tls if tls else None))
        self._ports[PUBLIC] = listener.port
        return listener

    def send(self, url: str = URL) -> Sent:
        return self.sender.send(url, headers={"webhook-id": "evt_1"}, body=BODY)

    def _look_up(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        self.looked_up.append(host)
        answers = self.names.get(host, [])
        if not answers:
            raise socket.gaierror
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    def _dial(self, place: tuple[str, int], timeout: float) -> socket.socket:
        self.dialled.append(place[0])
        host, port = place
        if host in self._ports:
            host, port = LOOPBACK, self._ports[host]
        with ExitStack() as unless_connected:
            line = unless_connected.enter_context(socket.socket())
            line.settimeout(timeout)
            line.connect((host, port))
            unless_connected.pop_all()
        return line


@pytest.fixture
def internet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    with ExitStack() as stack:
        yield Internet(stack, tmp_path, monkeypatch)
