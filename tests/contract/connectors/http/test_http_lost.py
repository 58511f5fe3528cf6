"""A call without an answer tells whether its request can have been sent, on loopback sockets.

A request that changes something may be sent again only where nothing of it was sent.
"""

from __future__ import annotations

import gzip
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from functions.connectors.http.client import Http
from functions.connectors.http.sockets import leave_connections, session
from functions.core.errors import ProviderUnavailable, RateLimited
from tests.support.fakes.stores import Clock
from tests.support.http_listener import (
    HALF,
    LOOPBACK,
    WHOLE,
    Listener,
    full,
    listening,
    make_certificate,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.http_listener import Turn


def http(port: int, *, scheme: str = "http", host: str = LOOPBACK) -> Http:
    return Http(f"{scheme}://{host}:{port}", clock=Clock())


def lost(way: Http, *, method: str = "POST", read_seconds: float = 10) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable) as caught:
        way.call(method, "/push", headers={}, read_seconds=read_seconds)
    assert type(caught.value) is ProviderUnavailable
    assert str(caught.value) == ProviderUnavailable.text
    return caught.value


def closes(_: Listener, __: socket.socket) -> None:
    """A server that closes the connection unread."""


def reads(listener: Listener, line: socket.socket) -> None:
    """A server that closes the connection once it has the request."""
    listener.hear(line)


def keeps_silent(listener: Listener, line: socket.socket) -> None:
    while not listener.heard or listener.heard[-1]:
        listener.hear(line)


def answers_half(listener: Listener, line: socket.socket) -> None:
    listener.hear(line)
    line.sendall(HALF)


def stops_half_way(listener: Listener, line: socket.socket) -> None:
    answers_half(listener, line)
    keeps_silent(listener, line)


def answers_once(listener: Listener, line: socket.socket) -> None:
    """A server that keeps the connection open for a further request, and that is all."""
    listener.hear(line)
    line.sendall(WHOLE)
    listener.hear(line)


def answers_late(listener: Listener, line: socket.socket) -> None:
    listener.hear(line)
    threading.Event().wait(0.3)
    line.sendall(WHOLE)


def answers_and_leaves(listener: Listener, line: socket.socket) -> None:
    listener.hear(line)
    line.sendall(WHOLE)


def leaves_for_good(listener: Listener, line: socket.socket) -> None:
    listener.hear(line)
    listener.socket.close()


def speaks_no_tls(_: Listener, line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_sent_nothing(scheme: str) -> None:
    with closing(socket.socket()) as taken:
        taken.bind((LOOPBACK, 0))  # so that no program listens there meanwhile
        assert lost(http(taken.getsockname()[1], scheme=scheme)).unsent


def test_a_name_without_an_address_sent_nothing() -> None:
    too_long = ".".join(["a" * 60] * 5)  # which no server of names has to be asked about
    assert lost(http(443, scheme="https", host=too_long)).unsent


def test_a_request_that_cannot_be_put_together_is_not_sent() -> None:
    with listening() as listener, pytest.raises(ProviderUnavailable) as caught:
        http(listener.port).call("POST", "/push", headers={"X": "a\r\nb"})
    assert caught.value.unsent


def test_a_connection_that_does_not_come_about_in_time_sent_nothing() -> None:
    with full() as port, listening(keeps_silent) as silent, ThreadPoolExecutor() as both:
        ways = [http(port), http(silent.port, scheme="https")]
        assert [one.unsent for one in both.map(lost, ways)] == [True, True]


@pytest.mark.parametrize("turn", [closes, reads, speaks_no_tls])
def test_a_handshake_that_fails_sent_nothing(turn: Turn) -> None:
    with listening(turn) as listener:
        assert lost(http(listener.port, scheme="https")).unsent


def test_a_server_without_a_trusted_certificate_is_sent_nothing(tmp_path: Path) -> None:
    tls, _ = make_certificate(tmp_path)
    with listening(reads, tls=tls) as listener:
        assert lost(http(listener.port, scheme="https")).unsent
    assert b"".join(listener.heard) == b""


@pytest.mark.parametrize(
    "turn", [closes, reads, keeps_silent, answers_half, stops_half_way, leaves_for_good]
)
def test_what_breaks_once_a_connection_stands_is_ambiguous(turn: Turn) -> None:
    with listening(turn) as listener:
        assert not lost(http(listener.port), read_seconds=0.2).unsent


@pytest.mark.parametrize("turn", [reads, keeps_silent, answers_half])
def test_what_breaks_once_tls_stands_is_ambiguous(
    turn: Turn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, trusted = make_certificate(tmp_path)
    monkeypatch.setattr(session(), "verify", str(trusted))
    with listening(turn, tls=tls) as listener:
        assert not lost(http(listener.port, scheme="https"), read_seconds=0.2).unsent
    assert listener.heard[0].startswith(b"POST /push ")


BODY = b'{"accounts": [{"id": "a1"}, {"id": "a2"}]}'
PACKED = gzip.compress(BODY)[:-20]
UNSEEN = {
    "closed-without-a-length": b"Connection: close\r\n\r\n" + BODY[:30],
    "half-of-its-length": b"Content-Length: 30\r\n\r\n" + BODY[:30],
    "packed": b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
    "in-chunks": b"Transfer-Encoding: chunked\r\n\r\n1e\r\n" + BODY[:30] + b"\r\n0\r\n\r\n",
    "no-body": b"Content-Length: 0\r\n\r\n",
    "no-headers": b"Content-Le",
}


def answers(head_and_body: bytes) -> Turn:
    def turn(listener: Listener, line: socket.socket) -> None:
        listener.hear(line)
        line.sendall(b"HTTP/1.1 200 OK\r\n" + head_and_body)

    return turn


@pytest.mark.parametrize("half", UNSEEN.values(), ids=UNSEEN)
def test_json_that_ends_early_unseen_by_http_is_read_once_more(half: bytes) -> None:
    whole = b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    with listening(answers(half), answers(whole)) as listener:
        assert http(listener.port).call("GET", "/list", headers={}).body == BODY
    assert len(listener.heard) == 2
    with listening(answers(half), answers(half), answers(whole)) as listener:
        assert not lost(http(listener.port), method="GET").unsent
    assert len(listener.heard) == 2


def test_json_that_ends_early_is_not_sent_again_where_that_would_do_something_twice() -> None:
    with listening(answers(UNSEEN["half-of-its-length"])) as listener:
        assert not lost(http(listener.port)).unsent
    assert len(listener.heard) == 1


@pytest.mark.parametrize("head", [b"", b"Content-Le", b"Content-Length: 0\r\n"])
def test_an_answer_whose_head_breaks_off_is_none(head: bytes) -> None:
    with listening(answers(head)) as listener:
        assert not lost(http(listener.port)).unsent
    with listening(answers(head), answers_and_leaves) as listener:
        assert http(listener.port).call("GET", "/list", headers={}).body == b"{}"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wish_to_be_left_alone_is_heard_though_its_body_breaks_off(method: str) -> None:
    limited = b"HTTP/1.1 429 x\r\nRetry-After: 7\r\nContent-Length: 40\r\n\r\n{"

    def turn(listener: Listener, line: socket.socket) -> None:
        listener.hear(line)
        line.sendall(limited)

    with listening(turn) as listener, pytest.raises(RateLimited) as caught:
        http(listener.port).call(method, "/list", headers={})
    assert (caught.value.wait_seconds, len(listener.heard)) == (7, 1)


def test_what_is_no_json_by_its_request_is_not_read_as_such() -> None:
    with listening(answers(b"Content-Length: 6\r\n\r\n[a],1\n")) as listener:
        answer = http(listener.port).call("GET", "/list", headers={"Accept": "text/csv"})
    assert answer.body == b"[a],1\n"


def test_a_get_that_was_lost_is_ambiguous_though_the_second_is_refused() -> None:
    with listening(leaves_for_good) as listener:
        assert not lost(http(listener.port), method="GET").unsent
    assert len(listener.heard) == 1


def test_a_kept_connection_that_was_closed_while_idle_is_not_used() -> None:
    with listening(answers_and_leaves, answers_and_leaves) as listener:
        way = http(listener.port)
        for _ in range(2):
            assert way.call("POST", "/push", headers={}).body == b"{}"
            assert listener.ended.acquire(timeout=10)
    assert len(listener.heard) == 2


def test_a_kept_connection_that_breaks_while_it_is_used_is_ambiguous() -> None:
    with listening(answers_once) as listener:
        way = http(listener.port)
        way.call("POST", "/push", headers={})
        assert not lost(way).unsent
    assert len(listener.heard) == 2


def test_a_call_after_all_connections_were_left_has_one_of_its_own() -> None:
    with listening(answers_once, answers_and_leaves) as listener:
        way = http(listener.port)
        way.call("POST", "/push", headers={})
        leave_connections()
        assert way.call("POST", "/push", headers={}).body == b"{}"
    assert [heard for heard in listener.heard if heard] == [listener.heard[0]] * 2


def test_a_read_may_take_as_long_as_the_call_allows() -> None:
    with listening(answers_late, answers_late) as listener:
        assert not lost(http(listener.port), read_seconds=0.1).unsent
        answer = http(listener.port).call("POST", "/push", headers={}, read_seconds=5)
    assert answer.body == b"{}"
