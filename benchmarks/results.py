"""The results: JSON beside this module, shown on the page ``docs/performance.md``.

A full run keeps its figures here. ``make tables`` writes the page's tables from them, and
``benchmarks.plots`` its pictures. Standard library only, as the latter runs among the peers.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FILE: Final = Path(__file__).with_name("results.json")

Row = dict[str, str | int | float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a benchmark: tables by name, with rows alike, and the figures of each round."""

    tables: dict[str, list[Row]]
    rounds: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Result):
    """A result with the day and the machine on which it was found, and the peers' versions."""

    at: str
    machine: str
    peers: dict[str, str] = field(default_factory=dict)


def read() -> dict[str, Kept]:
    """All results, by benchmark."""
    stored = json.loads(FILE.read_text()) if FILE.exists() else {}
    return {name: Kept(**result) for name, result in stored.items()}


def keep(name: str, result: Result, *, peers: Mapping[str, str]) -> None:
    """Put a result in the place of the benchmark's last one."""
    new = Kept(
        tables=result.tables,
        rounds=result.rounds,
        at=datetime.now(UTC).date().isoformat(),
        machine=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        peers=dict(peers),
    )
    stored = {each: asdict(result) for each, result in sorted({**read(), name: new}.items())}
    FILE.write_text(json.dumps(stored, indent=1) + "\n")


def tables() -> dict[str, str]:
    """Every table of the page, by name; ``measured`` says when and where each was measured."""
    origins: dict[tuple[str, str, str], list[str]] = {}
    for name, result in read().items():
        peers = ", ".join(f"{peer} {version}" for peer, version in result.peers.items())
        origins.setdefault((result.at, result.machine, peers), []).append(f"`{name}`")
    rows: list[Row] = [
        {"benchmarks": ", ".join(names), "on": at, "machine": machine, "peers": peers or "none"}
        for (at, machine, peers), names in origins.items()
    ]
    found = {f"measured-{name}": write_rows(each) for name, each in all_rows().items()}
    return {"measured": write_rows(rows), **found}


def all_rows() -> dict[str, list[Row]]:
    """The rows of every table, by the table's name."""
    return {name: rows for result in read().values() for name, rows in result.tables.items()}


def write_rows(rows: Sequence[Row]) -> str:
    """A table in Markdown of rows that are alike, whose names are its header."""
    return write_table(rows[0], ([_write_cell(value) for value in row.values()] for row in rows))


def write_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    first, *rest = (f"| {' | '.join(cells)} |\n" for cells in (header, *rows))
    return "".join([first, "|---" * (first.count("|") - 1), "|\n", *rest])


def _write_cell(value: str | float | None) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a picture: a column of a table as bars, or several as points.

    ``is_ratio`` says that 1 means as much as what it is compared with.
    """

    table: str
    title: str
    columns: tuple[str, ...]
    is_ratio: bool = True


_TIME: Final = ("pages, of the floor",)
_CPU: Final = ("CPU, of naive",)
_PEERS: Final = ("Airbyte, each 5 s", "loop, each 10 s", "loop, 1 to 30 s")

PICTURES: Final = {
    "fetching": (
        Panel("banno-one", "Banno, one account", _TIME),
        Panel("banno-many", "Banno, twenty accounts", _TIME),
        Panel("endgrate", "Endgrate, linked pages", _TIME),
        Panel("digime", "digi.me, files", _TIME),
    ),
    "using": (
        Panel("memory", "CPU for the same records, of naive", _CPU),
        Panel("memory", "peak memory at 20 times the records", ("growth",)),
    ),
    "waiting": (
        Panel("waiting", "requests until noticed", ("requests until then",), is_ratio=False),
        Panel("waiting", "seconds until noticed", ("noticed after, s",), is_ratio=False),
    ),
    "polling": (
        Panel("polling", "cost of a job, of the optimum", ("Freshet, 101 to 300", *_PEERS)),
    ),
    "polling-change": (
        Panel(
            "polling-change",
            "cost of a job after a change",
            ("Freshet, 11 to 50 after it", *_PEERS),
        ),
    ),
    "starting": (Panel("starting", "CPU of import and first call, of naive", _CPU),),
}
"""The page's pictures, by the names of their files."""


def digest(name: str) -> str:
    """The digest of a picture's data, so that an outdated picture is found."""
    rows = all_rows()
    shown = [[repr(panel), rows.get(panel.table)] for panel in PICTURES[name]]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()
