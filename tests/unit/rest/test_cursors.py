"""Cursors: a reader's place, and the list that it is in."""

from __future__ import annotations

import base64

import pytest

from functions.aws.objects.snapshots import Position
from functions.core.errors import InvalidRequest
from functions.rest import cursors

HERE = ("records", "con_1", "accounts")


@pytest.mark.parametrize(
    "position", [Position("ref_1"), Position("ref_1", 3, 9_999, "ref_0"), Position("", 0, 2**64)]
)
def test_a_cursor_points_where_it_was_given(position: Position) -> None:
    assert cursors.read(cursors.write(position, of=HERE), Position, of=HERE) == position


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(("files", "con_1", "accounts"), id="of-another-kind"),
        pytest.param(("records", "con_2", "accounts"), id="of-another-connection"),
        pytest.param(("records", "con_1", "transactions"), id="of-another-dataset"),
        pytest.param(("records", "con_1", None), id="of-what-has-no-name"),
        pytest.param(("records", "con_1'", "'accounts"), id="of-what-is-written-alike"),
        pytest.param((), id="of-nothing-in-particular"),
    ],
)
def test_a_cursor_leads_on_in_its_own_list_only(other: tuple[str | None, ...]) -> None:
    for given, wanted in ((HERE, other), (other, HERE)):
        cursor = cursors.write(Position("ref_1", 3), of=given)
        with pytest.raises(InvalidRequest, match=r"^cursor must be"):
            cursors.read(cursor, Position, of=wanted)


def test_without_a_cursor_a_reader_begins() -> None:
    assert cursors.read(None, Position, of=HERE) is None


def packed(place: bytes) -> str:
    own = base64.urlsafe_b64decode(cursors.write(0, of=HERE) + "==")
    return base64.urlsafe_b64encode(own.removesuffix(b"0]") + place + b"]").decode()


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(b"{}", id="an-object"),
        pytest.param(b"[]", id="nothing-in-it"),
        pytest.param(b'["r", "0", 0]', id="a-text-for-a-number"),
        pytest.param(b'["r", 0, ' + b"9" * 5000 + b"]", id="a-huge-line"),
        pytest.param(b'["r", 1e400, 0]', id="no-number"),
        pytest.param(b'["\xff", 0, 0]', id="not-utf-8"),
        pytest.param(b"[" * 100_000, id="nested"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="nested-and-whole"),
    ],
)
def test_a_place_of_another_shape_is_an_invalid_request(place: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"^cursor must be"):
        cursors.read(packed(place), Position, of=HERE)


@pytest.mark.parametrize("cursor", ["", "!", "\u2615", "A", "\ud800", "e30", "W1s", "IiI"])
def test_what_is_no_cursor_at_all_is_an_invalid_request(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^cursor must be"):
        cursors.read(cursor, Position, of=HERE)
