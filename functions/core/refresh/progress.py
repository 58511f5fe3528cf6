"""The progress of a fetch, stored between two calls of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.core.contract import Bookmark, Cursor
from functions.core.model import Blob, File, Part

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from functions.core.ports import ReadMode


MAX_LABEL: Final = 120
"""How many characters of a part's label are kept."""


class Staged(msgspec.Struct, kw_only=True):
    """One dataset so far.

    Of several ``blobs`` of a record, the last counts. ``incremental`` says that the dataset is
    added to that of the snapshot before; otherwise it replaces it. ``bookmark`` is for the next
    refresh. ``kept`` of the ``records`` were copied from the snapshot before, for parts that
    failed.
    """

    files: list[File] = []
    blobs: list[Blob] = []
    blobs_written: int = 0
    records: int = 0
    kept: int = 0
    deletions: int = 0
    incremental: bool = msgspec.field(name="adds", default=False)
    bookmark: Bookmark | None = None


class Progress(msgspec.Struct, kw_only=True):
    """How far a refresh's fetch has come. ``faults`` counts those in a row without a page.

    ``previous_id`` is the refresh of the snapshot that may be added to; where it is empty,
    everything is read. ``complete``: all is written, what has changed is not found.
    """

    cursor: Cursor | None = None
    parts: tuple[Part, ...] = ()
    labels: dict[str, str] = {}
    quarantined: list[str] = []
    faults: int = 0
    previous_id: str = msgspec.field(name="base", default="")
    datasets: dict[str, Staged] = {}
    complete: bool = False

    def tell(self, parts: Iterable[Part]) -> None:
        """Take in what is known of parts; it replaces what was known of the same datasets."""
        told: dict[str, tuple[Part, ...]] = {}
        for part in (*self.parts, *parts):
            names = part.datasets or self.datasets
            before = (self._narrow(each, names) for each in told.get(part.part, ()))
            told[part.part] = (*(each for each in before if each is not None), part)
        self.parts = tuple(each for parts in told.values() for each in parts)

    def set_labels(self, labels: Mapping[str, str]) -> None:
        """Take in what parts are called, each as one short line that can be shown."""
        for part, text in labels.items():
            shown = "".join(each if each.isprintable() else " " for each in text)
            if line := " ".join(shown.split())[:MAX_LABEL].rstrip():
                self.labels[part] = line

    def set_read_modes(self, read_modes: Mapping[str, ReadMode]) -> None:
        """Take in how datasets are read. Bookmarks are merged, name by name."""
        for name in read_modes.keys() & self.datasets.keys():
            staged, begun = self.datasets[name], read_modes[name]
            staged.incremental = begun.incremental
            staged.bookmark = (
                None if begun.bookmark is None else {**(staged.bookmark or {}), **begun.bookmark}
            )

    def _narrow(self, part: Part, names: Container[str]) -> Part | None:
        """What remains of a part beside a newer one about these datasets."""
        told = part.datasets or tuple(self.datasets)
        left = tuple(name for name in told if name not in names)
        return part if left == told else replace(part, datasets=left) if left else None
