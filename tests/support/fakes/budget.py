"""An in-memory stand-in for the item that a provider's budget is kept in."""

from __future__ import annotations

from functions.core.budget import Level


class Bucket:
    """Fake of ``functions.aws.tables.budgets.BudgetItem``."""

    def __init__(self) -> None:
        self.full_at: int | None = None
        self._closed_until = 0

    def draw(self, *, gap: int, since: int, until: int) -> Level:
        if self.full_at is None or not since <= self.full_at <= until:
            return Level(full_at=self.full_at or 0, drawn=False)
        self.full_at += gap
        return Level(full_at=self.full_at, drawn=True)

    def renew(self, *, full_at: int, before: int) -> bool:
        if self.full_at is not None and self.full_at >= before:
            return False
        self.full_at = full_at
        return True

    def close(self, *, until: int, full_at: int) -> None:
        self.full_at = max(self.full_at or 0, full_at)
        self._closed_until = max(self._closed_until, until)

    def pause_end(self) -> int:
        return self._closed_until
