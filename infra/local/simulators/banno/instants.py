"""Instants as Banno writes and reads them: ISO 8601 in UTC, with milliseconds and `Z`."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(instant: float) -> str:
    """Writes seconds since 1970 as `2026-01-31T23:59:59.123Z`; fractions of a ms are cut off."""
    return f"{datetime.fromtimestamp(instant, UTC).isoformat(timespec='milliseconds')[:-6]}Z"


def read_instant(text: str) -> float:
    """Reads an ISO 8601 instant as seconds since 1970.

    Raises:
        ValueError: not a date with a time, or without an offset from UTC.
    """
    instant = datetime.fromisoformat(text)
    if "T" not in text or instant.tzinfo is None:
        raise ValueError("an instant has a date, a time and an offset")
    return instant.timestamp()
