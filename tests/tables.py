"""Writes the tables of the docs that follow from the code: ``python -m tests.tables``.

A table stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``, in the README or in any page
of ``docs/``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from functions.connectors.registry import REGISTRY
from tests.contract.faults import FAULTS, outcome
from tests.contract.providers import STANDS

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def faults() -> str:
    """What the contract suite tries of each provider's faults."""
    by_entry = {stand.entry: stand for stand in STANDS.values()}
    stands = [by_entry[entry] for entry in REGISTRY.values()]
    header = ("the provider's fault", *(stand.title for stand in stands))
    rows = ((name, *(outcome(stand, name) for stand in stands)) for name in FAULTS)
    return _table(header, rows)


TABLES = {"faults": faults}


def pages() -> list[Path]:
    """The pages in which a table may stand."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def names(text: str) -> list[str]:
    """The tables that a page has."""
    return [block[2] for block in BLOCK.finditer(text)]


def filled(text: str) -> str:
    """A page with its tables as they ought to be."""
    return BLOCK.sub(lambda block: f"{block[1]}{TABLES[block[2]]()}{block[3]}", text)


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    first, *rest = (f"| {' | '.join(cells)} |\n" for cells in (header, *rows))
    return "".join([first, "|---" * (first.count("|") - 1), "|\n", *rest])


def main() -> None:
    """Write every page anew whose tables are not what they ought to be."""
    for page in pages():
        text = page.read_text()
        if (right := filled(text)) != text:
            page.write_text(right)
            print(f"{page.relative_to(ROOT)}: {', '.join(names(right))}")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
