"""Draws the pictures of the page with matplotlib, which is installed beside the peers.

``.venv-peers/bin/python -m benchmarks.plots``, as ``make bench`` does at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks import results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.results import Panel, Row

FOLDER: Final = results.FILE.parents[1] / "docs" / "performance"
OWN, OTHER = "#2f6f4f", "#b7bcc4"
MARKERS = (("o", OWN), ("s", "#8b93a1"), ("^", "#c08a3e"), ("v", "#5b7fb5"))
WIDTH, ROW_HEIGHT, MARGIN_HEIGHT = 3.6, 0.3, 0.8  # inches


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
    width = WIDTH * max(len(panels), 2 * (len(panels[0].columns) > 1))
    size = (width, MARGIN_HEIGHT + ROW_HEIGHT * max(map(len, rows)))
    figure, axes = plt.subplots(1, len(panels), figsize=size, layout="constrained", squeeze=False)
    for axis, panel, found in zip(axes[0], panels, rows, strict=True):
        names = [str(next(iter(row.values()))) for row in found]
        if len(panel.columns) == 1:
            draw_bars(axis, names, [row[panel.columns[0]] for row in found])
        else:
            draw_points(axis, names, {name: [row[name] for row in found] for name in panel.columns})
        axis.set_title(panel.title, fontsize=10)
        axis.invert_yaxis()
        axis.spines[["top", "right"]].set_visible(False)
        if panel.is_ratio:
            axis.axvline(1, color="black", linewidth=0.6, linestyle=":")
    return figure


def draw_bars(axis: Any, names: Sequence[str], values: Sequence[Any]) -> None:
    """One value a row; Freshet's rows are told apart where there are others."""
    own = [name.startswith("Freshet") for name in names]
    colours = [OWN if mine or not any(own) else OTHER for mine in own]
    axis.bar_label(axis.barh(names, values, color=colours), fmt="%.3g", padding=3)
    axis.margins(x=0.2)


def draw_points(axis: Any, names: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> None:
    """Several values a row, on a logarithmic scale."""
    for (name, values), (marker, colour) in zip(columns.items(), MARKERS, strict=True):
        axis.scatter(values, names, marker=marker, color=colour, label=name, zorder=2)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.grid(axis="y", linewidth=0.4)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


if __name__ == "__main__":
    main()
