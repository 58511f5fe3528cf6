"""Puts together what is published."""

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
    before: Manifest | None,
    at: float,
) -> Manifest:
    """The manifest of a finished fetch.

    Datasets that this refresh was not asked for, or that failed as a whole, stand as the
    snapshot ``before`` has them, so that no refresh takes away what it has nothing to put in
    the place of; one that failed and never came before has no age. Likewise with the parts: what
    was told of a dataset stands until it is fetched again.
    """
    carried = {
        name: increment.carry_over(dataset, refresh_id=refresh.refresh_id)
        for name, dataset in (before.datasets if before else {}).items()
    }
    told = [
        replace(part.reckon(now=at), datasets=part.datasets or refresh.datasets) for part in parts
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
    whole = Manifest(
        v=MANIFEST_VERSION,
        refresh_id=refresh.refresh_id,
        connection_id=refresh.connection_id,
        provider=refresh.provider,
        triggered_at=refresh.triggered_at,
        fetched_at=at,
        as_of=0,
        datasets={**carried, **dated, **kept},
        parts=(*_keep_parts(before, fetched=fetched, kept=kept), *told),
    )
    return narrow(whole, whole.datasets)


def narrow(manifest: Manifest, names: Iterable[str]) -> Manifest:
    """What a manifest says of these datasets: themselves, what is told of them, and their age.

    They are as old as the oldest of them. What failed and has left nothing to be read is not
    old: it is not there.
    """
    datasets = {name: manifest.datasets[name] for name in names}
    parts = tuple(part for part in manifest.parts if not datasets.keys().isdisjoint(part.datasets))
    told = replace(manifest, datasets=datasets, parts=parts)
    absent = _find_absent(told)
    ages = (dataset.as_of for name, dataset in datasets.items() if name not in absent)
    return replace(told, as_of=min(ages, default=0))


def to_pointer(manifest: Manifest, *, key: str, version_id: str, at: float) -> SnapshotPointer:
    """What the connection will hold of it."""
    return SnapshotPointer(
        refresh_id=manifest.refresh_id,
        key=key,
        version_id=version_id,
        published_at=at,
        as_of=manifest.as_of,
        datasets=tuple(name for name in manifest.datasets if name not in _find_absent(manifest)),
        as_of_by_dataset={name: dataset.as_of for name, dataset in manifest.datasets.items()},
    )


def _find_absent(manifest: Manifest) -> set[str]:
    """The datasets that failed as a whole and have never been there."""
    return {
        part.part for part in manifest.parts if part.state is PartState.FAILED and not part.as_of
    }


def _find_oldest(parts: Iterable[Part], *, dataset: str, otherwise: float) -> float:
    """How old a dataset's oldest part is that something came of; 0: that is unknown of one."""
    came = (part for part in parts if part.state not in {PartState.GONE, PartState.FAILED})
    return min((part.as_of for part in came if dataset in part.datasets), default=otherwise)


def _keep_parts(
    before: Manifest | None, *, fetched: Container[str], kept: Container[str]
) -> Iterator[Part]:
    """What the snapshot before says of datasets that stand as it has them.

    Of those that were to be fetched and failed, the failure is told anew.
    """
    if before is None:
        return
    for part in before.parts:
        stays = kept if part.state is not PartState.FAILED else ()
        names = tuple(
            name
            for name in part.datasets or before.datasets
            if name not in fetched or name in stays
        )
        if names:
            yield replace(part, datasets=names)
