"""Peak memory and processor time of finding what a full read has changed, as a dataset grows.

A process of its own writes a snapshot and a second read of the same records, in another order and
with one in a hundred changed, new or gone, and compares them: all by the code of ``fetch_data``.
Its bucket is a folder.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

from benchmarks import measure
from benchmarks.bench import run_program
from benchmarks.results import Result
from functions.aws.objects.bucket import Bucket
from functions.aws.objects.staging import Staging, read_lines
from functions.core.ports import Page, Record
from functions.core.refresh.increment import MANY_CHANGES
from functions.core.refresh.progress import Staged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.results import Row
    from functions.core.model import Dataset

SIZES: Final = (100_000, 1_000_000)
QUICK_SIZES: Final = (10_000, 100_000)
MOST_MB: Final = 100
"""More memory than this fails the benchmark."""

NAME: Final = "transactions"
PAGE: Final = 500
STRIDE: Final = 7_919
"""A prime that divides no size: it visits each record once, in another order."""


def main(*, quick: bool) -> Result:
    """Measure."""
    sizes = QUICK_SIZES if quick else SIZES
    command = [sys.executable, "-m", "benchmarks.system.full_read"]
    figures = {size: run_program(command, given=size) for size in sizes}
    for size, one in figures.items():
        if one["answer"]["told"] != one["answer"]["made"] or one["peak_mb"] > MOST_MB:
            raise AssertionError(f"{size}: {one}")
    least = figures[sizes[0]]["cpu_seconds"] / sizes[0]
    rows: list[Row] = [
        {
            "records": f"{size:,}",
            "records told": f"{one['answer']['told']['record']:,}",
            "deletions told": f"{one['answer']['told']['deletion']:,}",
            "peak memory, MB": round(one["peak_mb"]),
            "CPU a record, of the least": one["cpu_seconds"] / size / least,
        }
        for size, one in figures.items()
    ]
    return Result(tables={"full-read": rows}, rounds=figures)


def compare(size: int) -> dict[str, dict[str, int]]:
    """Write both reads and compare them; how many lines are told, and how many should be."""
    with TemporaryDirectory() as folder:
        s3: Any = Folder(Path(folder))
        bucket = Bucket(s3, "")
        before, _ = write(bucket, "before", ((number, 0) for number in range(size)))
        made = Counter[str]()

        def change() -> Iterator[tuple[int, int]]:
            places = (place * STRIDE % size for place in range(size))
            for number in places:
                kind = "gone" if number % 400 == 1 else "changed" if number % 200 == 0 else "same"
                made[kind] += 1
                if kind != "gone":
                    yield number, int(kind == "changed")

        new = range(size, size + size // 400)
        after, staging = write(bucket, "after", chain(change(), ((number, 0) for number in new)))
        found = staging.diff(
            NAME,
            after,
            before=before.files,
            unsure=(),
            most=MANY_CHANGES,
            require_time=lambda: None,
        )
        told = Counter(
            "deletion" if line.deleted else "record"
            for file in found.files
            for line in read_lines(bucket, file)
        )
        right = {"record": made["changed"] + len(new), "deletion": made["gone"]}
        return {"told": dict(told), "made": right}


def write(
    bucket: Bucket, refresh_id: str, rows: Iterable[tuple[int, int]]
) -> tuple[Dataset, Staging]:
    """Write records, each a number and how often it was changed, page by page as they are read."""
    staging = Staging(bucket, connection_id="con_1", refresh_id=refresh_id)
    staging.progress.datasets[NAME] = Staged()
    records: list[Record] = []

    def write_page() -> None:
        staging.write(Page(dataset=NAME, part="account", records=list(records)))
        records.clear()

    for number, changes in rows:
        records.append(to_record(number, changes))
        if len(records) == PAGE:
            write_page()
    write_page()
    return staging.datasets(refresh_id=refresh_id, as_of=1)[NAME], staging


def to_record(number: int, changes: int) -> Record:
    """A transaction such as Banno's."""
    data = {
        "id": f"{number:032x}",
        "accountId": "d1b6a7e0-0000-4000-8000-000000000001",
        "amount": f"{number % 9973}.{changes:02}",
        "date": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T00:00:00Z",
        "memo": f"Purchase no. {number * 2_654_435_761 % 2**32} at a shop",
        "pending": number % 50 == 0,
    }
    return Record(str(data["id"]), msgspec.Raw(msgspec.json.encode(data)))


class Folder:
    """As much of S3 as files are written to and read from, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put_object(self, *, Key: str, Body: bytes | IO[bytes], **_more: str) -> dict[str, str]:  # noqa: N803 - S3's names
        """Keep an object, of which there is one version."""
        path = self._path(Key)
        path.write_bytes(Body if isinstance(Body, bytes) else Body.read())
        return {"VersionId": "1"}

    def get_object(self, *, Key: str, Range: str, **_more: str) -> dict[str, IO[bytes]]:  # noqa: N803 - S3's names
        """Read a span of an object."""
        first, _, last = Range.removeprefix("bytes=").partition("-")
        with self._path(Key).open("rb") as file:
            file.seek(int(first))
            return {"Body": io.BytesIO(file.read(int(last) + 1 - int(first)))}

    def _path(self, key: str) -> Path:
        return self._folder / key.replace("/", "+")


if __name__ == "__main__":
    measure.run(compare)
