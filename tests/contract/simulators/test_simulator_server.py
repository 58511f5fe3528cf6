"""Serving simulators: connections, bodies, and the command that starts one."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask, request
from werkzeug.wrappers import Response

from infra.local.simulators.server import PortUnavailableError, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "infra.local.simulators", "banno"]


def echo() -> Flask:
    app = Flask("echo")

    @app.route("/", methods=["GET", "POST"])
    def again() -> Response:
        return Response(request.get_data())

    return app


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with serve(echo()) as base_url:
        yield base_url


@contextmanager
def connected(base_url: str) -> Iterator[socket.socket]:
    address = urlsplit(base_url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 5) as wire:
        yield wire


def answer_on(wire: socket.socket, request_sent: bytes) -> bytes:
    wire.sendall(request_sent)
    return wire.recv(65536)


def test_it_listens_on_loopback_only(base_url: str) -> None:
    assert base_url.startswith("http://127.0.0.1:")


def test_several_requests_go_over_one_connection(base_url: str) -> None:
    with connected(base_url) as wire:
        for body in (b"one", b"two", b"three"):
            sent = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            assert answer_on(wire, sent).endswith(b"\r\n\r\n" + body)


def test_a_body_in_chunks_is_read_whole(base_url: str) -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connected(base_url) as wire:
        answer = answer_on(wire, chunked + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        again = answer_on(wire, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")

    assert answer.endswith(b"\r\n\r\nabcde")
    assert again.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "request_sent",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", id="asked-to"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", id="http-1.0"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", id="no-length"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", id="negative"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", id="short"),
    ],
)
def test_the_connection_is_closed_where_it_cannot_go_on(base_url: str, request_sent: bytes) -> None:
    with connected(base_url) as wire:
        wire.sendall(request_sent)
        wire.shutdown(socket.SHUT_WR)
        received = b""
        while piece := wire.recv(65536):
            received += piece

    assert b"Connection: close" in received


def test_clients_that_go_away_are_no_news(base_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(10):
        with connected(base_url) as wire:
            wire.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * 20)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert requests.get(base_url, timeout=5).status_code == 200

    assert capfd.readouterr().err == ""


def test_a_stopped_simulator_ends_the_connections_that_clients_keep(base_url: str) -> None:
    del base_url
    with requests.Session() as http:
        http.trust_env = False
        with serve(echo()) as stopping:
            assert http.get(stopping, timeout=5).status_code == 200

        with pytest.raises(requests.ConnectionError):
            http.get(stopping, timeout=5)


def test_a_port_in_use_is_told(base_url: str) -> None:
    port = int(urlsplit(base_url).port or 0)
    with pytest.raises(PortUnavailableError, match=f"port {port}"), serve(echo(), port=port):
        pass


@contextmanager
def started(*options: str) -> Iterator[subprocess.Popen[str]]:
    command = subprocess.Popen(
        [*COMMAND, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    with command:
        try:
            yield command
        finally:
            command.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_tells_in_json_serves_and_ends_quietly(number: signal.Signals) -> None:
    with started("--port", "0", "--json") as command:
        assert command.stdout is not None
        told = json.loads(command.stdout.readline())
        discovered = requests.get(told["discovery_url"], timeout=5).json()
        command.send_signal(number)
        rest = command.communicate(timeout=10)

    assert told["name"] == "banno"
    assert discovered["issuer"] == told["issuer"]
    assert {user["name"] for user in told["users"]} == {"ada", "ben", "cleo", "dora", "max"}
    assert rest == ("", "")
    assert command.returncode == 0


def test_the_command_tells_people_what_they_need(base_url: str) -> None:
    del base_url
    with started() as command:
        assert command.stdout is not None
        told = "".join(iter(command.stdout.readline, "try:\n"))

    for fact in ("http://127.0.0.1:", "/oidc", "client secret", "/callback", "ada", "_simulator"):
        assert fact in told


def test_the_command_tells_in_one_line_that_its_port_is_in_use(base_url: str) -> None:
    port = str(urlsplit(base_url).port)
    with started("--port", port) as command:
        out, err = command.communicate(timeout=30)

    assert command.returncode == 2
    assert out == ""
    assert err.count("\n") == 1
    assert port in err
