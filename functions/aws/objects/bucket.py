"""The stage's bucket. Each write makes a version of an object, and readers name the version."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.faults import partial_batch_error
from functions.core.errors import Gone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client


class Bucket:
    """The bucket by its name."""

    def __init__(self, s3: S3Client, name: str) -> None:
        """Take the bucket's name."""
        self._s3, self._name = s3, name

    def put(self, key: str, body: bytes | IO[bytes]) -> str:
        """Write an object; return its version."""
        return self._s3.put_object(Bucket=self._name, Key=key, Body=body)["VersionId"]

    def read(self, key: str, version_id: str, *, span: str = "") -> StreamingBody:
        """Open one version of an object, whole or only a span of its bytes (a Range).

        S3 refuses the access to what is not there, where it may not be listed from the bucket's
        root, and to what is there, where a grant is missing. Only the list of versions tells the
        two apart.

        Raises:
            Gone: it has been deleted.
        """
        request: Any = {"Bucket": self._name, "Key": key, "VersionId": version_id}
        if span:
            request["Range"] = span
        try:
            return self._s3.get_object(**request)["Body"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in {"NoSuchKey", "NoSuchVersion", "AccessDenied"}:
                raise
            if code == "AccessDenied" and (key, version_id) in map(_place, self._versions(key)):
                raise
            raise Gone from None

    def read_newest(self, key: str) -> bytes:
        """Read the newest version of an object that is there."""
        return self._s3.get_object(Bucket=self._name, Key=key)["Body"].read()

    def find(self, key: str) -> bytes | None:
        """Read the newest version of an object that may not be there; else None."""
        for version in self._versions(key):
            if version["Key"] == key and version.get("IsLatest"):
                return self.read(*_place(version)).read()
        return None

    def url(self, key: str, version_id: str, *, seconds: int) -> str:
        """Presign an address of one version of an object, good for so long."""
        return self._s3.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._name, "Key": key, "VersionId": version_id},
            ExpiresIn=seconds,
        )

    def folders(self, prefix: str) -> list[str]:
        """List the folders right below a prefix."""
        answer = self._s3.list_objects_v2(Bucket=self._name, Prefix=prefix, Delimiter="/")
        return [found["Prefix"] for found in answer.get("CommonPrefixes", [])]

    def delete(self, key: str, version_id: str | None = None) -> None:
        """Delete one version of an object for good, or put a delete marker on the newest."""
        version: Any = {"VersionId": version_id} if version_id else {}
        self._s3.delete_object(Bucket=self._name, Key=key, **version)

    def delete_all(self, prefix: str) -> None:
        """Delete every version of every object below a prefix.

        Raises:
            ClientError: something could not be deleted; a repetition goes on.
        """
        for page in self._pages(prefix):
            found = map(_place, [*page.get("Versions", []), *page.get("DeleteMarkers", [])])
            objects: Any = [{"Key": key, "VersionId": version_id} for key, version_id in found]
            if not objects:
                continue
            answer = self._s3.delete_objects(
                Bucket=self._name, Delete={"Objects": objects, "Quiet": True}
            )
            if refused := answer.get("Errors"):
                raise partial_batch_error("DeleteObjects", [each["Code"] for each in refused])

    def _versions(self, prefix: str) -> Iterable[Any]:
        return (found for page in self._pages(prefix) for found in page.get("Versions", []))

    def _pages(self, prefix: str) -> Iterable[Any]:
        return self._s3.get_paginator("list_object_versions").paginate(
            Bucket=self._name, Prefix=prefix
        )


def _place(version: Any) -> tuple[str, str]:  # noqa: ANN401 - S3's shape
    return version["Key"], version["VersionId"]
