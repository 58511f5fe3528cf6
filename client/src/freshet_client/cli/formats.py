"""Writes the records of a dataset as JSON Lines, CSV or Parquet, each record once as it is now."""

from __future__ import annotations

import csv
import os
import sys
from contextlib import contextmanager
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO, TYPE_CHECKING, Any, Final

import click
import msgspec
from msgspec.json import decode, encode

from freshet_client.cli.output import clean, clean_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SHOWN_EVERY: Final = 1000
_BY_SUFFIX: Final = {
    "": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}
_OWN: Final = ("freshet_id", "freshet_part", "freshet_revision")
_LARGEST_BYTES: Final = 256 * 1024 * 1024
_COPY: Final = """COPY (
SELECT id, part, revision, data::JSON AS data FROM read_json(?, format = 'newline_delimited',
columns = {id: 'VARCHAR', part: 'VARCHAR', revision: 'VARCHAR', data: 'VARCHAR'},
maximum_object_size = %d))
TO '%s' (FORMAT parquet)"""


class RawPage(msgspec.Struct, frozen=True):
    """A page of records as they were sent, so that numbers stay as the provider gave them."""

    refresh_id: str
    records: list[msgspec.Raw]
    next_cursor: str | None = None


class Record(msgspec.Struct, frozen=True):
    """A record of a page; ``data`` is JSON, empty where it is ``deleted``."""

    id: str
    part: str = ""
    revision: str = ""
    deleted: bool = False
    data: msgspec.Raw = msgspec.Raw(b"")


def choose(wanted: str | None, target: Path | None) -> str:
    """The format that is asked for, or that the file's name tells; else JSON Lines.

    Raises:
        UsageError: it cannot be written, or not there.
    """
    if target and not target.parent.is_dir():
        raise click.UsageError(f"{target.parent} is no folder.")
    told = _BY_SUFFIX.get(target.suffix) if target else "jsonl"
    format_ = wanted or told
    if target and format_ is None:
        raise click.UsageError(f"What is {target} to be? Say --format jsonl, csv or parquet.")
    if format_ == "parquet" and (target is None or _is_device(target)):
        raise click.UsageError("Parquet goes to a file: give one by --output FILE.")
    if format_ == "parquet":
        _duckdb()
    return str(format_)


def write(
    records: Iterable[bytes], format_: str, target: Path | None, *, tell: Callable[[int], None]
) -> int:
    """Write records to a file, or to stdout where there is none; return how many.

    They are kept in a file without a name until the last has come, as a later one may replace an
    earlier one of the same part and id, or delete it. A file appears when it is whole; a device
    or a pipe is written to as it is.
    """
    with TemporaryFile() as kept:
        places = _keep(records, kept, tell=tell)
        lines = _read(kept, set(places.values()))
        if target is None:
            _write_text(lines, format_, sys.stdout, is_terminal=sys.stdout.isatty())
            return len(places)
        with replacing(target) as part:
            if format_ == "parquet":
                _write_parquet(lines, part)
            else:
                with part.open("w", encoding="utf-8", newline="") as file:
                    _write_text(lines, format_, file, is_terminal=False)
    return len(places)


def _keep(
    records: Iterable[bytes], kept: IO[bytes], *, tell: Callable[[int], None]
) -> dict[tuple[str, str], int]:
    """Store each record as a line; where the newest of each that is there stands."""
    places = dict[tuple[str, str], int]()
    for number, line in enumerate(records):
        record = decode(line, type=Record)
        kept.write(line + b"\n")
        places.pop(key := (record.part, record.id), None)
        if not record.deleted:
            places[key] = number
        if number % SHOWN_EVERY == 0:
            tell(number)
    return places


def _read(kept: IO[bytes], numbers: set[int]) -> Iterator[bytes]:
    kept.seek(0)
    return (line for number, line in enumerate(kept) if number in numbers)


def _write_text(lines: Iterable[bytes], format_: str, file: IO[str], *, is_terminal: bool) -> None:
    if format_ == "csv":
        _write_csv(lines, file, show=clean if is_terminal else str)
        return
    for line in lines:
        file.write(clean_json(line.decode()))


def _write_csv(lines: Iterable[bytes], file: IO[str], *, show: Callable[[str], str]) -> None:
    """Write a row for each record; its columns are all that any record has."""
    with TemporaryFile() as again:
        columns = dict.fromkeys(_OWN)
        for line in lines:
            again.write(line)
            columns |= dict.fromkeys(_cells(line))
        again.seek(0)
        rows = csv.DictWriter(file, list(columns), lineterminator="\n")
        rows.writerow({name: show(name) for name in columns})
        for line in again:
            rows.writerow({name: show(cell) for name, cell in _cells(line).items()})


def _cells(line: bytes) -> dict[str, str]:
    """A record's cells by column. Numbers and what is nested stay as they are written in JSON."""
    record = decode(line, type=Record)
    own = dict(zip(_OWN, (record.id, record.part, record.revision), strict=True))
    try:
        values = decode(record.data, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        values = {"data": record.data}
    return own | {name: _cell(bytes(value)) for name, value in values.items()}


def _cell(value: bytes) -> str:
    if value == b"null":
        return ""
    return decode(value, type=str) if value.startswith(b'"') else value.decode()


def _write_parquet(lines: Iterable[bytes], target: Path) -> None:
    with NamedTemporaryFile(suffix=".jsonl") as source:
        for line in lines:
            record = decode(line, type=Record)
            text = bytes(record.data).decode()  # as JSON, DuckDB would write numbers anew
            source.write(encode({**msgspec.structs.asdict(record), "data": text}) + b"\n")
        source.flush()
        duckdb = _duckdb()
        with duckdb.connect() as database:
            database.execute("SET autoinstall_known_extensions = false")
            to = str(target).replace("'", "''")
            try:
                database.execute(_COPY % (_LARGEST_BYTES, to), [source.name])
            except duckdb.IOException:
                raise click.UsageError(
                    "Parquet cannot be written there: is the disk full?"
                ) from None


def _is_device(target: Path) -> bool:
    """Whether something is there that a file must not take the place of."""
    return target.exists() and not target.is_file()


def _duckdb() -> Any:
    """The package that writes Parquet.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise click.UsageError(
            "Parquet needs a package more: pip install 'freshet-client[parquet]'"
        ) from None
    return duckdb


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A file beside the target that becomes it when the block ends, and else is deleted.

    A link stays one: what it names is replaced. A device or a pipe is given itself.
    """
    if _is_device(target):
        yield target
        return
    target = target.resolve()
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
