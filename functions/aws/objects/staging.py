"""Writes a refresh's records to S3 page by page, so that memory does not grow with the data.

Files are gzip of JSON Lines, each of a bounded size, under keys that follow from the refresh
and their number: a repetition overwrites them. They are read only once a manifest names them, by
version. Where the time of one call runs out, progress is put aside and the next call goes on.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b, sha256
from io import BufferedReader
from itertools import chain, islice
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Final

import msgspec
from isal import isal_zlib
from isal.igzip import IGzipFile
from msgspec.structs import replace

from functions.aws.objects.diff import ABSENT, DIGEST_BYTES, compare
from functions.core.contract import Prefix
from functions.core.errors import Gone
from functions.core.model import BLOCK_LINES, Blob, Change, Dataset, File, Manifest
from functions.core.refresh.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from functions.aws.objects.bucket import Bucket
    from functions.aws.objects.diff import Mark
    from functions.core.ports import Page, Quarantined

FILE_LINES: Final = 10_000
FILE_BYTES: Final = 16 * 1024 * 1024
"""A file ends at so many lines or bytes before compression, whichever comes first."""

REMEMBERED: Final = 10_000
"""So many of a dataset's last records are remembered at least, so that one that comes again is
left out. Pages overlap by less. Where one comes again after more, its later line counts."""

_IN_MEMORY: Final = 1024 * 1024
_LEVEL: Final = 1
_GZIP: Final = 31
_CHUNK: Final = 256 * 1024
_DATA: Final = b',"data":'
"""A line's last field, its data, begins so: in the strings before it, a quote is escaped."""

_UNCERTAIN: Final = b"\1" * DIGEST_BYTES
"""The value of a record of which a deletion is uncertain: no record that is there has it."""

_PARSE: Final = msgspec.json.Decoder(float_hook=lambda text: msgspec.Raw(text.encode()))
_SORT: Final = msgspec.json.Encoder(order="sorted")
"""JSON with its keys in order, and each number as it was given."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a file: a record as the provider gave it, or a record's deletion.

    ``part`` is what the record belongs to at the provider (an account), ``revision`` the
    provider's own mark of its state. Where an id stands twice in a part, the later line counts.
    A deletion is ``uncertain`` where the record was missing in a part that was not read as a whole.
    """

    id: str
    part: str = ""
    revision: str = ""
    deleted: bool = False
    uncertain: bool = False
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def folders_of(connection_id: str, refresh_id: str) -> tuple[str, str, str, str]:
    """The folder of a refresh's files, the key of its progress, the folder of its quarantine.

    The last is the folder of the files of its changes: they are kept longer than what it read.
    """
    return (
        f"{Prefix.SNAPSHOTS}{connection_id}/{refresh_id}/",
        f"{Prefix.STAGING}{connection_id}/{refresh_id}.json",
        f"{Prefix.QUARANTINE}{connection_id}/{refresh_id}/",
        f"{Prefix.SNAPSHOTS}{connection_id}/{refresh_id}.changes/",
    )


class Staging:
    """One refresh's fetch in the making."""

    def __init__(self, bucket: Bucket, *, connection_id: str, refresh_id: str) -> None:
        """Take the refresh; nothing is read or written yet."""
        self._bucket = bucket
        self._folder, self._aside, self._apart, self._changes = folders_of(
            connection_id, refresh_id
        )
        self._open: dict[str, _OpenFile] = {}
        self._marks: dict[str, _Recent] = {}
        self.progress = Progress()

    def resume(self) -> None:
        """Go on from what an earlier call has put aside."""
        body = self._bucket.read_newest(self._aside)
        self.progress = msgspec.json.decode(body, type=Progress)

    def put_aside(self) -> None:
        """Finish the open files and note how far the fetch has come."""
        self._finish_files()
        self._bucket.put(self._aside, msgspec.json.encode(self.progress))

    def write(self, page: Page) -> None:
        """Add a page. A record that its part has just had in the same state is left out."""
        if page.dataset in self.progress.datasets:
            marks = self._marks_of(page.dataset)
            for line, blob in _lines(page):
                if marks.add(line):
                    self._append(page.dataset, line)
                    if blob is not None:
                        self._add_blob(page.dataset, line, blob=blob)
                elif blob is not None:
                    blob.close()
        for found in page.quarantined:
            self._quarantine(found)
        self.progress.set_read_modes(page.read_modes)
        if page.parts:
            self.progress.tell(page.parts)
        self.progress.set_labels(page.labels)
        self.progress.cursor = page.cursor
        self.progress.faults = 0

    def keep(self, name: str, dataset: Dataset, *, parts: Container[str]) -> None:
        """Put the lines that a dataset had of these parts before those written so far."""
        self._finish_files()
        staged = self.progress.datasets[name]
        written = len(staged.files)
        with suppress(Gone):
            for file in dataset.files:
                for line in read_lines(self._bucket, file):
                    if (line.part or line.id) in parts:
                        self._append(name, line)
        self._finish_files()
        staged.files = [*staged.files[written:], *staged.files[:written]]
        kept = (blob for blob in dataset.blobs if (blob.part or blob.id) in parts)
        staged.blobs = [*kept, *staged.blobs]

    def datasets(self, *, refresh_id: str, as_of: float) -> dict[str, Dataset]:
        """The datasets fetched, once the last page is written."""
        self._finish_files()
        return {
            name: Dataset(
                refresh_id=refresh_id,
                as_of=as_of,
                records=staged.records,
                deletions=staged.deletions,
                files=tuple(staged.files),
                blobs=tuple({(blob.part, blob.id): blob for blob in staged.blobs}.values()),
                bookmark=staged.bookmark,
            )
            for name, staged in self.progress.datasets.items()
        }

    def diff(
        self,
        name: str,
        dataset: Dataset,
        *,
        before: Sequence[File],
        unsure: Container[str],
        most: int,
        require_time: Callable[[], None],
    ) -> Change:
        """Write the lines that make of what was ``before`` what was fetched; see the protocol."""

        def read(files: Iterable[File]) -> Iterator[bytes]:
            for file in files:
                require_time()
                yield from read_texts(self._bucket, file)

        def select(files: Iterable[File], places: set[int]) -> Iterator[Line]:
            texts = enumerate(read(files if places else ()))
            return (_to_line(text) for place, text in texts if place in places)

        def delete(line: Line) -> Line:
            uncertain = name in unsure or (line.part or line.id) in unsure
            return Line(id=line.id, part=line.part, deleted=True, uncertain=uncertain)

        sides = (map(_mark, read(files)) for files in (before, dataset.files))
        changed, missing = compare(*sides, most=most)
        told = ((line, delete(line)) for line in select(before, missing))
        deletions = [line for was, line in told if not (was.uncertain and line.uncertain)]
        full = _fill(chain(select(dataset.files, changed), deletions))
        return Change(
            refresh_id=dataset.refresh_id,
            files=tuple(
                self._store_lines(f"{self._changes}{name}/{number:05}", file)
                for number, file in enumerate(full)
            ),
            uncertain=any(line.uncertain for line in deletions),
        )

    def seal(self, manifest: Manifest) -> tuple[str, str]:
        """Write the manifest; return its key and version."""
        key = self._folder + "manifest.json"
        return key, self._bucket.put(key, msgspec.json.encode(manifest))

    def _marks_of(self, dataset: str) -> _Recent:
        """The marks of the last lines; after a resumption, read back from the files."""
        if dataset not in self._marks:
            marks = self._marks[dataset] = _Recent()
            for file in _last(self.progress.datasets[dataset].files, lines=REMEMBERED):
                for line in read_lines(self._bucket, file.index or file):
                    marks.add(line)
        return self._marks[dataset]

    def _append(self, dataset: str, line: Line) -> None:
        staged = self.progress.datasets[dataset]
        staged.records += not line.deleted
        staged.deletions += line.deleted
        if dataset not in self._open:
            self._open[dataset] = _OpenFile()
        file = self._open[dataset]
        file.append(line)
        if file.full:
            self._finish_file(dataset)

    def _finish_files(self) -> None:
        for dataset in list(self._open):
            self._finish_file(dataset)

    def _finish_file(self, dataset: str) -> None:
        staged, file = self.progress.datasets[dataset], self._open.pop(dataset)
        name = f"{self._folder}{dataset}/{len(staged.files):05}"
        staged.files.append(self._store_lines(name, file))

    def _store_lines(self, name: str, file: _OpenFile) -> File:
        stored = self._store(f"{name}.jsonl.gz", file.packed, lines=file.lines)
        if file.index is None:
            return stored
        index = self._store(f"{name}.index.gz", file.index, lines=file.lines)
        return replace(stored, index=index)

    def _add_blob(self, dataset: str, line: Line, *, blob: IO[bytes]) -> None:
        """Pack a record's content into a file of its own."""
        staged, packed = self.progress.datasets[dataset], _Packed()
        staged.blobs_written += 1
        key = f"{self._folder}{dataset}/blobs/{staged.blobs_written:05}.gz"
        with blob:
            while chunk := blob.read(_CHUNK):
                packed.write(chunk)
        file = self._store(key, packed, lines=0)
        staged.blobs.append(Blob(id=line.id, part=line.part, file=file))

    def _store(self, key: str, packed: _Packed, *, lines: int) -> File:
        with packed.end() as body:
            return File(
                key=key,
                version_id=self._bucket.put(key, body),
                sha256=packed.digest.hexdigest(),
                bytes=packed.size,
                lines=lines,
                blocks=tuple(packed.blocks),
            )

    def _quarantine(self, found: Quarantined) -> None:
        number, name = len(self.progress.quarantined), found.name
        self._bucket.put(f"{self._apart}{number:05}", found.content)
        self.progress.quarantined.append(name)


class _Recent:
    """The marks of the last lines: ``REMEMBERED`` at least, and at most twice as many."""

    def __init__(self) -> None:
        self._new, self._old = set[object](), set[object]()

    def add(self, line: Line) -> bool:
        """Remember a line; return whether it was not remembered before."""
        mark = (line.part, line.id, line.revision, line.deleted)
        if mark in self._new or mark in self._old:
            return False
        self._new.add(mark)
        if len(self._new) >= REMEMBERED:
            self._new, self._old = set(), self._new
        return True


class _Packed:
    """A gzip in the making. What is more than a megabyte goes to the disk."""

    def __init__(self) -> None:
        self.digest, self.size = sha256(), 0
        self.blocks: list[int] = []
        self._pack = isal_zlib.compressobj(level=_LEVEL, wbits=_GZIP)
        self._waiting = bytearray()
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - _store closes it

    def write(self, content: bytes) -> None:
        self._waiting += content
        if len(self._waiting) >= _CHUNK:
            self._keep(self._pack.compress(self._waiting))
            self._waiting.clear()

    def begin_block(self) -> None:
        """Begin another gzip member, which is read without those before it."""
        self._end_block()
        self.blocks.append(self.size)
        self._pack = isal_zlib.compressobj(level=_LEVEL, wbits=_GZIP)

    def end(self) -> IO[bytes]:
        """The whole, an open file at its beginning."""
        self._end_block()
        self._file.seek(0)
        return self._file

    def _end_block(self) -> None:
        self._keep(self._pack.compress(self._waiting) + self._pack.flush())
        self._waiting.clear()

    def _keep(self, piece: bytes) -> None:
        self.digest.update(piece)
        self.size += self._file.write(piece)


class _OpenFile:
    """A file of lines in the making, with an ``index`` if its first record has a revision."""

    def __init__(self) -> None:
        self.lines, self.packed = 0, _Packed()
        self.index: _Packed | None = None
        self._bytes = 0

    @property
    def full(self) -> bool:
        return self.lines >= FILE_LINES or self._bytes >= FILE_BYTES

    def append(self, line: Line) -> None:
        # A line break can only be white space in JSON; here it would end the line.
        text = msgspec.json.encode(line).replace(b"\n", b" ").replace(b"\r", b" ")
        if self.lines and self.lines % BLOCK_LINES == 0:
            self.packed.begin_block()
        self.packed.write(text + b"\n")
        if line.revision and self.lines == 0:
            self.index = _Packed()
        if self.index is not None:
            self.index.write(_split(text)[0] + b"\n")
        self.lines += 1
        self._bytes += len(text) + 1


def _fill(lines: Iterator[Line]) -> Iterator[_OpenFile]:
    """Put lines into files, each until it is full."""
    for first in lines:
        file = _OpenFile()
        file.append(first)
        while not file.full and (line := next(lines, None)):
            file.append(line)
        yield file


def read_lines(bucket: Bucket, file: File) -> Iterator[Line]:
    """Read a stored file's lines.

    The data are the provider's, and may be JSON that the decoder refuses (a lone surrogate).
    """
    return map(_to_line, read_texts(bucket, file))


def _to_line(text: bytes) -> Line:
    head, data = _split(text)
    line = msgspec.json.decode(head, type=Line)
    return replace(line, data=msgspec.Raw(data)) if data else line


def _mark(text: bytes) -> Mark:
    """The digests of a line's record and of its value: white space and the keys' order are none."""
    head, data = _split(text)
    line = msgspec.json.decode(head, type=Line)
    identity = _digest(f"{line.part}\0{line.id}".encode())
    if line.deleted:
        return identity, _UNCERTAIN if line.uncertain else ABSENT
    with suppress(msgspec.DecodeError, RecursionError):
        data = _SORT.encode(_PARSE.decode(data))
    return identity, _digest(f"{line.revision}\0".encode() + data)


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST_BYTES).digest()


def _split(text: bytes) -> tuple[bytes, bytes]:
    """A line without its data, and the data."""
    head, has_data, data = text.partition(_DATA)
    return (head + b"}", data.rstrip()[:-1]) if has_data else (head, b"")


def read_texts(
    bucket: Bucket, file: File, *, start: int = 0, count: int | None = None
) -> Iterator[bytes]:
    """Read ``count`` of a stored file's lines from ``start`` on, as bytes with their line ends.

    Only the gzip members with these lines are read.

    Raises:
        Gone: the file has been deleted.
    """
    if count == 0:
        return
    last = len(file.blocks)
    begin = min(start // BLOCK_LINES, last)
    end = last if count is None else min((start + count - 1) // BLOCK_LINES, last)
    bounds = (0, *file.blocks, file.bytes)
    span = f"bytes={bounds[begin]}-{bounds[end + 1] - 1}"
    body = bucket.read(file.key, file.version_id, span=span)
    unpacked = IGzipFile(fileobj=body, mode="rb")  # type: ignore[no-untyped-call]
    skipped = start - begin * BLOCK_LINES
    with BufferedReader(unpacked, _CHUNK) as lines:
        yield from islice(lines, skipped, None if count is None else skipped + count)


def _last(files: Sequence[File], *, lines: int) -> Sequence[File]:
    """The last files, with so many lines together."""
    for place in range(len(files) - 1, -1, -1):
        lines -= files[place].lines
        if lines <= 0:
            return files[place:]
    return files


def _lines(page: Page) -> Iterator[tuple[Line, IO[bytes] | None]]:
    """A page's lines, each with its blob."""
    for record in page.records:
        line = Line(id=record.id, part=page.part, revision=record.revision, data=record.data)
        yield line, record.blob
    for id_ in page.deletions:
        yield Line(id=id_, part=page.part, deleted=True), None
