"""What the tests of several doors need."""

from __future__ import annotations

from functions.aws.tables.open_items import Due


class Items:
    """Fake of ``OpenItems``: what is due, what was postponed, and what another call has taken."""

    def __init__(self, *keys: dict[str, str]) -> None:
        self.keys = list(keys)
        self.postponed: list[tuple[dict[str, str], float]] = []
        self.taken: list[dict[str, str]] = []

    def due(self, *, at: float, most: int) -> list[Due]:
        assert at > 1
        return [Due(key=key, look_at="1") for key in self.keys[:most]]

    def postpone(self, due: Due, *, until: float) -> bool:
        key = dict(due.key)
        if key in self.taken:
            return False
        self.postponed.append((key, until))
        return True
