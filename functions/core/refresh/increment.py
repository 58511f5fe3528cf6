"""Refreshes that read only what has changed since the previous snapshot.

A dataset is a list of files. A later line of a part and id replaces an earlier one. So an
incremental refresh adds files at the end, and a reader who has the earlier ones needs only these.
Now and then everything is read again: a provider may leave out changes, and files must stay few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from functions.core.errors import Gone, Superseded
from functions.core.model import Contribution, PartState
from functions.core.ports import PreviousSnapshot

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from functions.core.model import Dataset, Manifest, Refresh
    from functions.core.ports import RecordKey
    from functions.core.refresh.ports import Snapshots, Staging
    from functions.core.refresh.progress import Progress

FULL_AFTER_REFRESHES: Final = 20
FULL_AFTER_SECONDS: Final = 7 * 24 * 60 * 60
"""A full read is due after so many refreshes, or so long. Banno documents only partly what
`updatedSince` leaves out; a change that it leaves out is missed for a week at the most."""

FULL_ABOVE_SHARE: Final = 0.5
"""A full read is due where more lines were added than this share of those read in full: a reader
of the whole dataset would skip too many lines that were replaced."""

MAX_CONTRIBUTIONS: Final = 50
"""How long a dataset's history may be. A dataset that is rarely requested would otherwise keep a
contribution of each refresh of the others."""


def select_previous(
    before: Manifest | None, *, refresh: Refresh, snapshots: Snapshots
) -> PreviousSnapshot | None:
    """What a refresh may add to; None where it has to read everything.

    It is the same for each call of the refresh.
    """
    if before is None or refresh.full:
        return None
    datasets = {
        name: dataset
        for name, dataset in before.datasets.items()
        if not _is_due(dataset, at=refresh.requested_at)
    }

    def revisions(name: str) -> Mapping[RecordKey, str]:
        marks = snapshots.marks(datasets[name].files)
        return {key: revision for key, revision in marks.items() if revision is not None}

    bookmarks = {
        name: each.bookmark for name, each in datasets.items() if each.bookmark is not None
    }
    return PreviousSnapshot(refresh_id=before.refresh_id, bookmarks=bookmarks, revisions=revisions)


def _is_due(dataset: Dataset, *, at: float) -> bool:
    """Whether a dataset has to be read in full again."""
    if not dataset.history or len(dataset.history) > FULL_AFTER_REFRESHES:
        return True
    first = dataset.history[0].files
    read = sum(file.lines for file in dataset.files[:first])
    added = sum(file.lines for file in dataset.files[first:])
    return at - dataset.full_read_at > FULL_AFTER_SECONDS or added > FULL_ABOVE_SHARE * read


def keep_failed(staging: Staging, *, before: Manifest | None) -> None:
    """Copy from the snapshot before each part that failed in a dataset that is read in full.

    Datasets that are read incrementally, or that failed as a whole, keep everything anyway.
    """
    progress = staging.progress
    for name, dataset in (before.datasets if before else {}).items():
        staged = progress.datasets.get(name)
        failed = {
            part.part
            for part in progress.parts
            if part.state is PartState.FAILED and name in part.datasets and part.part != name
        }
        if failed and staged and not staged.incremental:
            read = staged.records
            staging.keep(name, dataset, parts=failed)
            staged.kept = staged.records - read


def merge(
    fetched: Mapping[str, Dataset],
    *,
    progress: Progress,
    before: Manifest | None,
    snapshots: Snapshots,
    at: float,
) -> dict[str, Dataset]:
    """Add what was fetched incrementally to the snapshot before.

    Raises:
        Superseded: the snapshot before is not the one that the fetch began from.
    """
    whole: dict[str, Dataset] = {}
    for name, dataset in fetched.items():
        if not progress.datasets[name].incremental:
            link = _to_contribution(dataset, kept=progress.datasets[name].kept)
            whole[name] = replace(dataset, history=(link,), full_read_at=at)
        elif before is None or before.refresh_id != progress.previous_id:
            raise Superseded
        else:
            base = before.datasets[name]
            touched = snapshots.marks(dataset.files) if base.blobs else ()
            whole[name] = _extend(dataset, base=base, touched=touched)
    return whole


def _extend(dataset: Dataset, *, base: Dataset, touched: Container[RecordKey]) -> Dataset:
    """A dataset with more files; blobs of records that these replace are left out."""
    kept = (blob for blob in base.blobs if (blob.part, blob.id) not in touched)
    new = (replace(blob, refresh_id=dataset.refresh_id) for blob in dataset.blobs)
    return replace(
        dataset,
        records=base.records + dataset.records,
        deletions=base.deletions + dataset.deletions,
        files=(*base.files, *dataset.files),
        blobs=(*kept, *new),
        history=_append(base, _to_contribution(dataset)),
        full_read_at=base.full_read_at,
    )


def carry_over(dataset: Dataset, *, refresh_id: str) -> Dataset:
    """A dataset in a snapshot to which its refresh has added nothing.

    Its readers may know that snapshot, so the history has the refresh, too.
    """
    return replace(dataset, history=_append(dataset, Contribution(refresh_id=refresh_id)))


def select_changes(dataset: Dataset, *, since: str) -> Dataset:
    """The dataset with only the files and blobs that came after a refresh's snapshot.

    Raises:
        Gone: it was read in full since, or has never been in that snapshot.
    """
    for place, link in enumerate(dataset.history):
        if link.refresh_id == since:
            first = sum(each.files for each in dataset.history[: place + 1])
            later = {each.refresh_id for each in dataset.history[place + 1 :]}
            blobs = tuple(blob for blob in dataset.blobs if blob.refresh_id in later)
            return replace(dataset, files=dataset.files[first:], blobs=blobs)
    raise Gone("What has changed since is no longer known. Read the whole dataset.")


def _to_contribution(dataset: Dataset, *, kept: int = 0) -> Contribution:
    """What a refresh added; it did not bring the records ``kept`` of the snapshot before."""
    records = dataset.records - kept
    return Contribution(refresh_id=dataset.refresh_id, files=len(dataset.files), records=records)


def _append(dataset: Dataset, link: Contribution) -> tuple[Contribution, ...]:
    """Append to the history; where it is too long, drop the oldest entry without files."""
    if not dataset.history:
        return ()
    first, *links = (*dataset.history, link)
    if len(links) >= MAX_CONTRIBUTIONS:
        empty = next((place for place, each in enumerate(links) if not each.files), None)
        links = [each for place, each in enumerate(links) if place != empty]
    return (first, *links)
