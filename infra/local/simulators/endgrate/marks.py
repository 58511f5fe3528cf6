"""Ids and instants as Endgrate writes them: 24 hexadecimal characters, ISO 8601 in UTC with `Z`."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def new_id(now: float) -> str:
    """An id that nothing else has; it begins with the instant, as an ObjectId does."""
    return f"{int(now) & 0xFFFFFFFF:08x}{secrets.token_hex(8)}"


def stamp(instant: float) -> str:
    """Writes seconds since 1970 as `2026-01-31T23:59:59.123Z`; fractions of a ms are cut off."""
    return f"{datetime.fromtimestamp(instant, UTC).isoformat(timespec='milliseconds')[:-6]}Z"
