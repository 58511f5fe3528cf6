"""Requests to endpoints over real sockets, to a host that is public and does what a test says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import certifi
import pytest

from functions.core.delivery.model import SendError
from functions.core.errors import EndpointRefused
from functions.outbound import sender as sender_module
from functions.outbound.addresses import check_url
from functions.outbound.sender import HttpSender
from tests.contract.outbound.conftest import BODY, HOST, URL
from tests.support.fakes.stores import Clock
from tests.support.http_listener import LOOPBACK, listening
from tests.support.trick_addresses import LITERALS, NOT_PUBLIC, PUBLIC

if TYPE_CHECKING:
    import socket

    from tests.contract.outbound.conftest import Internet
    from tests.support.http_listener import Listener, Turn

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ENOUGH = 0.4
LATE = 3.0


def answers(*replies: bytes) -> Turn:
    """Answer requests on one connection."""

    def turn(listener: Listener, line: socket.socket) -> None:
        for reply in replies:
            listener.hear_whole(line)
            line.sendall(reply)

    return turn


def reply(status: str, *headers: str, body: str = "") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


class TestRequest:
    def test_it_is_signed_json_and_the_answer_a_status(self, internet: Internet) -> None:
        listener = internet.serve(answers(OK))

        sent = internet.send()

        head, _, body = listener.heard[0].partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in rest)
        assert (first, body) == ("POST /in HTTP/1.1", BODY)
        assert headers.pop("content-length") == str(len(BODY))
        assert headers == {
            "host": HOST,
            "webhook-id": "evt_1",
            "content-type": "application/json",
            "user-agent": "freshet-webhooks/1",
            "accept-encoding": "identity",
            "accept": "*/*",
            "connection": "keep-alive",
        }
        assert internet.asked_for == [HOST]
        assert (sent.status, sent.error, sent.retry_after) == (200, None, None)
        assert 0 <= sent.milliseconds < 5000

    @pytest.mark.parametrize(
        ("status", "wish", "seconds"),
        [
            ("429 Slow down", "17", 17),
            ("503 Down", "Wed, 21 Oct 2015 07:28:00 GMT", None),
            ("503 Down", "soon", None),
            ("200 OK", "5", 5),
            ("410 Gone", "0", None),
        ],
    )
    def test_it_tells_how_long_the_endpoint_wants_to_be_left_alone(
        self, internet: Internet, status: str, wish: str, seconds: int | None
    ) -> None:
        internet.serve(answers(reply(status, f"Retry-After: {wish}")))

        sent = internet.send()

        assert (sent.status, sent.retry_after) == (int(status[:3]), seconds)

    def test_one_connection_serves_several(self, internet: Internet) -> None:
        internet.serve(answers(OK, reply("500 No", body="trace"), OK))

        assert [internet.send().status for _ in range(3)] == [200, 500, 200]
        assert internet.dialled == [PUBLIC]
        assert internet.looked_up == [HOST]

    def test_after_a_pause_there_is_another(
        self, internet: Internet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        listener = internet.serve(answers(OK, OK), answers(OK))
        internet.send()
        monkeypatch.setattr(sender_module, "KEEP_SECONDS", 0)

        assert internet.send().status == 200
        assert internet.dialled == internet.looked_up.count(HOST) * [PUBLIC]
        assert listener.ended.acquire(timeout=10), "the first one is closed"
        assert len(internet.dialled) == 2

    def test_no_cookie_comes_back(self, internet: Internet) -> None:
        cookie = "Set-Cookie: a=b; Path=/"
        listener = internet.serve(answers(reply("200 OK", cookie), OK))

        internet.send()
        internet.send()

        assert b"cookie" not in listener.heard[1].lower()

    def test_no_proxy_of_the_environment_is_used(
        self, internet: Internet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        internet.serve(answers(OK))

        assert internet.send().status == 200
        assert internet.dialled == [PUBLIC]

    def test_nothing_of_it_is_logged(
        self, internet: Internet, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        internet.serve(answers(reply("400 Bad", body="canary")), answers(b"canary\r\n\r\n"))

        internet.send()
        internet.send()

        assert caplog.text == ""


class TestPlace:
    """Nothing but the public host is connected to."""

    @pytest.mark.parametrize("address", NOT_PUBLIC)
    def test_a_name_that_leads_inside(self, internet: Internet, address: str) -> None:
        for found in ([address], [address, PUBLIC], [PUBLIC, address]):
            internet.names[HOST] = [found]

            assert internet.send().error == SendError.ADDRESS_REFUSED
        assert internet.dialled == []

    @pytest.mark.parametrize("host", LITERALS)
    def test_a_literal_address(self, internet: Internet, host: str) -> None:
        assert internet.send(f"https://{host}/").error == SendError.ADDRESS_REFUSED
        assert (internet.looked_up, internet.dialled) == ([], [])

    @pytest.mark.parametrize(
        "url",
        [
            f"http://{HOST}/",
            f"https://{HOST}:25/",
            f"https://{HOST}@127.0.0.1/",
            f"https://127.0.0.1\\@{HOST}/",
            f"https://{HOST}#@127.0.0.1/",
            "https://localhost/",
            "file:///etc/passwd",
            "",
        ],
    )
    def test_another_spelling(self, internet: Internet, url: str) -> None:
        assert internet.send(url).error == SendError.ADDRESS_REFUSED
        assert (internet.looked_up, internet.dialled) == ([], [])

    @pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "::1", "10.0.0.1"])
    def test_a_name_that_led_elsewhere_when_it_was_given(
        self, internet: Internet, inside: str
    ) -> None:
        internet.names[HOST] = [[PUBLIC], [inside]]
        check_url(URL)

        assert internet.send().error == SendError.ADDRESS_REFUSED
        assert internet.dialled == []

    def test_a_name_that_leads_elsewhere_at_each_question(self, internet: Internet) -> None:
        with listening() as inner:
            internet.names[HOST] = [[PUBLIC], [LOOPBACK]] * 20
            internet.serve(*[answers(OK)] * 20)
            url = f"https://{HOST}:{inner.port}/in"

            told = [internet.send(url) for _ in range(20)]

        assert [each.status for each in told] == [200, 0] * 10
        assert {each.error for each in told[1::2]} == {SendError.ADDRESS_REFUSED}
        assert internet.dialled == [PUBLIC] * 10
        assert len(internet.looked_up) == 20, "what is judged is what is connected to"

    @pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
    def test_no_redirect_is_followed(self, internet: Internet, status: str) -> None:
        with listening() as inner:
            where = f"Location: http://127.0.0.1:{inner.port}/"
            internet.serve(answers(reply(f"{status} Moved", where)))

            assert internet.send().status == int(status)
        assert internet.dialled == [PUBLIC]

    def test_a_registration_is_refused_where_the_name_is_mixed(self, internet: Internet) -> None:
        internet.names[HOST] = [[PUBLIC, "10.0.0.1"]]

        with pytest.raises(EndpointRefused):
            check_url(URL)


class TestLocalStage:
    def test_this_machine_is_called_by_plain_http(self, internet: Internet) -> None:
        internet.names[LOOPBACK] = [[LOOPBACK]]
        with listening(answers(OK)) as listener, HttpSender(clock=Clock(), loopback=True) as local:
            url = f"http://127.0.0.1:{listener.port}/in"

            assert local.send(url, headers={}, body=BODY).status == 200
            assert internet.send(url).error == SendError.ADDRESS_REFUSED
        assert internet.dialled == [LOOPBACK]

    @pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"])
    def test_no_other_network_is(self, internet: Internet, address: str) -> None:
        internet.names[HOST] = internet.names["localhost"] = [[address]]
        with HttpSender(clock=Clock(), loopback=True) as local:
            for url in (URL, "http://localhost:8080/", f"http://{HOST}/"):
                told = local.send(url, headers={}, body=BODY)
                assert told.error == SendError.ADDRESS_REFUSED
        assert internet.dialled == []


def drips(at_once: bytes, slowly: bytes) -> Turn:
    def turn(listener: Listener, line: socket.socket) -> None:
        listener.hear_whole(line)
        line.sendall(at_once)
        for byte in slowly:
            time.sleep(0.05)
            line.sendall(bytes([byte]))

    return turn


DRIPS = {
    "status-line": drips(b"", b"HTTP/1.1 200 " + b"O" * 100),
    "headers": drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 20),
    "answers-before-the-answer": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 5),
    "body": drips(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n", b"x" * 100),
    "chunks": drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 20),
    "nothing": lambda _, line: line.makefile("rb").read(),
}


class TestBounds:
    @pytest.mark.parametrize("turn", DRIPS.values(), ids=DRIPS)
    def test_a_request_ends_in_time_and_what_came_late_counts_for_nothing(
        self, internet: Internet, turn: Turn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sender_module, "WHOLE_SECONDS", ENOUGH)
        internet.serve(turn)

        sent = internet.send()

        assert (sent.status, sent.error) == (0, SendError.TIMED_OUT)
        assert sent.milliseconds < (ENOUGH + LATE) * 1000

    def test_a_handshake_that_hangs_is_no_answer_in_time(
        self, internet: Internet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sender_module, "WHOLE_SECONDS", ENOUGH)
        internet.serve(lambda _, line: line.makefile("rb").read(), tls=False)

        assert internet.send().error == SendError.TIMED_OUT

    def test_of_an_answer_without_end_little_is_read(self, internet: Internet) -> None:
        passed = []

        def turn(listener: Listener, line: socket.socket) -> None:
            listener.hear_whole(line)
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
            for _ in range(16 * 1024):
                line.sendall(b"x" * 64 * 1024)
                passed.append(64 * 1024)

        listener = internet.serve(turn, answers(OK))

        assert internet.send().status == 200
        assert listener.ended.acquire(timeout=10)
        assert sum(passed) < 64 * 1024 * 1024
        assert internet.send().status == 200, "over another connection"
        assert internet.dialled == [PUBLIC, PUBLIC]


class TestFaults:
    def test_a_name_without_an_address(self, internet: Internet) -> None:
        internet.names[HOST] = []

        assert internet.send().error == SendError.NAME_NOT_FOUND

    def test_no_connection(self, internet: Internet) -> None:
        with internet.serve().socket:
            pass

        assert internet.send().error == SendError.NOT_CONNECTED

    def test_a_certificate_of_another_name(self, internet: Internet) -> None:
        internet.names["other.example.com"] = [[PUBLIC]]
        listener = internet.serve(answers(OK))

        assert internet.send("https://other.example.com/").error == SendError.TLS_FAILED
        assert listener.heard == []

    def test_a_certificate_of_an_issuer_that_is_not_trusted(
        self, internet: Internet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", certifi.where())
        listener = internet.serve(answers(OK))

        assert internet.send().error == SendError.TLS_FAILED
        assert listener.heard == []

    def test_no_tls(self, internet: Internet) -> None:
        internet.serve(lambda _, line: line.sendall(OK), tls=False)

        assert internet.send().error == SendError.TLS_FAILED

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"SSH-2.0-OpenSSH\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Le",
            b"HTTP/1.1 2x0 OK\r\n\r\n",
        ],
        ids=["none", "ssh", "half a header", "no status"],
    )
    def test_what_is_no_answer(self, internet: Internet, answer: bytes) -> None:
        internet.serve(answers(answer))

        sent = internet.send()

        assert (sent.status, sent.error) == (0, SendError.ANSWER_BROKEN)

    def test_one_that_breaks_off_after_its_headers_is_an_answer(self, internet: Internet) -> None:
        internet.serve(answers(b"HTTP/1.1 204 No\r\n\r\n"), answers(OK[:-1]), answers(OK))

        assert [internet.send().status for _ in range(3)] == [204, 200, 200]
