"""Puts the assets of a cloud assembly where its templates look for them."""

import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from botocore.exceptions import ClientError

from infra.local.aws import ACCOUNT, REGION

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can hold


def upload(assembly: Path, manifest: str, *, s3: "S3Client") -> None:
    """Uploads the assets of a stack, but those that are there: their names hold their digests.

    Args:
        assembly: the folder that ``cdk synth`` wrote.
        manifest: the name of the stack's list of assets in it.
        s3: of the local AWS.
    """
    files = json.loads((assembly / manifest).read_text())["files"]
    for file in files.values():
        source = assembly / file["source"]["path"]
        for place in file["destinations"].values():
            bucket, key = filled(place["bucketName"]), filled(place["objectKey"])
            s3.create_bucket(Bucket=bucket)  # no error where it is there already
            if not exists(s3, bucket, key=key):
                with content(source) as body:
                    s3.put_object(Bucket=bucket, Key=key, Body=body)


def filled(text: str) -> str:
    """A text of an assembly, with the local account and region in it."""
    values = {"AWS::Partition": "aws", "AWS::AccountId": ACCOUNT, "AWS::Region": REGION}
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def exists(s3: "S3Client", bucket: str, *, key: str) -> bool:
    """Whether there is such an object."""
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        return False
    return True


@contextmanager
def content(source: Path) -> Iterator[IO[bytes]]:
    """A file as it is, or a folder as a zip."""
    if source.is_file():
        with source.open("rb") as file:
            yield file
    else:
        with tempfile.TemporaryFile() as archive:
            write_zip(source, archive)
            archive.seek(0)
            yield archive


def write_zip(folder: Path, archive: IO[bytes]) -> None:
    """Packs a folder without compressing; the same files always give the same bytes."""
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
                entry.external_attr = path.stat().st_mode << 16
                target.writestr(entry, path.read_bytes())
