"""The pure parts of the only way out."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from functions.connectors.http.answers import (
    MAX_RETRY_AFTER_SECONDS,
    Answer,
    decode,
    elements,
    ends_early,
    members,
    read,
    retry_after,
)
from functions.connectors.http.client import origin
from functions.connectors.http.sockets import session
from functions.core.errors import ConfigurationInvalid, ProviderUnavailable, UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = 1_445_428_800.0
"""2015-10-21T12:00:00Z, a Wednesday."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param(None, 0, id="no-header"),
        pytest.param("", 0, id="empty"),
        pytest.param("0", 0, id="at-once"),
        pytest.param("120", 120, id="seconds"),
        pytest.param(" 120 ", 120, id="seconds-in-blanks"),
        pytest.param("86400", MAX_RETRY_AFTER_SECONDS, id="a-day"),
        pytest.param("000000000000120", 120, id="leading-zeros"),
        pytest.param("0.001", 1, id="hardly-anything"),
        pytest.param("6.5", 7, id="fraction"),
        pytest.param("6.", 6, id="half-a-fraction"),
        pytest.param("6, 6", 6, id="twice"),
        pytest.param("6,7.5, 5", 8, id="three-of-them"),
        pytest.param("soon, 6", 6, id="nonsense-and-seconds"),
        pytest.param(", ,", 0, id="nothing-twice"),
        pytest.param("1445428810", 10, id="epoch-seconds"),
        pytest.param("1445428809.25", 10, id="epoch-seconds-and-a-fraction"),
        pytest.param("1445428810000", 10, id="epoch-milliseconds"),
        pytest.param("1445428809001", 10, id="epoch-milliseconds-rounded-up"),
        pytest.param("1445428810000000", 10, id="epoch-microseconds"),
        pytest.param("1445428790", 0, id="epoch-in-the-past"),
        pytest.param("1445428790000", 0, id="epoch-milliseconds-in-the-past"),
        pytest.param("1450000000", MAX_RETRY_AFTER_SECONDS, id="epoch-in-weeks"),
        pytest.param("120000", 120, id="milliseconds"),
        pytest.param("86400001", MAX_RETRY_AFTER_SECONDS, id="milliseconds-over-a-day"),
        pytest.param(120, 120, id="a-number-of-a-body"),
        pytest.param(6.5, 7, id="a-fraction-of-a-body"),
        pytest.param(1445428810000.0, 10, id="an-instant-of-a-body"),
        pytest.param(True, 0, id="no-number"),
        pytest.param(float("nan"), 0, id="not-a-number"),
        pytest.param([5], 0, id="a-list"),
        pytest.param("1000000000", MAX_RETRY_AFTER_SECONDS, id="absurd"),
        pytest.param("9" * 5000, MAX_RETRY_AFTER_SECONDS, id="more-digits-than-an-int-may-have"),
        pytest.param("-5", 0, id="negative"),
        pytest.param("1e3", 0, id="exponent"),
        pytest.param("\u0663", 0, id="a-digit-of-another-script"),
        pytest.param("soon", 0, id="word"),
        pytest.param("Wed, 21 Oct 2015 12:02:00 GMT", 120, id="date"),
        pytest.param("Wed, 21 Oct 2015 14:02:00 +0200", 120, id="date-with-an-offset"),
        pytest.param(
            "Wed, 21 Oct 2015 12:02:00 GMT, Wed, 21 Oct 2015 12:01:00 GMT", 120, id="two-dates"
        ),
        pytest.param("30, Wed, 21 Oct 2015 12:02:00 GMT", 120, id="seconds-and-a-date"),
        pytest.param("Wednesday, 21-Oct-15 12:02:00 GMT", 120, id="date-of-rfc-850"),
        pytest.param("Wed Oct 21 12:02:00 2015", 120, id="date-of-asctime"),
        pytest.param("Wed, 21 Oct 2015 12:02:00 -0000", 120, id="date-of-no-zone"),
        pytest.param("Wed, 21 Oct 2015 11:58:00 GMT", 0, id="date-in-the-past"),
        pytest.param("Wed, 21 Oct 2065 12:00:00 GMT", MAX_RETRY_AFTER_SECONDS, id="far-date"),
        pytest.param("Wed, 99 Oct 2015 12:00:00 GMT", 0, id="no-such-day"),
        pytest.param("Wed, 21 Oct 99999999999 12:00:00 GMT", 0, id="no-such-year"),
        pytest.param("2015-10-21T14:02:00+02:00", 120, id="date-of-rfc-3339"),
        pytest.param("2015-10-21T12:02:00", 0, id="date-of-rfc-3339-without-an-offset"),
        pytest.param("120s", 120, id="seconds-by-name"),
        pytest.param("119.5 Seconds", 120, id="seconds-by-their-full-name"),
        pytest.param('"120"', 120, id="quoted"),
        pytest.param("2m", 0, id="another-unit"),
    ],
)
def test_retry_after_is_whole_seconds_up_to_a_day(value: object, seconds: int) -> None:
    assert retry_after(value, at=NOON) == seconds


@pytest.fixture
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    yield
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    time.tzset()


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize("value", ["Wed Oct 21 12:02:00 2015", "Wed, 21 Oct 2015 12:02:00 -0000"])
def test_a_date_without_a_zone_is_utc_wherever_we_are(value: str) -> None:
    assert retry_after(value, at=NOON) == 120


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://bank.example", "https://bank.example", id="https"),
        pytest.param("https://bank.example/", "https://bank.example", id="trailing-slash"),
        pytest.param("https://bank.example/base/", "https://bank.example/base", id="path"),
        pytest.param("https://bank.example:8443", "https://bank.example:8443", id="port"),
        pytest.param("http://127.0.0.1:9", "http://127.0.0.1:9", id="loopback"),
        pytest.param("http://localhost:9", "http://localhost:9", id="localhost"),
        pytest.param("http://[::1]:9", "http://[::1]:9", id="loopback-v6"),
    ],
)
def test_an_address_is_https_or_on_this_machine(url: str, expected: str) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param("bank.example", id="no-scheme"),
        pytest.param("//bank.example", id="no-scheme-but-slashes"),
        pytest.param("http://bank.example", id="plain-http"),
        pytest.param("http://127.0.0.2", id="plain-http-beside-loopback"),
        pytest.param("http://localhost.bank.example", id="localhost-as-a-prefix"),
        pytest.param("http://127.0.0.1@bank.example", id="loopback-as-a-user"),
        pytest.param("http://127.0.0.1:80\\@bank.example", id="backslash"),
        pytest.param("https://user:password@bank.example", id="password"),
        pytest.param("ftp://127.0.0.1", id="other-scheme"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("https://", id="no-host"),
        pytest.param("https:///path", id="path-without-host"),
        pytest.param("https://bank.example?x=1", id="query"),
        pytest.param("https://bank.example?", id="empty-query"),
        pytest.param("https://bank.example#x", id="fragment"),
        pytest.param("https://bank.example/a b", id="blank"),
        pytest.param("https://bank.example\n.evil.example", id="line-end"),
        pytest.param("https://[::1", id="half-an-address"),
        pytest.param("https://bank.example:99999", id="no-such-port"),
        pytest.param("https://bank.example:0", id="port-0"),
        pytest.param("https://bank.example:https", id="port-in-letters"),
    ],
)
def test_any_other_address_is_a_fault_of_the_configuration(url: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        origin(url)
    assert str(caught.value) == ConfigurationInvalid.text


class Shape(msgspec.Struct):
    id: str
    rest: msgspec.Raw = msgspec.Raw(b"null")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>no</html>", id="html"),
        pytest.param(b"<html><script>{", id="html-cut-off"),
        pytest.param(b'{"id": "a"} x', id="more-after-it"),
        pytest.param(b"[]", id="another-shape"),
        pytest.param(b'{"id": 1}', id="another-type"),
        pytest.param(b"{}", id="a-field-missing"),
        pytest.param(b'{"id": NaN}', id="nan"),
        pytest.param(b'{"id": "\xff"}', id="not-utf-8"),
        pytest.param(b'{"id": "\\ud800"}', id="half-a-surrogate-pair"),
        pytest.param(b'{"id": "a" "other": "\\ud800"}', id="no-comma"),
        pytest.param(b'{"id": "a", "\\ud800"}', id="no-value"),
        pytest.param(b'{"id": "a", "other": "\\ud800"}}', id="one-bracket-too-many"),
        pytest.param(b'{"other": "\\ud800"}', id="a-field-missing-beside-an-odd-one"),
        pytest.param(b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="nested-for-ever"),
        pytest.param(b'{"id": "a"}\xff', id="bytes-after-it"),
        pytest.param(b'{"id": "a", "rest": "{[", x}', id="brackets-in-a-string"),
        pytest.param('{"id": "a"}'.encode("utf-16"), id="utf-16"),
    ],
)
def test_an_answer_that_is_not_what_was_documented_is_unexpected(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        decode(Answer(status=200, body=body), Shape)
    assert str(caught.value) == UnexpectedAnswer.text


class Outer(msgspec.Struct):
    inner: Shape | None = None


@pytest.mark.parametrize("rest", [b'{"a": "\\ud800"}', b'["\xff"]', b"[NaN]"])
def test_a_raw_part_is_not_looked_into_however_deep_it_lies(rest: bytes) -> None:
    whole = b'{"inner": {"id": "a", "rest": ' + rest + b', "other": "\\ud800"}, "other": [NaN]}'
    inner = decode(Answer(status=200, body=whole), Outer).inner
    assert inner is not None
    assert (inner.id, bytes(inner.rest)) == ("a", rest)


WHOLE = '{"id": "\\"[é", "rest": [{"a": -1.5e7, "b": [true, null]}, "\\\\"]}'.encode()


@pytest.mark.parametrize("body", [WHOLE[:end] for end in range(len(WHOLE))])
def test_an_answer_that_ends_early_is_none_yet_wherever_it_ends(body: bytes) -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        decode(Answer(status=200, body=body), Shape)
    assert type(caught.value) is ProviderUnavailable


def test_json_that_is_whole_does_not_end_early_and_other_answers_may_be_empty() -> None:
    assert not ends_early(WHOLE, status=200)
    assert not ends_early(b"", status=202)
    assert ends_early(b" ", status=200)


def test_to_find_the_end_of_strings_takes_no_longer_than_they_are() -> None:
    assert ends_early(b'{"' + b'\\"' * 1_000_000, status=200)


def test_fields_that_were_not_asked_for_are_ignored_and_raw_parts_kept_byte_for_byte() -> None:
    body = b'{"id": "a", "rest": { "amount" : 1.10 }, "new": [1e400]}'
    assert bytes(decode(Answer(status=200, body=body), Shape).rest) == b'{ "amount" : 1.10 }'


ODD = [
    pytest.param(b'"\\ud800"', id="half-a-surrogate-pair"),
    pytest.param(b'"\xff"', id="not-utf-8"),
    pytest.param(b"[" * 100_000 + b"]" * 100_000, id="nested-very-deeply"),
    pytest.param(b"NaN", id="nan"),
    pytest.param(b'{"a,": "]}\\",[{", "b": ["\\udfff", {}]}', id="marks-within-a-text"),
]


@pytest.mark.parametrize("odd", ODD)
def test_a_field_that_is_not_read_makes_no_answer_unreadable(odd: bytes) -> None:
    body = b' {"other" : ' + odd + b', "rest": { "amount" : 1.10 }, "id": "a"} '
    answer = decode(Answer(status=200, body=body), Shape)
    assert (answer.id, bytes(answer.rest)) == ("a", b'{ "amount" : 1.10 }')


@pytest.mark.parametrize("odd", ODD)
def test_what_is_wrong_inside_one_element_or_member_is_wrong_with_no_other(odd: bytes) -> None:
    split = [bytes(each) for each in elements(b'[{"a" : 1} , ' + odd + b', "b"]')]
    assert split == [b'{"a" : 1}', odd, b'"b"']
    told = members(b'{"a":[1, 2], "odd" : ' + odd + b', "\\ud800": 3}')
    assert {name: bytes(each) for name, each in told.items()} == {"a": b"[1, 2]", "odd": odd}
    with pytest.raises(UnexpectedAnswer):
        read(odd, object)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1", b"[1}", b'["\\ud800', b"[1] 2", b"null"])
def test_what_is_no_array_has_no_elements(raw: bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        elements(raw)


def test_the_session_reads_no_settings_of_this_machine() -> None:
    assert session() is session()
    assert not session().trust_env
