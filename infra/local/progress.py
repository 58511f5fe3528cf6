"""Shows refreshes while they run: a live table on a terminal, a line a change elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STYLES: Final = {"published": "green", "partial": "yellow", "failed": "red", "cancelled": "red"}


@dataclass(slots=True)
class Row:
    """One refresh as the viewer sees it."""

    label: str
    began: float = field(default_factory=time.monotonic)
    state: str = "waiting"
    looks: str = ""
    records: str = ""
    elapsed: float = 0

    def show(self, refresh: dict[str, Any]) -> bool:
        """Take over how the refresh stands; whether that is news."""
        before = self.state
        facts = {event["type"]: event["facts"] for event in refresh["events"]}
        self.state = _state(refresh)
        self.looks = str(facts.get("ready", {}).get("looks", ""))
        total = refresh["records_total"]
        self.records = ", ".join(f"{count} {name}" for name, count in total.items())
        self.elapsed = time.monotonic() - self.began
        return self.state != before

    def cells(self) -> tuple[str, ...]:
        """Its columns."""
        return (self.label, self.state, self.looks, self.records, f"{self.elapsed:.1f} s")


def _state(refresh: dict[str, Any]) -> str:
    if refresh["status"] == "failed":
        return f"failed: {refresh['error']['name']}"
    if refresh["status"] == "running":
        return str(refresh["events"][-1]["type"])
    return str(refresh["status"])


@contextmanager
def show_rows(rows: Sequence[Row]) -> Iterator[Callable[[Row, dict[str, Any]], None]]:
    """Show the rows for the time of the block; yields what takes a refresh's new state."""
    console = Console(highlight=False)
    if not console.is_terminal:

        def say(row: Row, refresh: dict[str, Any]) -> None:
            if row.show(refresh):
                console.print("  ".join(filter(None, row.cells())), soft_wrap=True)

        yield say
        return
    with Live(_table(rows), console=console, refresh_per_second=8) as live:

        def draw(row: Row, refresh: dict[str, Any]) -> None:
            row.show(refresh)
            live.update(_table(rows))

        yield draw


def _table(rows: Sequence[Row]) -> Table:
    table = Table("connection", "state", "looks", "records", "elapsed", box=None, pad_edge=False)
    for row in rows:
        style = STYLES.get(row.state.split(":")[0], "cyan")
        label, state, *rest = row.cells()
        table.add_row(label, f"[{style}]{state}[/{style}]", *rest)
    return table
