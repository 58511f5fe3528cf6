"""Routes: what is published."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from functions.aws.objects.snapshots import URL_SECONDS, Position
from functions.core.contract import EXECUTION_NAME
from functions.core.errors import InvalidRequest, NotFound
from functions.core.model import Blob, File
from functions.core.refresh.increment import select_changes
from functions.rest import cursors
from functions.rest.dataset_models import BlobOut, FileOut, FilesOut, RecordsOut, datasets_out
from functions.rest.models import when
from functions.rest.service import Call, Reply, connection_of, limit_of, only

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.core.model import Dataset, Manifest

LIMIT: Final = 100
MAX_LIMIT: Final = 1000
"""Of records or files on a page. A presigned address is up to 2 KB long."""


class Listing(NamedTuple):
    """What is paged through: ``records`` or ``files`` of a dataset. A cursor is of just one."""

    kind: str
    connection_id: str
    name: str


def listed(call: Call, connection_id: str) -> Reply:
    """The published snapshot: its datasets, its age, and what of it is fresh."""
    only(call)
    connection = connection_of(call, connection_id)
    manifest = call.here.snapshots.of(connection)
    return Reply(status=HTTPStatus.OK, model=datasets_out(manifest, connection=connection))


def records(call: Call, connection_id: str, name: str) -> Reply:
    """A page of a dataset's records, from the snapshot in which the reader began.

    With ``since``, only of what came after that refresh's snapshot.
    """
    limit, here = _limit(call), Listing("records", connection_id, name)
    manifest, dataset, start = _opened(call, here)
    _require_inside([file.lines for file in dataset.files], start)
    lines, following = call.here.snapshots.records(dataset.files, start=start, limit=limit)
    model = RecordsOut(
        refresh_id=manifest.refresh_id,
        dataset=name,
        as_of=when(dataset.as_of),
        records=[msgspec.Raw(line) for line in lines],
        next_cursor=cursors.written(following, of=here) if following else None,
    )
    return Reply(status=HTTPStatus.OK, model=model)


def files(call: Call, connection_id: str, name: str) -> Reply:
    """A page of a dataset's files, and of contents in files of their own; see ``records``."""
    limit, here = _limit(call), Listing("files", connection_id, name)
    manifest, dataset, start = _opened(call, here)
    stored = [*dataset.files, *dataset.blobs]
    _require_inside([1] * len(stored), start)
    page = slice(start.file, start.file + limit)
    following = replace(start, file=page.stop) if page.stop < len(stored) else None
    model = FilesOut(
        refresh_id=manifest.refresh_id,
        dataset=name,
        files=[_file_out(call, each) for each in stored[page] if isinstance(each, File)],
        blobs=[_blob_out(call, each) for each in stored[page] if isinstance(each, Blob)],
        expires_in_seconds=URL_SECONDS,
        next_cursor=cursors.written(following, of=here) if following else None,
    )
    return Reply(status=HTTPStatus.OK, model=model)


def _limit(call: Call) -> int:
    only(call, "cursor", "limit", "since")
    return limit_of(call, default=LIMIT, most=MAX_LIMIT)


def _opened(call: Call, here: Listing) -> tuple[Manifest, Dataset, Position]:
    """The snapshot in which the reader is, what interests of the dataset, and where to go on."""
    since, start = _since(call), _start(call, here)
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


def _since(call: Call) -> str | None:
    since = call.query.get("since")
    if since is not None and not re.fullmatch(EXECUTION_NAME, since):
        raise InvalidRequest("since must be the refresh_id of an answer that you have read.")
    return since


def _start(call: Call, here: Listing) -> Position | None:
    """Where the cursor points, if there is one; it goes with no other ``since`` than its own."""
    if "cursor" not in call.query:
        return None
    start = cursors.read(call.query["cursor"], Position, of=here)
    if call.query.get("since", start.since) != start.since:
        raise InvalidRequest(cursors.REFUSED)
    return start


def _dataset(manifest: Manifest, name: str, *, since: str | None) -> Dataset:
    if name not in manifest.datasets:
        raise NotFound
    dataset = manifest.datasets[name]
    return dataset if since is None else select_changes(dataset, since=since)


def _require_inside(sizes: Sequence[int], start: Position) -> None:
    """Refuse a place where there is nothing; the first is always one, however little there is."""
    there = start.file in range(len(sizes)) and start.line in range(sizes[start.file])
    if not there and (start.file, start.line) != (0, 0):
        raise InvalidRequest(cursors.REFUSED)
