"""The API's bodies about what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from functions.core.model import Coverage, iso
from functions.rest.models import when

if TYPE_CHECKING:
    from functions.core.model import Connection, Manifest


class DatasetOut(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset of the published snapshot.

    ``name`` is what all calls take, ``title`` what the provider calls it. ``records`` and
    ``deletions`` count lines: a record that has changed since the last full read counts again each
    time.
    """

    name: str
    title: str
    records: int
    deletions: int
    files: int
    as_of: str | None


class PartOut(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh one part (an account, a file, a dataset) is, and why it is not.

    ``datasets``: those that this tells of; a part stands here again for those that were fetched
    at another time. ``as_of``: how old its data are; null where that is not known, or it is gone
    or failed, except for a dataset of which earlier records stand. ``failures``: how many of its
    records could not be had. ``reauth``: the end user has to sign in again at this part's source.
    ``retry_at``: when the provider wants to be asked again about it.
    """

    part: str
    datasets: tuple[str, ...]
    state: str
    as_of: str | None
    why: str | None
    failures: int
    reauth: bool
    retry_at: str | None


class DatasetsOut(msgspec.Struct, frozen=True, kw_only=True):
    """The published snapshot in one look.

    ``parts`` are of all its datasets, whenever they were fetched, and ``coverage`` counts them.
    ``as_of``: how old the oldest of its parts is, by their own ``as_of``; null where that is not
    known of one that is stale. What is gone or failed and has none does not count for it;
    ``coverage`` tells of that.
    """

    refresh_id: str
    as_of: str | None
    fetched_at: str
    coverage: Coverage
    parts: list[PartOut]
    datasets: list[DatasetOut]


class FileOut(msgspec.Struct, frozen=True, kw_only=True):
    """A gzip file of JSON Lines.

    Its address is good for some minutes, or until two later snapshots have been published.
    """

    url: str
    sha256: str
    bytes: int
    lines: int


class BlobOut(msgspec.Struct, frozen=True, kw_only=True):
    """A record's content that is too large for a line: whose it is, and its gzip file."""

    id: str
    part: str
    url: str
    sha256: str
    bytes: int


class FilesOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a dataset's files, in order, then of contents that have files of their own."""

    refresh_id: str
    dataset: str
    files: list[FileOut]
    blobs: list[BlobOut]
    expires_in_seconds: int
    next_cursor: str | None


class RecordsOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records. A later record replaces an earlier one of the same ``part`` and ``id``.

    Whoever has read all pages can ask for what comes later ``since`` this ``refresh_id``.
    """

    refresh_id: str
    dataset: str
    as_of: str | None
    records: list[msgspec.Raw]
    next_cursor: str | None


def datasets_out(manifest: Manifest, *, connection: Connection) -> DatasetsOut:
    """Render the manifest of a connection's snapshot."""
    return DatasetsOut(
        refresh_id=manifest.refresh_id,
        as_of=when(manifest.as_of),
        fetched_at=iso(manifest.fetched_at),
        coverage=manifest.coverage,
        parts=[
            PartOut(
                part=part.part,
                datasets=part.datasets,
                state=part.state,
                as_of=when(part.as_of),
                why=part.why or None,
                failures=part.failures,
                reauth=part.reauth,
                retry_at=when(part.retry_at),
            )
            for part in manifest.parts
        ],
        datasets=[
            DatasetOut(
                name=name,
                title=connection.title(name),
                records=dataset.records,
                deletions=dataset.deletions,
                files=len(dataset.files),
                as_of=when(dataset.as_of),
            )
            for name, dataset in manifest.datasets.items()
        ],
    )
