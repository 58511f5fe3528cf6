"""The only way out, on loopback: what an unfriendly server may and may not do to us."""

from __future__ import annotations

import gzip
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from functions.connectors.http.answers import TokenRefused
from functions.connectors.http.client import MAX_ANSWER_BYTES, Http
from functions.core.errors import AnswerTooLarge, ProviderUnavailable, UnexpectedAnswer
from infra.local.simulators.server import serve
from tests.support.fakes.stores import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Server:
    """Answers everything alike, and remembers what it was asked."""

    def __init__(self, *, body: bytes = b"{}", status: int = 200, **headers: str) -> None:
        self._body, self._status = body, f"{status} x"
        self._headers = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.asked: list[WSGIEnvironment] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        self.asked.append(environ)
        start_response(self._status, [*self._headers, ("Content-Length", str(len(self._body)))])
        return [self._body]


@contextmanager
def serving(server: Server) -> Iterator[Http]:
    with serve(server) as base_url:
        yield Http(base_url, clock=Clock())


def test_a_cookie_of_one_users_answer_does_not_go_with_the_next_users_call() -> None:
    server = Server(Set_Cookie="session=canary-4711; Path=/")
    with serving(server) as http:
        http.call("GET", "/a", headers={"Authorization": "Bearer one"})
        http.call("GET", "/a", headers={"Authorization": "Bearer two"})
    assert [environ.get("HTTP_COOKIE") for environ in server.asked] == [None, None]


def test_an_answers_headers_are_had_by_their_names_in_any_case() -> None:
    server = Server(status=202, body=b"", Location="/jobs/7", Link='</list?page=2>; rel="next"')
    with serving(server) as http:
        answer = http.call("POST", "/jobs", headers={}, accept=frozenset({202}))
    assert (answer.headers["location"], answer.body) == ("/jobs/7", b"")
    assert answer.headers["LINK"] == '</list?page=2>; rel="next"'


def test_a_redirect_is_not_followed_and_takes_no_token_along() -> None:
    elsewhere = Server()
    with serve(elsewhere) as other:
        moved = Server(status=307, Location=other)
        with serving(moved) as http, pytest.raises(UnexpectedAnswer):
            http.call("GET", "/a", headers={"Authorization": "Bearer canary-4711"})
    assert elsewhere.asked == []


def test_a_byte_order_mark_is_no_part_of_the_json() -> None:
    with serving(Server(body=b"\xef\xbb\xbf[]")) as http:
        assert http.call("GET", "/a", headers={}).body == b"[]"


@pytest.mark.parametrize("location", ["http://[::1", "http://x:y/", "\xff\xfe", "", "//", "a b"])
def test_a_redirect_to_no_address_is_as_any_other(location: str) -> None:
    with serving(Server(status=302, Location=location)) as http, pytest.raises(UnexpectedAnswer):
        http.call("GET", "/a", headers={})


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_an_answer_over_the_bound_is_refused(*, packed: bool) -> None:
    body = bytes(MAX_ANSWER_BYTES + 1)
    small = gzip.compress(body, compresslevel=1)
    server = Server(body=small, Content_Encoding="gzip") if packed else Server(body=body)
    with serving(server) as http, pytest.raises(AnswerTooLarge):
        http.call("GET", "/a", headers={})


def test_an_answer_just_within_the_bound_is_taken() -> None:
    with serving(Server(body=bytes(MAX_ANSWER_BYTES))) as http:
        assert len(http.call("GET", "/a", headers={}).body) == MAX_ANSWER_BYTES


def test_an_answer_that_cannot_be_unpacked_is_no_answer() -> None:
    server = Server(body=b"not gzip", Content_Encoding="gzip")
    with serving(server) as http, pytest.raises(ProviderUnavailable):
        http.call("GET", "/a", headers={})


def test_a_header_with_a_line_end_is_not_sent() -> None:
    server = Server()
    with serving(server) as http, pytest.raises(ProviderUnavailable) as caught:
        http.call("GET", "/a", headers={"Authorization": "Bearer canary-4711\r\nX: y"})
    assert server.asked == []
    assert "canary" not in str(caught.value)


def test_only_401_asks_for_another_token() -> None:
    with serving(Server(status=401)) as http, pytest.raises(TokenRefused):
        http.call("GET", "/a", headers={})


def test_no_setting_of_this_machine_changes_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server = Server()
    with serving(server) as http:
        http.call("GET", "/a", headers={})
    assert len(server.asked) == 1
    assert server.asked[0]["HTTP_USER_AGENT"] == "freshet"


@pytest.mark.parametrize("accept", [(200,), (200, 400)], ids=["refused", "answered"])
@pytest.mark.parametrize(
    ("body", "headers", "told"),
    [
        pytest.param(b'{"errorCode": 40}', {"x-request-id": "a-1"}, ("40", "a-1"), id="banno"),
        pytest.param(b'{"error": {"code": "SDKInvalid"}}', {}, ("SDKInvalid", None), id="digime"),
        pytest.param(b"{}", {"X-Error-Reference": "0f"}, (None, "0f"), id="by-its-header"),
        pytest.param(b'{"error": "invalid_client"}', {}, ("invalid_client", None), id="oauth"),
        pytest.param(b'{"error": "Ada is 7"}', {"x-request-id": "Ada L"}, (None, None), id="prose"),
        pytest.param(b'{"errorCode": 12345678}', {}, (None, None), id="an-account"),
        pytest.param(b'{"error": "a1b2c3d4e5f6"}', {}, (None, None), id="a-token"),
        pytest.param(b'{"error": [{"code": 1}]}', {}, (None, None), id="a-list"),
        pytest.param(b'{"error": null}', {"x-request-id": "x" * 65}, (None, None), id="too-long"),
        pytest.param(b"<html>", {}, (None, None), id="a-page"),
        pytest.param(bytes(10**6), {}, (None, None), id="endless"),
    ],
)
def test_the_log_has_the_code_and_the_request_of_a_refusal_and_no_prose(
    body: bytes,
    headers: dict[str, str],
    told: tuple[str | None, str | None],
    accept: tuple[int, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(status=400, body=body, **headers)
    with serving(server) as http, suppress(UnexpectedAnswer):
        http.call("GET", "/a", headers={"Accept": "*/*"}, accept=accept)
    (line,) = caplog.records
    found = (getattr(line, name, None) for name in ("provider_error", "provider_request"))
    assert (line.getMessage(), vars(line)["provider_status"]) == ("provider refused", 400)
    assert tuple(found) == told


def test_what_is_not_refused_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with serving(Server(status=202)) as http:
        http.call("GET", "/a", headers={}, accept=frozenset({202}))
    assert caplog.records == []
