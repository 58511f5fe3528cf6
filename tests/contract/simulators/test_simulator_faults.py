"""Faults and the ledger of every simulator, on the wire, read by requests and raw sockets."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from werkzeug.wrappers import Response

from infra.local.simulators.control import attach
from infra.local.simulators.ledger import Ledger
from infra.local.simulators.server import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = b"name,amount\none,1.10\ntwo,2.20\n"
PROPER = b'{"counted": 1, "letters": "' + b"x" * 5000 + b'"}'


def provider() -> Flask:
    """A provider of one resource, which counts how often it has been changed."""
    app = Flask("provider")
    ledger, counted = Ledger(time.time), [0]
    attach(app, ledger=ledger, reset=lambda: None, error_body=lambda status: {"own": status})

    @app.put("/counter")
    def count() -> Response:
        counted[0] += 1
        return Response(str(counted[0]))

    @app.get("/things/<name>")
    def thing(name: str) -> Response:
        return Response(PROPER, content_type="application/json", headers={"X-Name": name})

    @app.get("/table")
    def table() -> Response:
        return Response(TABLE, content_type="text/csv")

    @app.get("/nothing")
    def nothing() -> Response:
        return Response(status=202, headers={"Location": "/somewhere"})

    return app


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with serve(provider()) as base_url:
        yield base_url


@pytest.fixture
def http(base_url: str) -> Iterator[requests.Session]:
    with requests.Session() as http:
        http.trust_env = False
        http.delete(f"{base_url}/_simulator/faults", timeout=5)
        http.delete(f"{base_url}/_simulator/ledger", timeout=5)
        yield http


@pytest.fixture
def switch_on(base_url: str, http: requests.Session) -> SwitchOn:
    return SwitchOn(base_url, http)


class SwitchOn:
    def __init__(self, base_url: str, http: requests.Session) -> None:
        self.url = f"{base_url}/_simulator/faults"
        self.http = http

    def __call__(self, kind: str, **fault: object) -> None:
        answer = self.http.post(self.url, json={"kind": kind, **fault}, timeout=5)
        assert answer.status_code == 201, answer.text


def raw(base_url: str, request: bytes) -> bytes:
    """Everything that comes back until the other side closes the connection."""
    address = urlsplit(base_url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 5) as wire:
        wire.sendall(request)
        received = b""
        while piece := wire.recv(65536):
            received += piece
        return received


GET = b"GET /things/a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def test_a_status_fault_answers_the_providers_own_error_body(
    base_url: str, http: requests.Session, switch_on: SwitchOn
) -> None:
    switch_on("status", status=503)

    answer = http.get(f"{base_url}/things/a", timeout=5)

    assert answer.status_code == 503
    assert answer.json() == {"own": 503}
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("retry_after", ["5", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_status_fault_answers_the_body_and_retry_after_it_is_given(
    base_url: str, http: requests.Session, switch_on: SwitchOn, *, retry_after: str
) -> None:
    switch_on("status", status=429, retry_after=retry_after, body={"error": "slow_down"})

    answer = http.get(f"{base_url}/things/a", timeout=5)

    assert answer.status_code == 429
    assert answer.json() == {"error": "slow_down"}
    assert answer.headers["Retry-After"] == retry_after


def test_an_html_fault_answers_a_page(
    base_url: str, http: requests.Session, switch_on: SwitchOn
) -> None:
    switch_on("html", status=200)

    answer = http.get(f"{base_url}/things/a", timeout=5)

    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!doctype html>")


def test_a_slow_fault_answers_properly_but_late(
    base_url: str, http: requests.Session, switch_on: SwitchOn
) -> None:
    switch_on("slow", seconds=0.3)
    started = time.monotonic()

    assert http.get(f"{base_url}/things/a", timeout=5).content == PROPER
    assert time.monotonic() - started >= 0.3


def test_an_amended_answer_is_the_proper_one_but_for_some_members(
    base_url: str, http: requests.Session, switch_on: SwitchOn
) -> None:
    proper = http.get(f"{base_url}/things/a", timeout=5).json()
    switch_on("amend", body={"odd": None})

    assert http.get(f"{base_url}/things/a", timeout=5).json() == {**proper, "odd": None}


def test_a_dripping_answer_comes_byte_by_byte(
    base_url: str, http: requests.Session, switch_on: SwitchOn
) -> None:
    switch_on("drip", seconds=0.001)
    started = time.monotonic()
    answer = http.get(f"{base_url}/things/a", timeout=5)

    assert answer.content == PROPER
    assert time.monotonic() - started >= 0.001 * (len(PROPER) + len("HTTP/1.1 200 OK"))


def test_a_malformed_answer_is_whole_on_the_wire_but_no_json(
    base_url: str, http: requests.Session, switch_on: SwitchOn
) -> None:
    switch_on("malformed")

    answer = http.get(f"{base_url}/things/a", timeout=5)

    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_an_answer_cut_short_is_half_and_says_so_nowhere(
    base_url: str, http: requests.Session, switch_on: SwitchOn
) -> None:
    switch_on("cut_short")

    assert http.get(f"{base_url}/things/a", timeout=5).content == PROPER[: len(PROPER) // 2]


def test_an_empty_answer_has_the_proper_status_and_no_byte(
    base_url: str, http: requests.Session, switch_on: SwitchOn
) -> None:
    switch_on("empty")

    answer = http.get(f"{base_url}/things/a", timeout=5)

    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == "0"


def test_a_truncated_answer_announces_the_whole_and_sends_half(
    base_url: str, switch_on: SwitchOn
) -> None:
    switch_on("truncate")

    head, _, body = raw(base_url, GET).partition(b"\r\n\r\n")

    assert f"Content-Length: {len(PROPER)}".encode() in head
    assert body == PROPER[: len(PROPER) // 2]


def test_of_an_answer_without_a_body_half_of_its_head_is_sent(
    base_url: str, switch_on: SwitchOn
) -> None:
    switch_on("truncate")

    received = raw(base_url, b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    assert received.startswith(b"HTTP/1.1 202 ")
    assert b"\r\n\r\n" not in received


def test_a_body_of_another_kind_is_garbled_and_replaced_as_well(
    base_url: str, http: requests.Session, switch_on: SwitchOn
) -> None:
    switch_on("malformed")
    switch_on("cut_short")
    switch_on("status", status=200, text="a,b\n", content_type="text/csv")
    garbled, cut, other = (http.get(f"{base_url}/table", timeout=5) for _ in range(3))

    with pytest.raises(UnicodeDecodeError):
        garbled.content.decode()
    assert cut.content == TABLE[: len(TABLE) // 2]
    assert (other.content, other.headers["Content-Type"]) == (b"a,b\n", "text/csv")


def test_a_disconnect_sends_nothing_at_all(base_url: str, switch_on: SwitchOn) -> None:
    switch_on("disconnect")

    assert raw(base_url, GET) == b""


@pytest.mark.parametrize("kind", ["truncate", "disconnect"])
def test_requests_sees_a_broken_off_answer_as_an_error(
    base_url: str, http: requests.Session, switch_on: SwitchOn, kind: str
) -> None:
    switch_on(kind)

    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        http.get(f"{base_url}/things/a", timeout=5)


def test_drift_puts_an_unknown_member_into_each_object(
    base_url: str, http: requests.Session, switch_on: SwitchOn
) -> None:
    switch_on("drift")

    told = http.get(f"{base_url}/things/a", timeout=5).json()

    assert told == {**json.loads(PROPER), "undocumented": [None]}


@pytest.mark.parametrize("kind", ["status", "html", "disconnect"])
@pytest.mark.parametrize("processed", [False, True])
def test_a_fault_strikes_before_the_work_is_done_or_after(
    base_url: str, switch_on: SwitchOn, *, kind: str, processed: bool
) -> None:
    change = b"PUT /counter HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    before = int(raw(base_url, change).rpartition(b"\r\n")[2])

    switch_on(kind, processed=processed)
    raw(base_url, change)

    after = int(raw(base_url, change).rpartition(b"\r\n")[2])
    assert after - before == (2 if processed else 1)


@pytest.mark.parametrize(
    ("fault", "struck"),
    [
        pytest.param({}, [True, False, False], id="once-by-default"),
        pytest.param({"times": 2}, [True, True, False], id="twice"),
        pytest.param({"times": None}, [True, True, True], id="for-ever"),
        pytest.param({"skip": 1}, [False, True, False], id="the-second"),
        pytest.param({"path": "/things/*"}, [True, False, False], id="glob"),
        pytest.param({"path": "/things/b"}, [False, False, False], id="another-path"),
        pytest.param({"path": "^/th.ngs/a$"}, [True, False, False], id="regular-expression"),
        pytest.param({"path": "^/things"}, [False, False, False], id="only-part-of-the-path"),
        pytest.param({"method": "GET"}, [True, False, False], id="method"),
        pytest.param({"method": "PUT"}, [False, False, False], id="another-method"),
    ],
)
def test_a_fault_strikes_the_requests_that_are_meant(
    base_url: str, http: requests.Session, switch_on: SwitchOn, *, fault: object, struck: object
) -> None:
    assert isinstance(fault, dict)
    switch_on("status", **fault)

    answers = [http.get(f"{base_url}/things/a?q=1", timeout=5) for _ in range(3)]

    assert [answer.status_code == 503 for answer in answers] == struck


def test_faults_strike_in_the_order_in_which_they_were_switched_on(
    base_url: str, http: requests.Session, switch_on: SwitchOn
) -> None:
    switch_on("status", status=500)
    switch_on("status", status=502, times=2)
    left = http.get(switch_on.url, timeout=5).json()

    answers = [http.get(f"{base_url}/things/a", timeout=5) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [500, 502, 502, 200]
    assert [(fault["status"], fault["times"]) for fault in left] == [(500, 1), (502, 2)]
    assert http.get(switch_on.url, timeout=5).json() == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("{", id="no-json"),
        pytest.param('{"kind": "explode"}', id="unknown-kind"),
        pytest.param('{"kind": "slow", "second": 1}', id="misspelt"),
        pytest.param('{"kind": "status", "status": 99}', id="no-status"),
        pytest.param('{"kind": "slow", "times": 0}', id="never"),
        pytest.param('{"kind": "slow", "path": "^("}', id="no-regular-expression"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_a_reason(
    http: requests.Session, switch_on: SwitchOn, fault: str
) -> None:
    answer = http.post(switch_on.url, data=fault, timeout=5)

    assert answer.status_code == 400
    assert answer.json()["message"]
    assert http.get(switch_on.url, timeout=5).json() == []


def test_the_ledger_notes_requests_and_hides_what_is_like_a_token(
    base_url: str, http: requests.Session, switch_on: SwitchOn
) -> None:
    switch_on("disconnect", path="/things/c")
    headers = {"Authorization": "Bearer marked-secret"}
    query = {"limit": "5", "code": "marked-secret", "access_token": "marked-secret"}
    http.get(f"{base_url}/things/b", params=query, headers=headers, timeout=5)
    http.get(f"{base_url}/nowhere", timeout=5)
    with pytest.raises(requests.ConnectionError):
        http.get(f"{base_url}/things/c", timeout=5)

    answer = http.get(f"{base_url}/_simulator/ledger", timeout=5)

    first, second, third = answer.json()
    assert "marked-secret" not in answer.text
    assert (first["method"], first["path"], first["status"]) == ("GET", "/things/b", 200)
    assert first["query"] == {"limit": "5", "code": "(hidden)", "access_token": "(hidden)"}
    assert abs(first["at"] - time.time()) < 10
    assert (second["path"], second["status"]) == ("/nowhere", 404)
    assert (third["status"], third["fault"]) == (None, "disconnect")


def test_the_ledger_can_be_emptied(base_url: str, http: requests.Session) -> None:
    http.get(f"{base_url}/things/b", timeout=5)

    http.delete(f"{base_url}/_simulator/ledger", timeout=5)

    assert http.get(f"{base_url}/_simulator/ledger", timeout=5).json() == []


def test_what_can_be_switched_is_listed(base_url: str, http: requests.Session) -> None:
    told = http.get(f"{base_url}/_simulator/", timeout=5).json()

    assert "POST /_simulator/faults" in told["endpoints"]
    assert "drip" in told["fault_kinds"]
    added = http.post(f"{base_url}/_simulator/faults", json=told["a_fault"], timeout=5)
    assert added.status_code == 201
