"""The bucket, as S3 is asked for it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from functions.aws.objects.bucket import Bucket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3.client import S3Client

AWS = boto3.Session("test", "test", region_name="us-east-1")
HERE = {"Bucket": "bucket", "Key": "a/b"}


@pytest.fixture
def client() -> S3Client:
    return AWS.client("s3")


@pytest.fixture
def s3(client: S3Client) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def bucket(client: S3Client) -> Bucket:
    return Bucket(client, "bucket")


def content(text: bytes) -> dict[str, Any]:
    return {"Body": StreamingBody(io.BytesIO(text), len(text))}


def version(id_: str, *, key: str = "a/b", latest: bool = True) -> dict[str, Any]:
    return {"Key": key, "VersionId": id_, "IsLatest": latest}


def test_a_write_gives_the_version_by_which_it_is_read(bucket: Bucket, s3: Stubber) -> None:
    s3.add_response("put_object", {"VersionId": "v"}, {**HERE, "Body": b"text"})
    s3.add_response("get_object", content(b"text"), {**HERE, "VersionId": "v"})
    s3.add_response("get_object", content(b"t"), {**HERE, "VersionId": "v", "Range": "bytes=0-0"})
    assert bucket.put("a/b", b"text") == "v"
    assert bucket.read("a/b", "v").read() == b"text"
    assert bucket.read("a/b", "v", span="bytes=0-0").read() == b"t"


def test_what_may_not_be_there_is_looked_for_first(bucket: Bucket, s3: Stubber) -> None:
    for found in (
        [],
        [version("old", latest=False)],
        [version("other", key="a/bc"), version("old", latest=False), version("new")],
    ):
        s3.add_response(
            "list_object_versions", {"Versions": found}, {"Bucket": "bucket", "Prefix": "a/b"}
        )
    s3.add_response("get_object", content(b"text"), {**HERE, "VersionId": "new"})
    assert [bucket.find("a/b") for _ in range(3)] == [None, None, b"text"]


def test_the_newest_version_is_read_without_its_name(bucket: Bucket, s3: Stubber) -> None:
    s3.add_response("get_object", content(b"text"), HERE)
    assert bucket.read_newest("a/b") == b"text"


def test_a_version_is_deleted_for_good_and_an_object_by_a_marker(
    bucket: Bucket, s3: Stubber
) -> None:
    s3.add_response("delete_object", {}, {**HERE, "VersionId": "v"})
    s3.add_response("delete_object", {}, HERE)
    bucket.delete("a/b", "v")
    bucket.delete("a/b")


def test_every_version_and_marker_below_a_prefix_is_deleted(bucket: Bucket, s3: Stubber) -> None:
    first = {
        "Versions": [version("1"), version("2", latest=False)],
        "IsTruncated": True,
        "NextKeyMarker": "a/b",
        "NextVersionIdMarker": "2",
    }
    below = {"Bucket": "bucket", "Prefix": "a/"}
    s3.add_response("list_object_versions", first, below)
    s3.add_response("delete_objects", {}, delete("1", "2"))
    s3.add_response(
        "list_object_versions",
        {"DeleteMarkers": [version("3")]},
        {**below, "KeyMarker": "a/b", "VersionIdMarker": "2"},
    )
    s3.add_response("delete_objects", {}, delete("3"))
    bucket.delete_all("a/")


def test_nothing_is_deleted_where_there_is_nothing(bucket: Bucket, s3: Stubber) -> None:
    s3.add_response("list_object_versions", {}, {"Bucket": "bucket", "Prefix": "a/"})
    bucket.delete_all("a/")


def test_folders_are_those_right_below_a_prefix(bucket: Bucket, s3: Stubber) -> None:
    below = {"Bucket": "bucket", "Prefix": "a/", "Delimiter": "/"}
    s3.add_response("list_objects_v2", {"CommonPrefixes": [{"Prefix": "a/b/"}]}, below)
    s3.add_response("list_objects_v2", {}, below)
    assert [bucket.folders("a/") for _ in range(2)] == [["a/b/"], []]


def test_an_address_is_that_of_one_version(bucket: Bucket) -> None:
    address = bucket.url("a/b", "v", seconds=60)
    assert "/a/b?" in address
    assert "versionId=v" in address


def delete(*versions: str) -> dict[str, Any]:
    objects = [{"Key": "a/b", "VersionId": id_} for id_ in versions]
    return {"Bucket": "bucket", "Delete": {"Objects": objects, "Quiet": True}}
