"""How far a fetch has come: what is put aside between two calls of it."""

from __future__ import annotations

import msgspec

from functions.core.contract import Bookmark, Cursor
from functions.core.model import Blob, File, PartState


class Staged(msgspec.Struct, kw_only=True):
    """One dataset so far. ``part_from`` is the number of the file in which ``part`` began.

    Of several ``blobs`` of a record, the last counts.
    ``adds`` says that it will be added to what the snapshot before has; else it stands for
    itself. ``bookmark`` is for the next refresh.
    """

    files: list[File] = []
    blobs: list[Blob] = []
    blobs_written: int = 0
    records: int = 0
    deletions: int = 0
    part: str = ""
    part_from: int = 0
    adds: bool = False
    bookmark: Bookmark | None = None


class Progress(msgspec.Struct, kw_only=True):
    """How far a refresh's fetch has come. ``faults`` counts those in a row without a page.

    ``base`` is the refresh whose snapshot may be added to; empty, everything is read.
    """

    cursor: Cursor | None = None
    parts: tuple[PartState, ...] = ()
    quarantined: list[str] = []
    faults: int = 0
    base: str = ""
    datasets: dict[str, Staged] = {}
