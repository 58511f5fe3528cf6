"""Names that a body gives twice."""

from __future__ import annotations

import pytest

from functions.core.contract import RefreshOptions
from functions.core.errors import InvalidRequest
from functions.rest.body import decode
from functions.rest.calls.pushes import PushIn
from functions.rest.calls.registrations import ConnectionIn


def push(record: str) -> bytes:
    """The second record of a push; the first is good."""
    records = f'[{{"data": {{"a": 1}}}}, {record}]'
    return f'{{"connection_id": "c", "dataset": "d", "records": {records}}}'.encode()


@pytest.mark.parametrize(
    ("raw", "shape", "place"),
    [
        pytest.param(
            b'{"connection_id": "a", "full": true, "connection_id": "b"}',
            RefreshOptions,
            "$.connection_id",
            id="at-the-top",
        ),
        pytest.param(
            rb'{"connection_id": "a", "connection\u005fid": "a"}',
            RefreshOptions,
            "$.connection_id",
            id="written-otherwise",
        ),
        pytest.param(
            b'{"provider": "p", "credentials": {"access_token": "a", "access_token": "b"}}',
            ConnectionIn,
            "$.credentials.access_token",
            id="in-a-model",
        ),
        pytest.param(
            b'{"provider": "p", "settings": {"ada@example.org": "1", "ada@example.org": "2"}}',
            ConnectionIn,
            "$.settings[...]",
            id="of-the-caller-s-own",
        ),
        pytest.param(
            push('{"id": "1", "data": {}, "id": "2"}'), PushIn, "$.records[1].id", id="in-a-list"
        ),
        pytest.param(
            push('{"data": {"Ada": {"x": [1, {"y": 1, "y": 1}]}}}'),
            PushIn,
            "$.records[1].data[...][...][1][...]",
            id="in-what-is-passed-on-as-it-is",
        ),
    ],
)
def test_a_name_that_stands_twice_is_refused_and_its_place_told_without_names_of_the_caller_s(
    raw: bytes, shape: type, place: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        decode(raw, shape)
    assert str(refusal.value) == f"The body gives a name twice - at `{place}`."


def test_one_name_in_two_objects_is_no_name_twice() -> None:
    given = decode(push('{"id": "1", "data": {"id": {"id": [{"id": 1}, {"id": 1}]}}}'), PushIn)
    assert len(given.records) == 2


@pytest.mark.parametrize("number", ["1" * 5000, "1e999", "-0", "1.0"])
def test_any_number_may_stand_in_what_is_passed_on(number: str) -> None:
    assert number in decode(push(f'{{"data": {{"n": {number}}}}}'), PushIn).content.decode()


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        decode(push(f'{{"data": {{"a": {deep}}}}}'), PushIn)


def test_what_is_nested_deeply_and_stands_twice_is_refused() -> None:
    deep = "[" * 900 + '{"a": 1, "a": 2}' + "]" * 900
    with pytest.raises(InvalidRequest, match=r"twice|nested too deeply"):
        decode(push(f'{{"data": {{"a": {deep}}}}}'), PushIn)
