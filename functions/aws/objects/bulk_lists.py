"""The lists in S3 of whom bulk runs refresh."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from functions.core.bulk.ports import Listed
from functions.core.contract import Prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mypy_boto3_s3.client import S3Client

    from functions.core.bulk.model import Bulk


class BulkLists:
    """Implements ``core.bulk.ports.Lists``: an object a run, a line an id, read by version."""

    def __init__(self, s3: S3Client, *, bucket: str) -> None:
        """Take the bucket's name."""
        self._s3, self._bucket = s3, bucket

    def write(self, bulk_id: str, ids: Iterable[str]) -> Listed:
        """Write a list by way of the disk. An empty one is not written: nobody goes through it."""
        count = 0
        with TemporaryFile() as file:
            for id_ in ids:
                file.write(id_.encode() + b"\n")
                count += 1
            if not count:
                return Listed(count=0, version_id="")
            file.seek(0)
            answer = self._s3.put_object(Bucket=self._bucket, Key=_key(bulk_id), Body=file)
        return Listed(count=count, version_id=answer["VersionId"])

    def read(self, bulk: Bulk) -> Iterator[str]:
        """The list that a run goes through, one by one."""
        if bulk.listed:
            answer = self._s3.get_object(
                Bucket=self._bucket, Key=_key(bulk.bulk_id), VersionId=bulk.version_id
            )
            yield from (line.decode() for line in answer["Body"].iter_lines())


def _key(bulk_id: str) -> str:
    """As the state machine names it, too, see ``infra.machines.refresh_all``."""
    return f"{Prefix.BULKS}{bulk_id}/connections.csv"
