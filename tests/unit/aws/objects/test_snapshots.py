"""Pages of a dataset: each line once, whatever the limit, and not the whole file for one page."""

from __future__ import annotations

import gzip
import secrets
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from functions.aws.objects import staging as files
from functions.aws.objects.bucket import Bucket
from functions.aws.objects.snapshots import Position, Snapshots
from functions.aws.objects.staging import Staging
from functions.core.model import BLOCK_LINES
from functions.core.ports import Page, Record
from functions.core.refresh.progress import Staged
from tests.support.fakes.s3 import S3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.core.model import File

REFRESH = "ref_1"


def write(
    s3: S3,
    count: int,
    *,
    data: bytes = b'{"n":1}',
    revision: str = "",
    deletions: Sequence[str] = (),
) -> tuple[File, ...]:
    """The files of a dataset with so many records."""
    staging = Staging(Bucket(cast("Any", s3), "b"), connection_id="con_1", refresh_id=REFRESH)
    staging.progress.datasets["d"] = Staged()
    ids = (f"{number:05}" for number in range(count))
    records = [Record(id_, msgspec.Raw(data), revision=revision) for id_ in ids]
    staging.write(Page(dataset="d", records=records, deletions=deletions))
    return staging.datasets(refresh_id=REFRESH, as_of=1)["d"].files


def pages(s3: S3, stored: tuple[File, ...], *, limit: int) -> list[list[str]]:
    """The ids of each page of the dataset."""
    found: list[list[str]] = []
    place: Position | None = Position(REFRESH)
    while place is not None:
        reader = Snapshots(Bucket(cast("Any", s3), "b"))
        lines, place = reader.records(stored, start=place, limit=limit)
        found.append([msgspec.json.decode(line)["id"] for line in lines])
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7, 12, 13])
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7, 100])
def test_pages_of_any_size_have_every_line_once(
    monkeypatch: pytest.MonkeyPatch, count: int, limit: int
) -> None:
    monkeypatch.setattr(files, "FILE_LINES", 6)
    monkeypatch.setattr(files, "BLOCK_LINES", 2)
    s3 = S3()
    stored = write(s3, count)
    every = [f"{number:05}" for number in range(count)]
    chunks = [every[place : place + limit] for place in range(0, count, limit)]
    assert pages(s3, stored, limit=limit) == (chunks or [[]])
    bodies = [gzip.decompress(s3.bodies[file.key, file.version_id]) for file in stored]
    assert sum(body.count(b"\n") for body in bodies) == count


def test_a_page_costs_a_block_and_not_the_file() -> None:
    s3 = S3()
    (stored,) = write(s3, files.FILE_LINES)
    assert len(stored.blocks) == files.FILE_LINES // BLOCK_LINES - 1
    pages(s3, (stored,), limit=100)
    assert s3.bytes_read <= 5 * stored.bytes


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_a_file_of_one_member_is_read_as_well(limit: int) -> None:
    s3 = S3()
    text = b"".join(b'{"id":"%d"}\n' % number for number in range(4))
    version = s3.put_object(Key="old", Body=gzip.compress(text))["VersionId"]
    (stored,) = write(s3, 1)
    size = len(s3.bodies["old", version])
    old = replace(stored, key="old", version_id=version, bytes=size, lines=4, blocks=())
    assert [id_ for page in pages(s3, (old,), limit=limit) for id_ in page] == list("0123")


def test_revisions_are_read_without_the_contents() -> None:
    s3 = S3()
    data = b'"%s"' % secrets.token_hex(5_000).encode()
    (stored,) = write(s3, 100, data=data, revision="7", deletions=["00001"])
    reader = Snapshots(Bucket(cast("Any", s3), "b"))
    marks = reader.marks([stored])
    assert s3.bytes_read < stored.bytes / 10
    assert len(marks) == 100
    assert (marks["", "00000"], marks["", "00001"]) == ("7", None)
    assert reader.marks([replace(stored, index=None)]) == marks


def test_records_without_revisions_have_no_index() -> None:
    assert [file.index for file in write(S3(), 3)] == [None]
