"""The answers of a token endpoint: the two tokens are taken, whatever stands beside them."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pytest

from functions.connectors.http.client import Http
from functions.connectors.oauth import Client, exchange_code, exchange_refresh_token, seconds_in
from functions.core.errors import ProviderUnavailable, UnexpectedAnswer
from functions.core.model import Credentials
from infra.local.simulators.server import serve
from tests.support.fakes.stores import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

T = TypeVar("T")

AT = 1_800_000_000.0
PAIR = '"access_token": "access-2", "refresh_token": "refresh-2"'


def read_answer(body: bytes, *, status: int, ask: Callable[..., T]) -> T:
    """What is read of a token endpoint's answer."""

    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response(f"{status} x", [("Content-Length", str(len(body)))])
        return [body]

    with serve(app) as base_url:
        http, client = (
            Http(base_url, clock=Clock()),
            Client(base_url=base_url, client_id="a"),
        )
        return ask(http, "/token", client=client, at=AT)


def answered(body: bytes, *, status: int = 200) -> Credentials:
    """The credentials from this answer to an exchange of ``refresh-1``."""
    ask = partial(exchange_refresh_token, refresh_token="refresh-1")
    return read_answer(body, status=status, ask=ask)


@pytest.mark.parametrize(
    ("member", "scope"),
    [
        pytest.param('"scope": "a b"', "a b", id="a-text"),
        pytest.param('"scope": ["a", "b"]', "a b", id="a-list"),
        pytest.param('"scope": []', "", id="none"),
        pytest.param('"scope": {"a": "b"}', None, id="an-object"),
        pytest.param('"name": 1', None, id="unsaid"),
    ],
)
def test_what_a_user_has_allowed_is_read_as_a_text_or_a_list(
    member: str, scope: str | None
) -> None:
    ask = partial(exchange_code, form={"code": "c"})
    assert read_answer(f"{{{PAIR}, {member}}}".encode(), status=200, ask=ask).scope == scope


@pytest.mark.parametrize(
    ("member", "seconds"),
    [
        pytest.param('"expires_in": 600', 600, id="a-number"),
        pytest.param('"expires_in": 599.5', 599.5, id="a-fraction"),
        pytest.param('"expires_in": "600"', 600, id="a-text"),
        pytest.param('"expires_in": " 600 "', 600, id="a-text-with-blanks"),
        pytest.param('"expires_in": "soon"', 0, id="a-word"),
        pytest.param('"expires_in": null', 0, id="null"),
        pytest.param('"expires_in": 0', 0, id="nothing"),
        pytest.param('"expires_in": -5', 0, id="negative"),
        pytest.param('"expires_in": NaN', 0, id="nan"),
        pytest.param('"expires_in": "NaN"', 0, id="nan-as-a-text"),
        pytest.param('"expires_in": Infinity', 0, id="infinity"),
        pytest.param(f'"expires_in": {"9" * 5000}', 0, id="huge"),
        pytest.param('"expires_in": true', 0, id="a-truth"),
        pytest.param('"expires_in": {"seconds": 600}', 0, id="an-object"),
        pytest.param('"expires_in": [600]', 0, id="a-list"),
        pytest.param('"token_type": 7', 0, id="an-odd-type"),
        pytest.param('"scope": ["a"]', 0, id="scopes-as-a-list"),
        pytest.param('"id_token": null', 0, id="no-id-token"),
        pytest.param('"name": "\\ud800"', 0, id="half-a-character"),
    ],
)
def test_both_tokens_are_taken_whatever_stands_beside_them(member: str, seconds: float) -> None:
    assert answered(f"{{{PAIR}, {member}}}".encode()) == Credentials(
        access_token="access-2",
        refresh_token="refresh-2",
        expires_at=AT + seconds if seconds else 0,
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{%s, "name": "\xff"}' % PAIR.encode(), id="odd-bytes"),
        pytest.param(b"\xef\xbb\xbf{%s}" % PAIR.encode(), id="a-byte-order-mark"),
    ],
)
def test_both_tokens_are_taken_of_what_is_json_by_and_large(body: bytes) -> None:
    assert answered(body).refresh_token == "refresh-2"


@pytest.mark.parametrize("status", [200, 201, 202, 203, 226])
def test_both_tokens_are_taken_with_any_status_of_success(status: int) -> None:
    assert answered(f"{{{PAIR}}}".encode(), status=status).refresh_token == "refresh-2"


@pytest.mark.parametrize("given", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_an_answer_without_a_successor_keeps_the_refresh_token(given: dict[str, object]) -> None:
    told = answered(json.dumps({"access_token": "access-2", **given}).encode())
    assert told == Credentials(access_token="access-2", refresh_token="refresh-1")


@pytest.mark.parametrize(
    "given", [{}, {"access_token": None}, {"access_token": "\n"}, {"access_token": "ä"}]
)
def test_a_successor_is_taken_without_an_access_token(given: dict[str, object]) -> None:
    told = answered(json.dumps({"refresh_token": "refresh-2", **given}).encode())
    assert told == Credentials(access_token="", refresh_token="refresh-2")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"<html>",
        b'{"refresh_token": "refresh-1"}',
        b'{"access_token": 7}',
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_an_answer_without_any_token_is_outside_the_contract(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        answered(body)


@pytest.mark.parametrize(
    "successor", ["refresh-2\n", "re fresh", "r\u00e9\u00a0", "\t2", "r" * 5000]
)
def test_a_successor_is_kept_as_it_was_given(successor: str) -> None:
    given = {"access_token": " access-2\r\n", "refresh_token": successor}
    told = answered(json.dumps(given).encode())
    assert told == Credentials(access_token="access-2", refresh_token=successor)


@pytest.mark.parametrize("body", [b"", b"\n", b'{"access_token": "access-2", "refr'])
def test_an_answer_that_was_lost_on_its_way_may_be_had_again(body: bytes) -> None:
    with pytest.raises(ProviderUnavailable):
        answered(body)


@pytest.mark.parametrize("value", [None, True, "", "x", -1, 0, "-1", 10**400, [], {}, b"7"])
def test_what_is_no_positive_number_is_no_seconds(value: object) -> None:
    assert seconds_in(value) == 0
