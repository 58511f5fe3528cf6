"""Tokens come from where they are said to, are kept until they expire, and are renewed once."""

from __future__ import annotations

import os
import sys
from base64 import urlsafe_b64encode
from json import dumps
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from freshet_client import Client, errors, tokens
from tests.unit.client.conftest import API, Script, Time, ok, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENDPOINTS = ok({"endpoints": []})
REFUSED = refused(401, "unauthorized", "fix_request")


def a_token(name: str, *, until: float) -> str:
    claims = urlsafe_b64encode(dumps({"exp": until, "n": name}).encode()).decode().rstrip("=")
    return f"{name}.{claims}.signature"


@pytest.fixture
def call(api: Script) -> Callable[..., list[str]]:
    """Calls the API with this source of tokens, several times; which tokens it sent."""

    def call(source: Any, *, times: int = 1) -> list[str]:
        http = httpx2.Client(transport=httpx2.MockTransport(api))
        with Client(api=API, token=source, http=http) as client:
            for _ in range(times):
                client.list_endpoints()
        return [each.headers["Authorization"].removeprefix("Bearer ") for each in api.asked]

    return call


def test_a_token_is_kept_until_it_is_about_to_expire(
    api: Script, call: Callable[..., list[str]], clock: Time
) -> None:
    given = [a_token("one", until=clock.now + 100), a_token("two", until=clock.now + 900)]
    api.answer(refused(503, "unavailable", **{"Retry-After": "50"}), ENDPOINTS)

    def source() -> str:
        return given.pop(0)

    sent = call(source, times=3)

    assert [each.partition(".")[0] for each in sent] == ["one", "one", "one", "one"]
    clock.now += 30
    assert given  # not asked for yet


def test_a_token_that_has_expired_is_asked_for_again(
    api: Script, call: Callable[..., list[str]], clock: Time
) -> None:
    given = [a_token(name, until=clock.now + 31 + 10 * n) for n, name in enumerate("abc")]
    api.answer(refused(503, "unavailable", **{"Retry-After": "5"}), ENDPOINTS)

    assert [each[0] for each in call(lambda: given.pop(0))] == ["a", "b"]


def test_a_refused_token_is_renewed_once(api: Script, call: Callable[..., list[str]]) -> None:
    given = ["one", "two", "three"]
    api.answer(REFUSED, ENDPOINTS)
    assert call(lambda: given.pop(0), times=2) == ["one", "two", "two"]

    api.answer(REFUSED)
    with pytest.raises(errors.Unauthorized):
        call(lambda: given.pop(0) if given else "four")
    assert len(api.asked) == 5


def test_a_renewal_is_for_calls_without_a_key_too(api: Script) -> None:
    given = ["one", "two"]
    api.answer(REFUSED, ok({"event_id": "e", "milliseconds": 1}))
    http = httpx2.Client(transport=httpx2.MockTransport(api))

    with Client(api=API, token=lambda: given.pop(0), http=http) as client:
        client.ping_endpoint("end_1")

    assert len(api.asked) == 2


def test_a_fixed_token_is_not_renewed(api: Script, call: Callable[..., list[str]]) -> None:
    api.answer(REFUSED)

    with pytest.raises(errors.Unauthorized):
        call("fixed")

    assert len(api.asked) == 1


@pytest.mark.parametrize("value", ["a b", "a\nb", "é", "", None, 5, b"bytes"])
def test_what_is_no_token_is_not_sent(
    api: Script, call: Callable[..., list[str]], value: Any
) -> None:
    with pytest.raises(errors.TokenError):
        call(lambda: value)

    assert api.asked == []


def test_a_token_is_read_from_a_file_and_read_again(
    api: Script, call: Callable[..., list[str]], tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    source = tokens.from_file(path)
    api.answer(ENDPOINTS)
    assert call(source) == ["first"]

    path.write_text("second\n")
    api.answer(REFUSED, ENDPOINTS)
    assert call(source) == ["first", "first", "second"]


def test_a_file_that_is_not_there_is_named(call: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(errors.TokenError, match="no-token: No such file"):
        call(tokens.from_file(tmp_path / "no-token"))


def test_a_command_prints_a_token(api: Script, call: Callable[..., list[str]]) -> None:
    api.answer(ENDPOINTS)

    assert call(tokens.from_command([sys.executable, "-c", "print('printed')"])) == ["printed"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["/no/such/program"], "/no/such/program cannot be run: No such file"),
        ([sys.executable, "-c", "print('secret'); exit(3)"], "exit status is 3"),
    ],
)
def test_a_command_that_prints_none_is_told_without_what_it_printed(
    call: Callable[..., Any], command: list[str], says: str
) -> None:
    with pytest.raises(errors.TokenError, match=says) as told:
        call(tokens.from_command(command))

    assert "secret'" not in str(told.value).replace("print('secret'", "")


def test_a_command_does_not_take_what_was_sent_to_us(
    api: Script, call: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Records for a push, or what an agent's host says, come in at the same place."""
    (tmp_path / "sent").write_text("{}")
    takes = "import sys; print('took' if sys.stdin.read() else 'nothing')"
    api.answer(ENDPOINTS)
    before = os.dup(0)
    try:
        with (tmp_path / "sent").open() as sent:
            os.dup2(sent.fileno(), 0)
        found = call(tokens.from_command([sys.executable, "-c", takes]))
    finally:
        os.dup2(before, 0)
        os.close(before)

    assert found == ["nothing"]


def test_a_command_that_prints_no_text_has_printed_no_token(call: Callable[..., Any]) -> None:
    prints = "import sys; sys.stdout.buffer.write(bytes([255, 254]))"

    with pytest.raises(errors.TokenError):
        call(tokens.from_command([sys.executable, "-c", prints]))


@pytest.mark.parametrize("token", ["opaque", "a.b", "a.!.c", "a.e30.c", "a.bnVsbA.c", "a.W10.c"])
def test_a_token_that_does_not_say_is_good_until_it_is_refused(token: str) -> None:
    assert tokens.read_expiry(token) == float("inf")


def test_no_source_shows_its_token() -> None:
    shown = repr(tokens.Fixed("very-secret")) + repr(tokens.from_callable(lambda: "very-secret"))

    assert "very-secret" not in shown


def test_a_source_that_has_run_out_ends_no_call_as_if_it_had_succeeded(
    call: Callable[..., list[str]],
) -> None:
    with pytest.raises(StopIteration):
        call(iter(()).__next__)
