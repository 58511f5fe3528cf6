"""Reads what was published, and deletes what is no longer needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.objects.staging import folders_of, read_lines, read_texts
from functions.core.contract import Prefix
from functions.core.errors import Gone, NotFound, RecordTooLarge
from functions.core.model import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.aws.objects.bucket import Bucket
    from functions.core.model import Connection, File, SnapshotPointer
    from functions.core.ports import RecordKey

MAX_PAGE_BYTES: Final = 2 * 1024 * 1024
"""A page of records ends before it passes this. Lambda's answer may have three times as much,
and the page stands in it as a JSON string, with every quote escaped."""

URL_SECONDS: Final = 15 * 60


class Position(msgspec.Struct, frozen=True, array_like=True):
    """A reader's place: the snapshot, the file and the line.

    ``since`` is the refresh whose snapshot the reader has: the files are those added after it.
    """

    refresh_id: str
    file: int = 0
    line: int = 0
    since: str | None = None


class Snapshots:
    """Published snapshots in S3."""

    def __init__(self, bucket: Bucket) -> None:
        """Take the bucket."""
        self._bucket = bucket

    def manifest(self, pointer: SnapshotPointer) -> Manifest:
        """The manifest that a connection points to.

        Raises:
            Gone: it has been deleted since the pointer was read.
        """
        body = self._bucket.read(pointer.key, pointer.version_id).read()
        return msgspec.json.decode(body, type=Manifest)

    def of(self, connection: Connection, *, refresh_id: str | None = None) -> Manifest:
        """The published snapshot, or the one that a reader began with while it is kept.

        Raises:
            NotFound: nothing has been published yet.
            Gone: that snapshot has been deleted.
        """
        if connection.snapshot is None:
            raise NotFound("Nothing has been published for this connection yet.")
        kept = [pointer for pointer in (connection.snapshot, connection.previous) if pointer]
        for pointer in kept:
            if refresh_id in {None, pointer.refresh_id}:
                return self.manifest(pointer)
        raise Gone

    def marks(self, files: Iterable[File]) -> dict[RecordKey, str | None]:
        """Read the revision in the last line of each part and id; None for a deletion."""
        return {
            (line.part, line.id): None if line.deleted else line.revision
            for file in files
            for line in read_lines(self._bucket, file.index or file)
        }

    def records(
        self, files: tuple[File, ...], *, start: Position, limit: int
    ) -> tuple[list[bytes], Position | None]:
        """Read at most ``limit`` lines from a position on; also return where the next page starts.

        Raises:
            RecordTooLarge: the next line alone is larger than a page may be.
        """
        lines: list[bytes] = []
        size = 0
        for number in range(start.file, len(files)):
            file, line = files[number], start.line if number == start.file else 0
            left = limit - len(lines)
            for text in read_texts(self._bucket, file, start=line, count=left):
                size += len(text)
                if size > MAX_PAGE_BYTES and not lines:
                    raise RecordTooLarge
                if size > MAX_PAGE_BYTES:
                    return lines, Position(start.refresh_id, number, line, start.since)
                lines.append(text)
                line += 1
            if len(lines) == limit and line < file.lines:
                return lines, Position(start.refresh_id, number, line, start.since)
        return lines, None

    def url(self, file: File) -> str:
        """A presigned address of a file, good for ``URL_SECONDS``."""
        return self._bucket.url(file.key, file.version_id, seconds=URL_SECONDS)

    def folders(self, connection_id: str) -> list[str]:
        """The folders of a connection's refreshes, one for each that has written something."""
        return self._bucket.folders(f"{Prefix.SNAPSHOTS}{connection_id}/")

    def prune(self, folders: Iterable[str], *, keep: Iterable[Manifest]) -> None:
        """Delete these folders but those with files that the manifests name.

        List the folders while the refresh holds the connection's slot, so that none is of a later
        refresh.
        """
        manifests = list(keep)
        datasets = [each for manifest in manifests for each in manifest.datasets.values()]
        kept = {manifest.refresh_id for manifest in manifests}
        kept |= {each.refresh_id for each in datasets}
        kept |= {link.refresh_id for each in datasets for link in each.history if link.files}
        changes = (change for each in datasets for change in each.changes)
        kept |= {file.key.split("/")[2] for change in changes for file in change.files}
        for folder in folders:
            if folder.rstrip("/").rpartition("/")[2] not in kept:
                self._bucket.delete_all(folder)

    def discard(self, connection_id: str, *, refresh_id: str) -> None:
        """Delete what a refresh had staged and will not publish."""
        for prefix in folders_of(connection_id, refresh_id):
            self._bucket.delete_all(prefix)

    def erase(self, connection_id: str) -> None:
        """Delete everything of a connection, every version of it."""
        for prefix in Prefix:
            self._bucket.delete_all(f"{prefix}{connection_id}/")
