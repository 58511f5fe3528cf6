"""From when on Banno is asked for what was updated."""

from __future__ import annotations

import msgspec

from functions.connectors.banno.transactions import Place, find_since
from functions.core.ports import PreviousSnapshot

BASE = PreviousSnapshot(
    refresh_id="ref_1",
    bookmarks={"transactions": {"a": 1_800_000_000}},
    revisions=lambda _name: {},
)


def test_an_account_is_asked_for_from_an_hour_before_the_last_refresh() -> None:
    assert find_since(BASE, "a") == "2027-01-15T07:00:00.000Z"


def test_an_account_that_the_last_refresh_had_not_read_is_asked_for_as_a_whole() -> None:
    assert find_since(BASE, "b") is None
    assert find_since(None, "a") is None


def test_a_place_that_an_older_version_has_put_aside_is_gone_on_from() -> None:
    cursor = {"account": "a", "offset": 450, "last": "t1", "adds": True}
    place = msgspec.convert(cursor, Place)
    assert (place.account, place.offset, place.last, place.adds) == ("a", 450, "t1", True)
    assert place.cursor() == cursor
