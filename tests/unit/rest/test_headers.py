"""Headers that say how a request is to be taken."""

from __future__ import annotations

import pytest

from functions.core.errors import InvalidRequest
from functions.rest.headers import PREFER, idempotency_key, read_key, read_wait


@pytest.mark.parametrize("key", ["k", '"quoted"', "!~", "x" * 255])
def test_a_key_is_taken_as_it_is(key: str) -> None:
    assert read_key(key) == key


def test_a_request_needs_no_key_unless_its_call_says_so() -> None:
    assert idempotency_key("Yours.", example="k").parse(None) is None
    with pytest.raises(InvalidRequest, match=r"^A key is needed\.$"):
        idempotency_key("Yours.", example="k", missing="A key is needed.").parse(None)


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "x" * 256, "\u2615", "a\n", "\x7f", "a\tb", "\u0663"]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^Idempotency-Key must be 1 to 255"):
        read_key(key)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        pytest.param("wait=5", 5, id="plain"),
        pytest.param("WAIT = 7", 7, id="any-case-and-blanks"),
        pytest.param('wait="8"', 8, id="quoted"),
        pytest.param("wait=0", 0, id="none-at-all"),
        pytest.param("wait=007", 7, id="leading-zeros"),
        pytest.param("wait=25", 25, id="the-most"),
        pytest.param("wait=26", 25, id="more-than-the-most"),
        pytest.param("wait=" + "9" * 900, 25, id="far-more"),
        pytest.param("respond-async, wait=10", 10, id="among-others"),
        pytest.param(",, wait=3 ,", 3, id="empty-ones-around-it"),
        pytest.param("wait=4; why=now", 4, id="with-a-parameter"),
        pytest.param('wait=4;why="a, wait=9", wait=2', 4, id="with-a-quoted-parameter"),
        pytest.param('foo="a, wait=5", wait=3', 3, id="not-what-is-quoted"),
        pytest.param("wait=3, wait=9", 3, id="the-first-of-several"),
    ],
)
def test_a_wait_is_preferred(told: str, seconds: int) -> None:
    assert read_wait(told) == seconds


@pytest.mark.parametrize(
    "told",
    [
        "",
        "wait",
        "wait=",
        "wait=soon",
        "wait=-1",
        "wait=1.5",
        "wait=5 5",
        "wait=\uff13",
        'wait="5',
        '"wait=3',
        "await=3",
        "wait:3",
        'foo="a, wait=5"',
        "wait=soon, wait=3",
        "handling=lenient",
        '"' * 9999,
        "\\" * 9999,
        'a="' + "\\" * 9999,
    ],
)
def test_what_makes_no_sense_is_ignored(told: str) -> None:
    assert read_wait(told) is None


def test_a_caller_who_prefers_nothing_does_not_wait() -> None:
    assert PREFER.parse(None) is None
