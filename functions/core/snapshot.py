"""Puts together what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from functions.core import increment
from functions.core.model import Dataset, Manifest, Part, PartState, SnapshotPointer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.core.model import Refresh

MANIFEST_VERSION = 1


def oldest(parts: Sequence[PartState], *, otherwise: float) -> float:
    """How old the oldest part is that the provider still has; 0 when that is unknown of one."""
    there = (part.as_of for part in parts if part.state not in {Part.GONE, Part.FAILED})
    return min(there, default=otherwise)


def manifest(
    refresh: Refresh,
    *,
    fetched: Mapping[str, Dataset],
    parts: Sequence[PartState],
    before: Manifest | None,
    at: float,
) -> Manifest:
    """The manifest of a finished fetch.

    Datasets that this refresh was not asked for, or that failed as a whole, stand as the
    snapshot ``before`` has them, so that no refresh takes away what it has nothing to put in
    the place of; one that failed and never came before is of unknown age. The oldest of all
    counts as the age.
    """
    carried = {
        name: increment.carried(dataset, refresh_id=refresh.refresh_id)
        for name, dataset in (before.datasets if before else {}).items()
    }
    failed = {part.part for part in parts if part.state is Part.FAILED}
    kept = {
        name: carried.get(name) or replace(fetched[name], as_of=0)
        for name in failed & fetched.keys()
    }
    datasets = {**carried, **fetched, **kept}
    return Manifest(
        v=MANIFEST_VERSION,
        refresh_id=refresh.refresh_id,
        connection_id=refresh.connection_id,
        provider=refresh.provider,
        triggered_at=refresh.triggered_at,
        fetched_at=at,
        as_of=min((dataset.as_of for dataset in datasets.values()), default=0),
        datasets=datasets,
        parts=tuple(parts),
    )


def pointer(manifest: Manifest, *, key: str, version_id: str, at: float) -> SnapshotPointer:
    """What the connection will hold of it."""
    return SnapshotPointer(
        refresh_id=manifest.refresh_id,
        key=key,
        version_id=version_id,
        published_at=at,
        as_of=manifest.as_of,
        datasets=tuple(manifest.datasets),
    )
