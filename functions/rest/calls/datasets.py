"""The published snapshot, its records and its files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from functions.aws.objects.snapshots import URL_SECONDS, Position
from functions.core.contract import EXECUTION_NAME
from functions.core.errors import Gone, InvalidRequest, NotFound, RecordTooLarge
from functions.core.model import Blob, Coverage, Evidence, File, iso, when
from functions.core.refresh.increment import select_changes
from functions.rest import cursors
from functions.rest.call import Call, Reply, connection_of
from functions.rest.route import Answer, Parameter, Route, Tag, limit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.core.model import Connection, Dataset, Manifest, Part

LIMIT: Final = 100
MAX_LIMIT: Final = 1000
"""Of records or files on a page. A presigned address is up to 2 KB long."""


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
    """One part (an account, a file, a dataset): how fresh it is, and why it is not.

    ``datasets``: those that this tells of; a part stands here again for those that were fetched
    at another time. ``as_of``: how old its data are; null where that is not known, or it is gone
    or failed, except for a dataset of which earlier records stand. ``evidence``: what it rests on:
    ``dated``, the provider's own date; ``completed``, the provider's word that the refresh's job
    has ended for this part; ``none``, nothing that came with it. ``failures``: how many of its
    records could not be had. ``reauth``: the end user has to sign in again at this part's source.
    ``retry_at``: when the provider wants to be asked again about it. ``label``: what the provider
    calls it towards its user; null where it says nothing, or an earlier version has published it.
    """

    part: str
    label: str | None
    datasets: tuple[str, ...]
    state: str
    as_of: str | None
    evidence: Evidence
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
    """A record's content that is too large for a line: the record's id and part, its gzip file."""

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

    When you have read all pages, you can ask for what comes later ``since`` this ``refresh_id``.
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
        parts=[part_out(part) for part in manifest.parts],
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


def part_out(part: Part) -> PartOut:
    """Render a part."""
    return PartOut(
        part=part.part,
        label=part.label or None,
        datasets=part.datasets,
        state=part.state,
        as_of=when(part.as_of),
        evidence=part.evidence,
        why=part.why or None,
        failures=part.failures,
        reauth=part.reauth,
        retry_at=when(part.retry_at),
    )


class Listing(NamedTuple):
    """A list that is read page by page: ``records`` or ``files`` of a dataset."""

    kind: str
    connection_id: str
    name: str


@Route(
    "GET /v1/connections/<connection_id>/datasets",
    Tag.DATASETS,
    (Answer("The snapshot.", DatasetsOut),),
)
def list_datasets(call: Call, connection_id: str) -> Reply:
    """See what is published, and how fresh it is."""
    connection = connection_of(call, connection_id)
    return Reply(datasets_out(call.here.snapshots.of(connection), connection=connection))


def _read_since(text: str) -> str:
    if not re.fullmatch(EXECUTION_NAME, text):
        raise InvalidRequest("since must be the refresh_id of an answer that you have read.")
    return text


def _of_page(*, cursor: str) -> tuple[Parameter, ...]:
    """The parameters of a page; the cursor is what the address of the examples would give."""
    return (
        limit(LIMIT, MAX_LIMIT),
        Parameter(
            "cursor", "The `next_cursor` of the page before, of this address and no other.", cursor
        ),
        Parameter(
            "since",
            "The `refresh_id` of an answer that you know whole: only what came after it. A"
            " `cursor` knows its own, which need not be repeated.",
            "ref_1f0c5a4be2d84d0f9a6b7c8d9e0f1a2b",
            type=Annotated[str, Meta(pattern=f"^{EXECUTION_NAME}$")],
            read=_read_since,
        ),
    )


@Route(
    "GET /v1/connections/<connection_id>/datasets/<name>",
    Tag.DATASETS,
    (Answer("A page of them.", RecordsOut),),
    query=_of_page(
        cursor="WyI5YmZkMjRiZGViMWYzOGE0IixbInJlZl8xZjBjNWE0YmUyZDg0ZDBmOWE2YjdjOGQ5ZTBmMWEyYiIsMCwx"
        "MDAsbnVsbF1d"
    ),
    problems=(Gone, RecordTooLarge),
)
def read_records(
    call: Call, connection_id: str, name: str, *, limit: int, cursor: str | None, since: str | None
) -> Reply:
    """Read a dataset's records, page by page.

    All pages are of the snapshot in which the reader began; where two later ones have been
    published since, the next page is 410: begin anew. A record is known by its `part` and `id`
    together: two parts may have the same id. Where both stand twice, the later record counts. With
    `since`, only what has changed: apply it to your copy in order, a `deleted` record as the
    removal of that part's record. It is `uncertain` where the record was missing in a part that was
    not read as a whole: it comes again, or is deleted for certain, once the part is. 410 says that
    what has changed is no longer known: read the whole dataset.
    """
    here = Listing("records", connection_id, name)
    manifest, dataset, start = _find(call, here, cursor=cursor, since=since)
    _require_inside([file.lines for file in dataset.files], start)
    lines, following = call.here.snapshots.records(dataset.files, start=start, limit=limit)
    return Reply(
        RecordsOut(
            refresh_id=manifest.refresh_id,
            dataset=name,
            as_of=when(dataset.as_of),
            records=[msgspec.Raw(line) for line in lines],
            next_cursor=cursors.write(following, of=here) if following else None,
        )
    )


@Route(
    "GET /v1/connections/<connection_id>/datasets/<name>/files",
    Tag.DATASETS,
    (Answer("A page of them.", FilesOut),),
    query=_of_page(
        cursor="WyJiY2NjY2FmYTEwMDVmNjllIixbInJlZl8xZjBjNWE0YmUyZDg0ZDBmOWE2YjdjOGQ5ZTBmMWEyYiIsMTAw"
        "LDAsbnVsbF1d"
    ),
    problems=(Gone,),
)
def list_files(
    call: Call, connection_id: str, name: str, *, limit: int, cursor: str | None, since: str | None
) -> Reply:
    """Get a dataset as files, by presigned addresses.

    In order: where a `part` and `id` stand twice, the later record counts. All pages are of the
    snapshot in which the reader began; where two later ones have been published since, the next
    page is 410, and an address may be 404 before it expires: begin anew. S3 answers 403 to an
    address that has expired. With `since`, only the files and contents that came after that
    refresh; 410 says that these are no longer known.
    """
    here = Listing("files", connection_id, name)
    manifest, dataset, start = _find(call, here, cursor=cursor, since=since)
    stored = [*dataset.files, *dataset.blobs]
    _require_inside([1] * len(stored), start)
    page = slice(start.file, start.file + limit)
    following = replace(start, file=page.stop) if page.stop < len(stored) else None
    return Reply(
        FilesOut(
            refresh_id=manifest.refresh_id,
            dataset=name,
            files=[_file_out(call, each) for each in stored[page] if isinstance(each, File)],
            blobs=[_blob_out(call, each) for each in stored[page] if isinstance(each, Blob)],
            expires_in_seconds=URL_SECONDS,
            next_cursor=cursors.write(following, of=here) if following else None,
        )
    )


def _find(
    call: Call, here: Listing, *, cursor: str | None, since: str | None
) -> tuple[Manifest, Dataset, Position]:
    """The reader's snapshot, the dataset as far as it is asked for, and where to go on.

    A cursor goes with no other ``since`` than its own.
    """
    start = cursors.read(cursor, Position, of=here)
    if start and since not in {None, start.since}:
        raise InvalidRequest(cursors.REFUSED)
    connection = connection_of(call, here.connection_id)
    manifest = call.here.snapshots.of(connection, refresh_id=start.refresh_id if start else None)
    start = start or Position(manifest.refresh_id, since=since)
    return manifest, _dataset(manifest, here.name, since=start.since), start


def _file_out(call: Call, file: File) -> FileOut:
    url = call.here.snapshots.url(file)
    return FileOut(url=url, sha256=file.sha256, bytes=file.bytes, lines=file.lines)


def _blob_out(call: Call, blob: Blob) -> BlobOut:
    url, file = call.here.snapshots.url(blob.file), blob.file
    return BlobOut(id=blob.id, part=blob.part, url=url, sha256=file.sha256, bytes=file.bytes)


def _dataset(manifest: Manifest, name: str, *, since: str | None) -> Dataset:
    if name not in manifest.datasets:
        raise NotFound
    dataset = manifest.datasets[name]
    return dataset if since is None else select_changes(dataset, since=since)


def _require_inside(sizes: Sequence[int], start: Position) -> None:
    """Refuse a place where nothing is. The first place is always good, even of an empty list."""
    there = start.file in range(len(sizes)) and start.line in range(sizes[start.file])
    if not there and (start.file, start.line) != (0, 0):
        raise InvalidRequest(cursors.REFUSED)
