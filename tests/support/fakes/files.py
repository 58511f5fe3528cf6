"""In-memory stand-ins for the bucket and what is kept in it."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import IO, TYPE_CHECKING, NamedTuple

import msgspec

from functions.core.errors import Gone
from functions.core.model import Blob, Change, Dataset, File, Manifest
from functions.core.refresh.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from functions.core.model import SnapshotPointer
    from functions.core.ports import Page, RecordKey
    from functions.core.refresh.progress import Staged


class Kept(NamedTuple):
    """One line of a staged file."""

    id: str
    part: str
    deleted: bool = False
    revision: str = ""
    data: bytes = b""
    uncertain: bool = False

    @property
    def mark(self) -> tuple[object, ...]:
        """The key of a line; a line that comes twice has the same."""
        return (self.part, self.id, self.deleted, self.revision)


class Objects:
    """A versioned bucket."""

    def __init__(self) -> None:
        self._versions: dict[str, list[bytes]] = {}

    def put(self, key: str, body: bytes) -> str:
        versions = self._versions.setdefault(key, [])
        versions.append(body)
        return str(len(versions) - 1)

    def get(self, key: str, version_id: str = "-1") -> bytes:
        return self._versions[key][int(version_id)]

    def forget(self, key: str) -> None:
        del self._versions[key]

    def below(self, prefix: str) -> list[bytes]:
        """The contents of all keys below a prefix, in the keys' order."""
        return [self.get(key) for key in sorted(self._versions) if key.startswith(prefix)]

    def lines(self, dataset: Dataset) -> list[Kept]:
        """The lines of the dataset, in order."""
        return [line for file in dataset.files for line in self.file(file)]

    def file(self, file: File) -> list[Kept]:
        return msgspec.json.decode(self.get(file.key, file.version_id), type=list[Kept])


class Staging:
    """Fake of ``functions.aws.objects.staging.Staging``; a dataset's file ends when it is put aside."""

    def __init__(self, objects: Objects, *, connection_id: str, refresh_id: str) -> None:
        self._objects = objects
        self._folder = f"snapshots/{connection_id}/{refresh_id}/"
        self._aside = f"staging/{connection_id}/{refresh_id}.json"
        self._apart = f"quarantine/{connection_id}/{refresh_id}/"
        self._open: dict[str, list[Kept]] = {}
        self.progress = Progress()

    def resume(self) -> None:
        self.progress = msgspec.json.decode(self._objects.get(self._aside), type=Progress)

    def put_aside(self) -> None:
        self._finish_files()
        self._objects.put(self._aside, msgspec.json.encode(self.progress))

    def write(self, page: Page) -> None:
        staged = self.progress.datasets.get(page.dataset)
        if staged is not None:
            self._append(page, staged)
        for found in page.quarantined:
            key = f"{self._apart}{len(self.progress.quarantined):05}"
            self._objects.put(key, found.content)
            self.progress.quarantined.append(found.name)
        self.progress.set_read_modes(page.read_modes)
        self.progress.tell(page.parts)
        self.progress.set_labels(page.labels)
        self.progress.cursor = page.cursor
        self.progress.faults = 0

    def keep(self, name: str, dataset: Dataset, *, parts: Container[str]) -> None:
        self._finish_files()
        staged = self.progress.datasets[name]
        kept = [line for line in self._objects.lines(dataset) if (line.part or line.id) in parts]
        if kept:
            body = msgspec.json.encode(kept)
            file = self._file(f"{name}/{len(staged.files):05}", body, lines=len(kept))
            staged.files = [file, *staged.files]
            staged.deletions += sum(line.deleted for line in kept)
            staged.records += sum(not line.deleted for line in kept)
        blobs = (blob for blob in dataset.blobs if (blob.part or blob.id) in parts)
        staged.blobs = [*blobs, *staged.blobs]

    def datasets(self, *, refresh_id: str, as_of: float) -> dict[str, Dataset]:
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
        require_time()
        try:
            old = {
                (line.part, line.id): line for file in before for line in self._objects.file(file)
            }
        except KeyError:
            raise Gone from None
        new = {(line.part, line.id): line for line in self._objects.lines(dataset)}
        there = {key: line for key, line in new.items() if not line.deleted}
        lines = [line for key, line in there.items() if _value(line) != _value(old.get(key))]
        for key, was in old.items():
            doubt = name in unsure or (was.part or was.id) in unsure
            known = was.deleted and (not was.uncertain or doubt)
            if key not in there and not known:
                lines.append(Kept(was.id, was.part, deleted=True, uncertain=doubt))
        if len(lines) > most:
            raise Gone
        self._folder, whole = self._folder[:-1] + ".changes/", self._folder
        body = msgspec.json.encode(lines)
        files = (self._file(f"{name}/00000", body, lines=len(lines)),) if lines else ()
        self._folder = whole
        uncertain = any(line.uncertain for line in lines)
        return Change(refresh_id=dataset.refresh_id, files=files, uncertain=uncertain)

    def seal(self, manifest: Manifest) -> tuple[str, str]:
        key = self._folder + "manifest.json"
        return key, self._objects.put(key, msgspec.json.encode(manifest))

    def _append(self, page: Page, staged: Staged) -> None:
        lines = self._open.setdefault(page.dataset, [])
        before = [line for file in staged.files for line in self._objects.file(file)]
        had = {line.mark for line in before + lines}
        for line, blob in _lines(page):
            if line.mark not in had:
                had.add(line.mark)
                lines.append(line)
                staged.records += not line.deleted
                staged.deletions += line.deleted
                if blob is not None:
                    self._add_blob(page.dataset, line, content=blob.read())
            if blob is not None:
                blob.close()

    def _add_blob(self, dataset: str, line: Kept, *, content: bytes) -> None:
        blobs = self.progress.datasets[dataset].blobs
        file = self._file(f"{dataset}/blobs/{len(blobs):05}", content, lines=0)
        blobs.append(Blob(id=line.id, part=line.part, file=file))

    def _finish_files(self) -> None:
        for dataset, lines in self._open.items():
            if not lines:
                continue
            files, body = self.progress.datasets[dataset].files, msgspec.json.encode(lines)
            files.append(self._file(f"{dataset}/{len(files):05}", body, lines=len(lines)))
        self._open = {}

    def _file(self, name: str, body: bytes, *, lines: int) -> File:
        key, digest = self._folder + name, sha256(body).hexdigest()
        version = self._objects.put(key, body)
        return File(key=key, version_id=version, sha256=digest, bytes=len(body), lines=lines)


def _value(line: Kept | None) -> object:
    """What two reads of a record are compared by; None where it is not there."""
    if line is None or line.deleted:
        return None
    return line.revision, json.loads(line.data, parse_float=lambda text: ("number", text))


def _lines(page: Page) -> Iterator[tuple[Kept, IO[bytes] | None]]:
    for each in page.records:
        line = Kept(each.id, page.part, revision=each.revision, data=bytes(each.data))
        yield line, each.blob
    for id_ in page.deletions:
        yield Kept(id_, page.part, deleted=True), None


class Snapshots:
    """Fake of ``functions.aws.objects.snapshots.Snapshots``, as far as a fetch needs it."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def manifest(self, pointer: SnapshotPointer) -> Manifest:
        try:
            body = self._objects.get(pointer.key, pointer.version_id)
        except KeyError:
            raise Gone from None
        return msgspec.json.decode(body, type=Manifest)

    def marks(self, files: Iterable[File]) -> dict[RecordKey, str | None]:
        lines = (line for file in files for line in self._objects.file(file))
        return {(line.part, line.id): None if line.deleted else line.revision for line in lines}
