"""The params that narrow Banno's datasets down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta


class TransactionParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only transactions posted at or after ``since`` are read, in Banno's own words."""

    since: Annotated[datetime, Meta(tz=True)]

    def __post_init__(self) -> None:
        """Refuse an instant that has no notation in UTC."""
        try:
            self.since.astimezone(UTC)
        except OverflowError:
            raise ValueError("since must be an instant from year 1 to 9999") from None


SHAPES: Final = {"transactions": TransactionParams}
"""The params by dataset."""
