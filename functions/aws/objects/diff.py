"""Finds what differs between two reads of a dataset, in memory that does not grow with it."""

from __future__ import annotations

from contextlib import ExitStack
from struct import Struct
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final, TypeAlias

from functions.core.errors import Gone

if TYPE_CHECKING:
    from collections.abc import Iterable

DIGEST_BYTES: Final = 16
ABSENT: Final = bytes(DIGEST_BYTES)
"""The value of a record that is deleted."""

Mark: TypeAlias = tuple[bytes, bytes]
"""The digests of what identifies a record, and of its value."""

_BUCKETS: Final = 64
"""So many files on the disk hold the marks; one of each side is in memory at a time. For a million
records that is 16,000 of each."""

_ENTRY: Final = Struct(f"={DIGEST_BYTES}s{DIGEST_BYTES}sI")


def compare(old: Iterable[Mark], new: Iterable[Mark], *, most: int) -> tuple[set[int], set[int]]:
    """Compare two reads; of the marks of one record on a side, the last counts.

    Returns:
        The places in ``new`` of records that are new or have another value, and the places in
        ``old`` of records that are no longer there.

    Raises:
        Gone: there are more than ``most`` of them together.
    """
    changed, deleted = set[int](), set[int]()
    with ExitStack() as disk:
        befores, afters = _sort_into_buckets(old, disk), _sort_into_buckets(new, disk)
        for before, after in zip(befores, afters, strict=True):
            left = _read(before)
            for identity, (value, place) in _read(after).items():
                if left.pop(identity, (ABSENT, 0))[0] != value:
                    changed.add(place)
            deleted.update(place for _, place in left.values())
            if len(changed) + len(deleted) > most:
                raise Gone
    return changed, deleted


def _sort_into_buckets(marks: Iterable[Mark], disk: ExitStack) -> list[IO[bytes]]:
    files: list[IO[bytes]] = [
        disk.enter_context(TemporaryFile())  # noqa: SIM115 - disk closes it
        for _ in range(_BUCKETS)
    ]
    for place, (identity, value) in enumerate(marks):
        files[identity[0] % _BUCKETS].write(_ENTRY.pack(identity, value, place))
    return files


def _read(bucket: IO[bytes]) -> dict[bytes, tuple[bytes, int]]:
    """The records that are there: value and place of each one's last mark."""
    bucket.seek(0)
    entries = _ENTRY.iter_unpack(bucket.read())
    last = {identity: (value, place) for identity, value, place in entries}
    return {identity: found for identity, found in last.items() if found[0] != ABSENT}
