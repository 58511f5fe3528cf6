"""Draws the pictures of the page with matplotlib, which is installed beside the peers.

``.venv-peers/bin/python -m benchmarks.plots``, as ``make bench`` does at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks import results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.results import Panel, Row

FOLDER: Final = results.FILE.parents[1] / "docs" / "performance"
OWN, OTHER = "#2f6f4f", "#b7bcc4"
WIDTH, BAR_HEIGHT, MARGIN_HEIGHT = 3.6, 0.3, 0.8  # inches


def main() -> None:
    """Draw all."""
    mpl.rcParams.update({"svg.hashsalt": "freshet", "svg.fonttype": "none", "font.size": 9})
    rows = results.all_rows()
    for name, panels in results.PICTURES.items():
        figure = draw(panels, rows=[rows[panel.table] for panel in panels])
        # What is always the same gives the same file; the digest says what it shows.
        told = {"Date": None, "Description": results.digest(name)}
        figure.savefig(FOLDER / f"{name}.svg", metadata=told, bbox_inches="tight")


def draw(panels: Sequence[Panel], *, rows: Sequence[Sequence[Row]]) -> Any:
    """A picture of panels beside each other."""
    height = MARGIN_HEIGHT + BAR_HEIGHT * max(map(len, rows))
    size = (WIDTH * len(panels), height)
    figure, axes = plt.subplots(1, len(panels), figsize=size, layout="constrained", squeeze=False)
    for axis, panel, found in zip(axes[0], panels, rows, strict=True):
        names = [str(next(iter(row.values()))) for row in found]
        own = [name.startswith("Freshet") for name in names]
        colours = [OWN if any(own) <= mine else OTHER for mine in own]
        bars = axis.barh(names, [row[panel.column] for row in found], color=colours)
        axis.bar_label(bars, fmt="%.3g", padding=3)
        axis.set_title(panel.title, fontsize=10)
        axis.invert_yaxis()
        axis.margins(x=0.2)
        axis.spines[["top", "right"]].set_visible(False)
        if ", of " in panel.column:
            axis.axvline(1, color="black", linewidth=0.6, linestyle=":")
    return figure


if __name__ == "__main__":
    main()
