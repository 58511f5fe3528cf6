"""Builds the manifest that is published, and the pointer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from functions.core.model import Dataset, Manifest, Part, PartState, SnapshotPointer
from functions.core.refresh import increment

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from functions.core.model import Refresh

MANIFEST_VERSION: Final = 1


def build_manifest(
    refresh: Refresh,
    *,
    fetched: Mapping[str, Dataset],
    parts: Iterable[Part],
    labels: Mapping[str, str],
    before: Manifest | None,
    at: float,
) -> Manifest:
    """The manifest of a finished fetch.

    Datasets that were not requested, or that failed as a whole, stay as the snapshot ``before``
    has them; one that failed and was never there has no age. What is known of the parts of a
    dataset stays until it is fetched again, and the label of a part until it has another.
    """
    carried = {
        name: increment.carry_over(dataset, refresh_id=refresh.refresh_id)
        for name, dataset in (before.datasets if before else {}).items()
    }
    told = [
        replace(part.clamp(now=at), datasets=part.datasets or refresh.datasets) for part in parts
    ]
    failed = {part.part for part in told if part.state is PartState.FAILED} & fetched.keys()
    kept = {name: carried.get(name) or replace(fetched[name], as_of=0) for name in failed}
    told = [
        replace(part, as_of=kept[part.part].as_of) if part.part in kept else part for part in told
    ]
    dated = {
        name: replace(dataset, as_of=_find_oldest(told, dataset=name, otherwise=dataset.as_of))
        for name, dataset in fetched.items()
    }
    known = {part.part: part.label for part in (before.parts if before else ())} | {**labels}
    every = (*_keep_parts(before, fetched=fetched, kept=kept), *told)
    whole = Manifest(
        v=MANIFEST_VERSION,
        refresh_id=refresh.refresh_id,
        connection_id=refresh.connection_id,
        provider=refresh.provider,
        triggered_at=refresh.triggered_at,
        fetched_at=at,
        as_of=0,
        datasets={**carried, **dated, **kept},
        parts=tuple(replace(part, label=known.get(part.part, "")) for part in every),
    )
    return narrow(whole, whole.datasets)


def narrow(manifest: Manifest, names: Iterable[str]) -> Manifest:
    """The manifest of these datasets only, with their parts and the oldest ``as_of`` of them.

    A dataset that failed and has nothing to be read has no age.
    """
    datasets = {name: manifest.datasets[name] for name in names}
    parts = tuple(part for part in manifest.parts if not datasets.keys().isdisjoint(part.datasets))
    told = replace(manifest, datasets=datasets, parts=parts)
    absent = _find_absent(told)
    ages = (dataset.as_of for name, dataset in datasets.items() if name not in absent)
    return replace(told, as_of=min(ages, default=0))


def to_pointer(manifest: Manifest, *, key: str, version_id: str, at: float) -> SnapshotPointer:
    """The pointer that the connection will hold."""
    return SnapshotPointer(
        refresh_id=manifest.refresh_id,
        key=key,
        version_id=version_id,
        published_at=at,
        as_of=manifest.as_of,
        datasets=tuple(name for name in manifest.datasets if name not in _find_absent(manifest)),
        as_of_by_dataset={name: dataset.as_of for name, dataset in manifest.datasets.items()},
        newest_as_of=max((part.as_of for part in manifest.parts), default=0),
        coverage=manifest.coverage,
    )


def _find_absent(manifest: Manifest) -> set[str]:
    """The datasets that failed as a whole and were never there."""
    return {
        part.part for part in manifest.parts if part.state is PartState.FAILED and not part.as_of
    }


def _find_oldest(parts: Iterable[Part], *, dataset: str, otherwise: float) -> float:
    """The oldest ``as_of`` of a dataset's parts that were read; 0 where that of one is unknown."""
    came = (part for part in parts if part.state not in {PartState.GONE, PartState.FAILED})
    return min((part.as_of for part in came if dataset in part.datasets), default=otherwise)


def _keep_parts(
    before: Manifest | None, *, fetched: Container[str], kept: Container[str]
) -> Iterator[Part]:
    """Parts of the snapshot before, of the datasets that stay as it has them.

    What was fresh of a dataset that has failed is stale. Failures of datasets that have failed
    again are left out.
    """
    if before is None:
        return
    for part in before.parts:
        names = part.datasets or tuple(before.datasets)
        if others := tuple(name for name in names if name not in fetched):
            yield replace(part, datasets=others)
        stay = tuple(name for name in names if name in kept)
        if stay and part.state is not PartState.FAILED:
            state = PartState.STALE if part.state is PartState.FRESH else part.state
            yield replace(part, datasets=stay, state=state)
