"""Reads what was published, and deletes what is no longer needed."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.staging import read_texts, staged_under
from functions.core.contract import Prefix
from functions.core.errors import Gone, NotFound
from functions.core.model import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

    from functions.core.model import Connection, File, Refresh, SnapshotPointer

MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
"""A page of records ends here even when fewer than asked for fit: Lambda answers are bounded."""

URL_SECONDS: Final = 15 * 60


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a reader is: in which snapshot, file and line."""

    refresh_id: str
    file: int = 0
    line: int = 0


class Snapshots:
    """Published snapshots in S3."""

    def __init__(self, s3: S3Client, *, bucket: str) -> None:
        """Take the bucket's name."""
        self._s3, self._bucket = s3, bucket

    def manifest(self, pointer: SnapshotPointer) -> Manifest:
        """The manifest that a connection points to."""
        answer = self._s3.get_object(
            Bucket=self._bucket, Key=pointer.key, VersionId=pointer.version_id
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

    def records(
        self, files: tuple[File, ...], *, start: Position, limit: int
    ) -> tuple[list[bytes], Position | None]:
        """At most ``limit`` lines from a position on, and where the next page starts."""
        lines: list[bytes] = []
        size = 0
        for number in range(start.file, len(files)):
            skipped = start.line if number == start.file else 0
            texts = read_texts(self._s3, bucket=self._bucket, file=files[number])
            for index, text in islice(enumerate(texts), skipped, None):
                if len(lines) == limit or size >= MAX_PAGE_BYTES:
                    return lines, Position(start.refresh_id, number, index)
                lines.append(text)
                size += len(text)
        return lines, None

    def urls(self, files: tuple[File, ...]) -> list[str]:
        """Presigned addresses of the files, good for ``URL_SECONDS``."""
        return [
            self._s3.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": file.key,
                    "VersionId": file.version_id,
                },
                ExpiresIn=URL_SECONDS,
            )
            for file in files
        ]

    def prune(self, connection_id: str, *, keep: Iterable[Manifest]) -> None:
        """Delete the connection's snapshots but those that these manifests name files of."""
        kept = {manifest.refresh_id for manifest in keep} | {
            dataset.refresh_id for manifest in keep for dataset in manifest.datasets.values()
        }
        folder = f"{Prefix.SNAPSHOTS}{connection_id}/"
        listed = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=folder, Delimiter="/")
        for found in listed.get("CommonPrefixes", []):
            if found["Prefix"].removeprefix(folder).rstrip("/") not in kept:
                self.delete(found["Prefix"])

    def discard(self, refresh: Refresh) -> None:
        """Delete what a refresh had staged and nobody will publish."""
        for prefix in staged_under(refresh.connection_id, refresh.refresh_id):
            self.delete(prefix)

    def erase(self, connection_id: str) -> None:
        """Delete everything of a connection, every version of it."""
        for prefix in Prefix:
            self.delete(f"{prefix}{connection_id}/")

    def delete(self, prefix: str) -> None:
        """Delete every version of every object below a prefix."""
        pages = self._s3.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        for page in pages:
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            objects: list[ObjectIdentifierTypeDef] = [
                {"Key": o["Key"], "VersionId": o["VersionId"]} for o in found
            ]
            if objects:
                self._s3.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True}
                )
