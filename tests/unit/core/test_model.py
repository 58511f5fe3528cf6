"""Instants, and the names of datasets."""

from __future__ import annotations

import re

import pytest

from functions.core.model import instant, iso, name_dataset


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("1970-01-01T00:00:00Z", 0, id="epoch"),
        pytest.param("2026-01-31T23:59:59.123Z", 1769903999.123, id="milliseconds"),
        pytest.param("2026-02-01T01:59:59+02:00", 1769903999, id="offset"),
    ],
)
def test_an_instant_is_read_in_utc(text: str, seconds: float) -> None:
    assert instant(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("2026-01-31T23:59:59", id="no-offset"),
        pytest.param("2026-01-31", id="no-time"),
        pytest.param("2026-13-31T00:00:00Z", id="no-such-month"),
        pytest.param("yesterday", id="word"),
        pytest.param("0001-01-01T00:00:00+14:00", id="before-the-calendar"),
        pytest.param("9999-12-31T23:59:59-14:00", id="after-the-calendar"),
    ],
)
def test_what_names_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        instant(text)


@pytest.mark.parametrize(
    "text",
    ["1970-01-01T00:00:00.000Z", "2026-01-31T23:59:59.123Z", "0001-01-01T00:00:00.000Z"],
)
def test_an_instant_is_written_as_it_was_read(text: str) -> None:
    assert iso(instant(text)) == text


@pytest.mark.parametrize("title", ["crm-contact", "a", "A_b-9", "x" * 64])
def test_a_title_that_can_stand_in_an_address_is_its_own_name(title: str) -> None:
    assert name_dataset(title) == title


def test_any_other_title_gets_a_name_of_its_own() -> None:
    titles = [
        "a b",
        "a  b",
        "a-b ",
        "A b",
        "é",
        "e\u0301",
        "..",
        "_a",
        "a/b",
        "\n",
        "x" * 65,
        "x" * 66,
    ]
    names = [name_dataset(title) for title in titles]
    assert len(set(names)) == len(titles)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name) for name in names)
    assert name_dataset("Greenhouse Visit") == "Greenhouse-Visit-387a302426893def"
