"""Reads what was published, and deletes what is no longer needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.faults import partial_batch_error
from functions.aws.objects.staging import folders_of, read_lines, read_texts, read_version
from functions.core.contract import Prefix
from functions.core.errors import Gone, NotFound, RecordTooLarge
from functions.core.model import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

    from functions.core.model import Connection, File, SnapshotPointer
    from functions.core.ports import RecordKey

MAX_PAGE_BYTES: Final = 2 * 1024 * 1024
"""A page of records ends before it passes this. Lambda's answer may have three times as much,
and the page stands in it as a JSON string, with every quote escaped."""

URL_SECONDS: Final = 15 * 60


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a reader is: in which snapshot, file and line.

    ``since`` is the refresh whose snapshot the reader has: the files are those added after it.
    """

    refresh_id: str
    file: int = 0
    line: int = 0
    since: str | None = None


class Snapshots:
    """Published snapshots in S3."""

    def __init__(self, s3: S3Client, *, bucket: str) -> None:
        """Take the bucket's name."""
        self._s3, self._bucket = s3, bucket

    def manifest(self, pointer: SnapshotPointer) -> Manifest:
        """The manifest that a connection points to.

        Raises:
            Gone: it has been deleted since the pointer was read.
        """
        answer = read_version(
            self._s3, bucket=self._bucket, key=pointer.key, version_id=pointer.version_id
        )
        return msgspec.json.decode(answer["Body"].read(), type=Manifest)

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
            for line in read_lines(self._s3, bucket=self._bucket, file=file.index or file)
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
            for text in read_texts(
                self._s3, bucket=self._bucket, file=file, start=line, count=left
            ):
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
        return self._s3.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": file.key, "VersionId": file.version_id},
            ExpiresIn=URL_SECONDS,
        )

    def folders(self, connection_id: str) -> list[str]:
        """The folders of a connection's refreshes, one for each that has written something."""
        answer = self._s3.list_objects_v2(
            Bucket=self._bucket, Prefix=f"{Prefix.SNAPSHOTS}{connection_id}/", Delimiter="/"
        )
        return [found["Prefix"] for found in answer.get("CommonPrefixes", [])]

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
        for folder in folders:
            if folder.rstrip("/").rpartition("/")[2] not in kept:
                self.delete(folder)

    def discard(self, connection_id: str, *, refresh_id: str) -> None:
        """Delete what a refresh had staged and will not publish."""
        for prefix in folders_of(connection_id, refresh_id):
            self.delete(prefix)

    def erase(self, connection_id: str) -> None:
        """Delete everything of a connection, every version of it."""
        for prefix in Prefix:
            self.delete(f"{prefix}{connection_id}/")

    def delete(self, prefix: str) -> None:
        """Delete every version of every object below a prefix.

        Raises:
            ClientError: something could not be deleted; a repetition goes on.
        """
        pages = self._s3.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        for page in pages:
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            objects: list[ObjectIdentifierTypeDef] = [
                {"Key": o["Key"], "VersionId": o["VersionId"]} for o in found
            ]
            if objects:
                answer = self._s3.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True}
                )
                if refused := answer.get("Errors"):
                    raise partial_batch_error("DeleteObjects", [each["Code"] for each in refused])
