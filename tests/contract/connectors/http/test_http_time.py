"""A call is bounded as a whole, whatever a server does with its time, on loopback sockets."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from functions.connectors.http import client as http_client
from functions.connectors.http import sockets
from functions.connectors.http.client import READ_SECONDS, REFUSAL_SECONDS, Http
from functions.connectors.http.sockets import session
from functions.core.errors import ProviderUnavailable, UnexpectedAnswer
from tests.support.fakes.stores import Clock
from tests.support.http_listener import LOOPBACK, WHOLE, Listener, full, listening, make_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.http_listener import Turn

ENOUGH = 0.5
"""Seconds that a call is given here."""
GAP = 0.05
"""Seconds between two bytes of a server that drips; a read may take much longer."""
LATE = 1.0
"""Seconds that a busy machine may be late."""

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"
DRIPS = {
    "status-line": (b"", b"HTTP/1.1 200 " + b"O" * 400),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 80),
    "answers-before-the-answer": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 20),
    "body": (LONG, b"x" * 400),
    "body-without-a-length": (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 400),
    "chunks": (CHUNKED, b"1\r\nx\r\n" * 80),
    "size-of-a-chunk": (CHUNKED, b"0" * 400),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n" * 80),
}


def drips(at_once: bytes, slowly: bytes) -> Turn:
    def turn(listener: Listener, line: socket.socket) -> None:
        listener.hear(line)
        line.sendall(at_once)
        for byte in slowly:
            time.sleep(GAP)
            line.sendall(bytes([byte]))

    return turn


def answers(listener: Listener, line: socket.socket) -> None:
    listener.hear(line)
    line.sendall(WHOLE)


def http(port: int, *, scheme: str = "http", host: str = LOOPBACK, left: float = ENOUGH) -> Http:
    until = time.monotonic() + left
    return Http(f"{scheme}://{host}:{port}", clock=Clock(), left=lambda: until - time.monotonic())


@contextmanager
def given_up(*, after: float = ENOUGH) -> Iterator[None]:
    """The call gives up when its time is over, and leaves no thread behind."""
    began, threads = time.monotonic(), threading.active_count()
    with pytest.raises(ProviderUnavailable) as caught:
        yield
    assert after - LATE < time.monotonic() - began < after + LATE
    assert threading.active_count() <= threads
    assert type(caught.value) is ProviderUnavailable


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_that_drips_holds_no_call_beyond_its_time(
    drip: tuple[bytes, bytes], method: str
) -> None:
    with listening(drips(*drip)) as listener, given_up():
        http(listener.port).call(method, "/slow", headers={})
    assert len(listener.heard) == 1


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_nor_does_one_that_drips_over_tls(
    drip: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, trusted = make_certificate(tmp_path)
    monkeypatch.setattr(session(), "verify", str(trusted))
    with listening(drips(*drip), tls=tls) as listener, given_up():
        http(listener.port, scheme="https").call("GET", "/slow", headers={})


def test_nor_does_one_that_drips_a_handshake() -> None:
    record = b"\x16\x03\x03\x40\x00"
    with listening(drips(record, b"x" * 400)) as listener, given_up():
        http(listener.port, scheme="https").call("GET", "/slow", headers={})


def test_nor_does_one_that_drips_on_a_kept_connection() -> None:
    def turn(listener: Listener, line: socket.socket) -> None:
        answers(listener, line)
        drips(*DRIPS["headers"])(listener, line)

    with listening(turn) as listener:
        http(listener.port).call("GET", "/fast", headers={})
        with given_up():
            http(listener.port).call("GET", "/slow", headers={})
    assert len(listener.heard) == 2


def test_nor_does_one_that_drips_a_download() -> None:
    with listening(drips(LONG, b"x" * 400)) as listener, given_up():
        http(listener.port).download("/file", headers={}, most=1000)


def test_a_refusal_that_drips_is_known_by_its_status_soon() -> None:
    refused = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 400\r\n\r\n"
    began = time.monotonic()
    with listening(drips(refused, b"x" * 400)) as listener, pytest.raises(UnexpectedAnswer):
        http(listener.port, left=60).call("POST", "/push", headers={})
    assert time.monotonic() - began < REFUSAL_SECONDS + LATE


def test_nor_does_one_that_reads_slowly() -> None:
    def turn(_: Listener, line: socket.socket) -> None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _number in range(20):
            line.recv(4096)
            time.sleep(GAP)

    with listening(turn) as listener, given_up():
        body = {"x": "x" * 30_000_000}
        http(listener.port).call("POST", "/push", headers={}, json=body)


def test_all_addresses_of_a_name_are_tried_within_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with full() as port:
        one = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (LOOPBACK, port))
        asked = socket.getaddrinfo

        def resolved(host: Any, *args: Any, **more: Any) -> Any:
            return [one] * 5 if host == "localhost" else asked(host, *args, **more)

        monkeypatch.setattr(socket, "getaddrinfo", resolved)
        with given_up():
            http(port, host="localhost").call("GET", "/", headers={})
        monkeypatch.setattr(sockets, "CONNECT_SECONDS", 0.3)
        with given_up(after=0.3):
            http(port, host="localhost", left=60).call("GET", "/", headers={})


def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    with listening(answers) as listener:  # on 127.0.0.1 only, and localhost may be ::1 first
        answer = http(listener.port, host="localhost").call("GET", "/", headers={})
    assert answer.body == b"{}"


def test_a_connection_that_stands_when_its_time_is_over_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines, connect = [], socket.create_connection

    def connect_late(*args: Any) -> socket.socket:
        lines.append(connect(*args))
        time.sleep(ENOUGH)
        return lines[-1]

    monkeypatch.setattr(socket, "create_connection", connect_late)
    with listening(answers) as listener, given_up():
        http(listener.port).call("GET", "/", headers={})
    assert [line.fileno() for line in lines] == [-1]


def test_without_any_time_left_nothing_is_sent() -> None:
    with listening() as listener, pytest.raises(ProviderUnavailable) as caught:
        http(listener.port, left=0).call("POST", "/push", headers={})
    assert caught.value.unsent


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_sending_is_bounded_where_there_is_time_without_end(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "SLACK_SECONDS", ENOUGH - 0.2)
    with listening(drips(*DRIPS["headers"])) as listener, given_up():
        http(listener.port, left=60).call(method, "/slow", headers={}, read_seconds=0.2)
    assert len(listener.heard) == 1


def test_a_large_download_has_more_time_but_not_beyond_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_client, "SLACK_SECONDS", 0.2 - READ_SECONDS)
    monkeypatch.setattr(http_client, "SLOWEST", 10)
    short = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
    with listening(drips(short, b"x" * 20), drips(LONG, b"x" * 400)) as listener:
        answer = http(listener.port, left=60).download("/file", headers={}, most=1000)
        with answer.body as body:
            assert body.read() == b"x" * 20
        with given_up():
            http(listener.port).download("/file", headers={}, most=1000)
