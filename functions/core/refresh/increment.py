"""Refreshes that read only what has changed since the previous snapshot, and what changes.

A dataset is a list of files. A later line of a part and id replaces an earlier one. So an
incremental refresh adds files at the end, and a reader who has the earlier ones needs only these.
Now and then everything is read again: a provider may leave out changes, and files must stay few.
What was read in full is compared with the snapshot before, and the difference has files of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from functions.core.errors import FetchContinues, Gone, Superseded
from functions.core.model import Change, Contribution, PartState
from functions.core.ports import PreviousSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from functions.core.model import Dataset, Manifest, Refresh
    from functions.core.ports import RecordKey
    from functions.core.refresh.ports import Snapshots, Staging

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

MAX_CHANGES: Final = 50
MAX_CHANGES_SECONDS: Final = 14 * 24 * 60 * 60
"""So many refreshes and so long back, changes are known across a full read: they hold what the
provider may have withdrawn."""

FEW_CHANGES: Final = 10_000
MANY_CHANGES: Final = 200_000
"""Changes are kept while they have no more lines than their dataset has records: it is quicker to
read the whole then. ``FEW_CHANGES`` are always kept, ``MANY_CHANGES`` never pass in one refresh:
their places are held in memory."""

MAX_COMPARED: Final = 10_000_000
"""Lines of both snapshots together: each takes 36 bytes of the function's 512 MB of disk."""

PUBLISH_SECONDS: Final = 60
"""What a call keeps to publish, and to delete what is no longer needed."""

_UNSURE: Final = {PartState.STALE, PartState.INCOMPLETE, PartState.FAILED}


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
    staging: Staging,
    before: Manifest | None,
    snapshots: Snapshots,
    at: float,
    left: Callable[[], float],
) -> dict[str, Dataset]:
    """Add what was fetched incrementally to the snapshot before; find what a full read changed.

    A record that is missing in a part that is stale, incomplete or failed may still be there. It is
    deleted all the same, so that changes lead to what a reader of the whole has, and the deletion
    is marked as uncertain until the part is read as a whole.

    Raises:
        FetchContinues: the time that is left is too short to find that.
        Superseded: the snapshot before is not the one that the fetch began from.
    """
    progress = staging.progress

    def require_time() -> None:
        if left() < PUBLISH_SECONDS:
            raise FetchContinues

    whole: dict[str, Dataset] = {}
    for name, dataset in fetched.items():
        base = before.datasets.get(name) if before else None
        if not progress.datasets[name].incremental:
            link = _to_contribution(dataset, kept=progress.datasets[name].kept)
            read = replace(dataset, history=(link,), full_read_at=at)
            change = base and _find_change(
                name, read, base=base, staging=staging, require_time=require_time
            )
            whole[name] = read
            if base and change:
                touched = snapshots.marks(change.files) if dataset.blobs else ()
                whole[name] = _add_change(read, change, base=base, touched=touched)
        elif before is None or before.refresh_id != progress.previous_id:
            raise Superseded
        else:
            base = before.datasets[name]
            touched = snapshots.marks(dataset.files) if base.blobs else ()
            whole[name] = _extend(dataset, base=base, touched=touched)
    return whole


def _find_change(
    name: str,
    dataset: Dataset,
    *,
    base: Dataset,
    staging: Staging,
    require_time: Callable[[], None],
) -> Change | None:
    """What a full read has changed; None where that is not worth its time or its lines."""
    progress, known = staging.progress, list_changes(base)
    told = [part for part in progress.parts if name in (part.datasets or progress.datasets)]
    states = {part.part: part.state for part in told}
    unsettled = next((place for place, each in enumerate(known) if each.uncertain), len(known))
    old = (*(file for each in known[unsettled:] for file in each.files), *base.files)
    if [file.sha256 for file in old] == [file.sha256 for file in dataset.files]:
        return Change(refresh_id=dataset.refresh_id)
    lines = sum(file.lines for file in (*old, *dataset.files))
    if not known or states.get(name) is PartState.FAILED or lines > MAX_COMPARED:
        return None
    try:
        return staging.diff(
            name,
            dataset,
            before=old,
            unsure={part for part, state in states.items() if state in _UNSURE},
            most=min(_count_worth(dataset), MANY_CHANGES),
            require_time=require_time,
        )
    except Gone:
        return None
    except FetchContinues:
        if progress.complete:
            return None
        raise


def _add_change(
    dataset: Dataset, change: Change, *, base: Dataset, touched: Container[RecordKey]
) -> Dataset:
    """A dataset that was read in full, with what is known of changes; those too far back go."""
    changes: list[Change] = []
    lines = 0
    last = replace(change, at=dataset.full_read_at)
    for each in (last, *reversed(list_changes(base))):
        lines += sum(file.lines for file in each.files)
        is_old = each.at < dataset.full_read_at - MAX_CHANGES_SECONDS
        if is_old or lines > _count_worth(dataset) or len(changes) == MAX_CHANGES:
            changes.append(Change(refresh_id=each.refresh_id))
            break
        changes.append(each)
    ages = {(blob.part, blob.id, blob.file.sha256): blob.refresh_id for blob in base.blobs}
    new = dataset.refresh_id
    blobs = (
        replace(
            blob,
            refresh_id=new
            if (blob.part, blob.id) in touched
            else ages.get((blob.part, blob.id, blob.file.sha256), new),
        )
        for blob in dataset.blobs
    )
    return replace(dataset, blobs=tuple(blobs), changes=tuple(reversed(changes)))


def _count_worth(dataset: Dataset) -> int:
    """How many lines of changes are worth to be kept."""
    return max(dataset.records, FEW_CHANGES)


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
        changes=base.changes,
    )


def carry_over(dataset: Dataset, *, refresh_id: str) -> Dataset:
    """A dataset in a snapshot to which its refresh has added nothing.

    Its readers may know that snapshot, so the history has the refresh, too.
    """
    return replace(dataset, history=_append(dataset, Contribution(refresh_id=refresh_id)))


def list_changes(dataset: Dataset) -> tuple[Change, ...]:
    """What each refresh has changed, the oldest first, of which that is not known."""
    if not dataset.history:
        return ()
    read, *links = dataset.history
    at = dataset.full_read_at
    changes = list(dataset.changes or (Change(refresh_id=read.refresh_id, at=at),))
    first = read.files
    for link in links:
        files = dataset.files[first : first + link.files]
        changes.append(Change(refresh_id=link.refresh_id, files=files, at=at))
        first += link.files
    return tuple(changes)


def select_changes(dataset: Dataset, *, since: str) -> Dataset:
    """The dataset with only the files and blobs of what has changed after a refresh's snapshot.

    Raises:
        Gone: that is not known, or it has never been in that snapshot.
    """
    changes = list_changes(dataset)
    for place, change in enumerate(changes, 1):
        if change.refresh_id == since:
            later = {each.refresh_id for each in changes[place:]}
            files = tuple(file for each in changes[place:] for file in each.files)
            blobs = tuple(blob for blob in dataset.blobs if blob.refresh_id in later)
            return replace(dataset, files=files, blobs=blobs)
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
