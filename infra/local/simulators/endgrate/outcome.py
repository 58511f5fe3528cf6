"""What comes of a transfer: records to read page by page, and what went wrong with others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 200
"""How many records Endgrate moves at a time, after its example of statistics."""

ErrorType = Literal["internal", "upstream", "authentication", "mapping", "transfer_data"]


class Records(Protocol):
    """Records that are there to be read, or can be made when they are."""

    def __len__(self) -> int:
        """How many there are."""

    def cut(self, start: int, stop: int) -> list[dict[str, object]]:
        """Those from one place to before another, as pages show them."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Records that are at hand."""

    rows: Sequence[dict[str, object]] = ()

    def __len__(self) -> int:
        """How many there are."""
        return len(self.rows)

    def cut(self, start: int, stop: int) -> list[dict[str, object]]:
        """Those from one place to before another."""
        return list(self.rows[start:stop])


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong with one record, or with a whole transfer.

    Attributes:
        place: which record of the transfer it is about; 0 where it is about all.
        index: the same for a pushed one, where the caller is told.
    """

    type: ErrorType
    text: str
    place: int = 0
    index: int | None = None
    internal_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that comes of a transfer; `attempted` counts the records that failed, too."""

    records: Records
    troubles: Sequence[Trouble]
    attempted: int

    @property
    def batches(self) -> int:
        """In how many batches the records were moved."""
        return -(-self.attempted // BATCH)

    @property
    def failed_batches(self) -> int:
        """In how many of them a record failed."""
        return len({trouble.place // BATCH for trouble in self.troubles} & set(range(self.batches)))


def failed_whole(type_: ErrorType, text: str) -> Outcome:
    """The outcome of a transfer that brought nothing at all."""
    return Outcome(Returned(), [Trouble(type_, text)], attempted=0)
