"""Where a reader of records goes on."""

from __future__ import annotations

import base64

import pytest

from functions.aws.snapshots import Position
from functions.core.errors import InvalidRequest
from functions.rest.datasets import cursor_of, position_of


@pytest.mark.parametrize(
    "position", [Position("ref_1"), Position("ref_1", 3, 9_999), Position("", 0, 2**31 - 1)]
)
def test_a_cursor_points_where_it_was_given(position: Position) -> None:
    assert position_of(cursor_of(position)) == position


def packed(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="empty"),
        pytest.param("!", id="no-base64"),
        pytest.param("\u2615", id="beyond-ascii"),
        pytest.param("A", id="half-a-byte"),
        pytest.param(packed(b"{}"), id="an-object"),
        pytest.param(packed(b"[]"), id="nothing-in-it"),
        pytest.param(packed(b'["r", "0", 0]'), id="a-text-for-a-number"),
        pytest.param(packed(b'["r", -1, 0]'), id="before-the-first-file"),
        pytest.param(packed(b'["r", 0, -1]'), id="before-the-first-line"),
        pytest.param(packed(b'["r", 0, 9223372036854775808]'), id="after-any-line"),
        pytest.param(packed(b'["r", 0, ' + b"9" * 4000 + b"]"), id="a-huge-line"),
        pytest.param(packed(b'["r", 1e400, 0]'), id="no-number"),
        pytest.param(packed(b'["\xff", 0, 0]'), id="not-utf-8"),
        pytest.param(packed(b"[" * 100_000), id="nested"),
    ],
)
def test_any_other_text_is_an_invalid_request(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^cursor must be"):
        position_of(cursor)
