"""Large answers, on loopback: through the disk, bounded, and never half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.connectors.http.answers import TokenRefused
from functions.connectors.http.client import SPOOL_BYTES, Http
from functions.core.errors import (
    AnswerTooLarge,
    FreshetError,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)
from infra.local.simulators.server import WIRE, Cut, serve
from tests.support.fakes.stores import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Server:
    """Answers everything alike, the first ``broken`` times not to the end."""

    def __init__(self) -> None:
        self.body, self.status, self.broken, self.asked = b"", 200, 0, 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        self.asked += 1
        if self.broken:
            self.broken -= 1
            environ[WIRE].cut = Cut.HALF
        headers = [("Content-Length", str(len(self.body))), ("X-Metadata", "m")]
        start_response(f"{self.status} x", [*headers, ("Location", "/elsewhere")])
        return [self.body]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def http(server: Server) -> Iterator[Http]:
    with serve(server) as base_url:
        yield Http(base_url, clock=Clock())


@pytest.mark.parametrize("size", [0, 1, SPOOL_BYTES, 5 * SPOOL_BYTES + 1])
def test_a_download_is_an_open_file_with_its_headers(server: Server, http: Http, size: int) -> None:
    server.body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    answer = http.download("/file", headers={}, most=10 * SPOOL_BYTES)
    with answer.body as body:
        assert body.read() == server.body
    assert (answer.status, answer.headers["x-metadata"]) == (200, "m")


@pytest.mark.parametrize("size", [1001, 3 * SPOOL_BYTES])
def test_a_download_over_its_bound_is_refused(server: Server, http: Http, size: int) -> None:
    server.body = b"x" * size
    with pytest.raises(AnswerTooLarge):
        http.download("/file", headers={}, most=1000)


@pytest.mark.parametrize("broken", [1, 2])
def test_a_download_that_broke_off_is_asked_for_once_more_and_never_half(
    server: Server, http: Http, broken: int
) -> None:
    server.body, server.broken = b"x" * 3 * SPOOL_BYTES, broken
    if broken == 1:
        with http.download("/file", headers={}, most=10 * SPOOL_BYTES).body as body:
            assert len(body.read()) == 3 * SPOOL_BYTES
    else:
        with pytest.raises(ProviderUnavailable):
            http.download("/file", headers={}, most=10 * SPOOL_BYTES)
    assert server.asked == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, TokenRefused),
        (429, RateLimited),
        (503, ProviderUnavailable),
        (302, UnexpectedAnswer),
        (404, UnexpectedAnswer),
    ],
)
def test_the_statuses_of_a_download_mean_what_they_mean_elsewhere(
    server: Server, http: Http, status: int, error: type[FreshetError]
) -> None:
    server.status, server.body = status, b"canary-4711"
    with pytest.raises(error) as caught:
        http.download("/file", headers={}, most=1000)
    assert type(caught.value) is error
    assert server.asked == 1


def test_a_status_that_is_an_answer_is_given_with_its_body(server: Server, http: Http) -> None:
    server.status, server.body = 404, b"not yet"
    answer = http.download("/file", headers={}, most=1000, accept=frozenset({200, 404}))
    with answer.body as body:
        assert (answer.status, body.read()) == (404, b"not yet")
