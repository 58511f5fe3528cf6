"""Writes a downloaded file so that there is either the whole of it or nothing."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Self

from freshet_client.errors import FileDamaged

if TYPE_CHECKING:
    from pathlib import Path


class Sink:
    """Takes a file's bytes into ``NAME.part``; the last step gives it its name."""

    def __init__(self, path: Path, *, digest: str) -> None:
        self.path, self._digest = path, digest
        self._part = path.with_name(f"{path.name}.part")

    def is_there(self) -> bool:
        """Whether the file is there already, as it should be."""
        if not self.path.is_file():
            return False
        with self.path.open("rb") as file:
            found = sha256()
            while chunk := file.read(1 << 20):
                found.update(chunk)
        return found.hexdigest() == self._digest

    def __enter__(self) -> Self:
        """Begin the file."""
        self._part.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = self._part.open("wb")
        self._found = sha256()
        return self

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._found.update(chunk)
        self._file.write(chunk)

    def finish(self) -> None:
        """Give the file its name.

        Raises:
            FileDamaged: it is not the file that was listed.
        """
        self._file.close()
        if self._found.hexdigest() != self._digest:
            raise FileDamaged(f"{self.path.name} has another SHA-256 than the list says.")
        self._part.replace(self.path)

    def __exit__(self, *_: object) -> None:
        """Remove what is not whole."""
        self._file.close()
        with suppress(FileNotFoundError):
            self._part.unlink()
