"""Instants."""

from __future__ import annotations

import pytest

from functions.core.model import instant, iso


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
