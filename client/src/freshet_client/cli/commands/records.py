"""The commands that read data: a dataset's records or files, and what has changed in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from freshet_client.cli.output import clean_json
from freshet_client.cli.session import Command, Session, pass_session

if TYPE_CHECKING:
    from freshet_client.lists import ChangesState, Pages
    from freshet_client.models import Line, RecordsOut

FORMATS: Final = ("jsonl", "csv", "parquet")
PAGE: Final = 1000


@click.command(cls=Command)
@click.argument("connection_id")
@click.argument("dataset")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="jsonl unless FILE tells.")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write it there, when it is whole.",
)
@click.option(
    "--files",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Download the published files (gzip) with their checksums verified, instead.",
)
@pass_session
def data(
    session: Session,
    /,
    *,
    connection_id: str,
    dataset: str,
    format_: str | None,
    target: Path | None,
    folder: Path | None,
) -> None:
    """Read a dataset, each record once.

    Each is as it is now. As JSON Lines a record is as the API gives it. As CSV each field of its
    data is a column; as Parquet the data are one column of JSON. `connection ID` lists the
    datasets.
    """
    if folder:
        if format_ or target:
            raise click.UsageError("--files takes the files as they are: no --format, no --output.")
        with session.client() as freshet, session.output.progress(f"Downloading {dataset}"):
            paths = freshet.download_files(connection_id, dataset, folder)
        _show_paths(session, [str(path) for path in paths])
        return
    from freshet_client.cli.formats import RawPage, choose, write

    target = None if target == Path("-") else target
    chosen = choose(format_, target)
    shown = session.output.progress(f"Reading {dataset}", prints=target is None)
    with session.client() as freshet, shown as tell:
        pages = freshet.read_records(connection_id, dataset, limit=PAGE).pages(RawPage)
        lines = (bytes(each) for page in pages for each in page.records)
        count = write(lines, chosen, target, tell=lambda so_far: tell(f"{so_far} lines read"))
    session.output.say(f"{count} records" + (f" in {target}" if target else ""))


def _show_paths(session: Session, paths: list[str]) -> None:
    if session.output.as_json:
        session.output.answer(paths)
    else:
        click.echo("".join(f"{path}\n" for path in paths), nl=False)


@click.command(cls=Command)
@click.argument("connection_id")
@click.argument("dataset")
@click.option(
    "--state",
    "path",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where it is kept how far you have read.",
)
@click.option(
    "--restart", is_flag=True, help="Begin anew where the changes are not known any more."
)
@pass_session
def changes(
    session: Session, /, connection_id: str, dataset: str, *, path: Path, restart: bool
) -> None:
    """Read what has changed in a dataset.

    As JSON Lines, since the last time. The first time that is the whole dataset. Apply the lines
    in order: each replaces the record with its part and id, and a `deleted` one removes it. The
    state is stored when lines have left this program; after a fault, the same lines may come
    again. Exit status 7: the changes are not known any more; with --restart the whole dataset
    follows, for an empty copy.
    """
    from freshet_client import errors

    state = _State(path, {"connection_id": connection_id, "dataset": dataset})
    with session.client() as freshet:
        found = freshet.read_changes(connection_id, dataset, state=state.load(), limit=PAGE)
        try:
            count = _pass_on(found, state)
        except (errors.ChangesGone, errors.SnapshotGone):
            if not restart:
                session.output.complain("Begin your copy anew: repeat this with --restart.")
                raise
            session.output.complain("The whole dataset follows: begin with an empty copy.")
            found = freshet.read_changes(connection_id, dataset, limit=PAGE)
            count = _pass_on(found, state)
    session.output.say(f"{count} lines")


def _pass_on(found: Pages[RecordsOut, Line], state: _State) -> int:
    """Print pages; keep how far it is after each. Returns how many lines there were."""
    from freshet_client.cli.formats import RawPage

    count = 0
    for page in found.pages(RawPage):
        for record in page.records:
            sys.stdout.write(clean_json(bytes(record).decode()) + "\n")
        count += len(page.records)
        sys.stdout.flush()
        state.save(found.state)
    return count


class _State:
    """The file that keeps how far a reader of changes is."""

    def __init__(self, path: Path, about: dict[str, str]) -> None:
        self._path, self._about = path, about

    def load(self) -> ChangesState | None:
        """How far the reader is; None at first.

        Raises:
            UsageError: the file cannot be used, or is another dataset's.
        """
        from msgspec import Raw, ValidationError
        from msgspec.json import decode

        from freshet_client.lists import ChangesState

        if not os.access(self._path.parent, os.W_OK):
            raise click.UsageError(f"{self._path.parent} is no folder to write to.")
        if not self._path.exists():
            return None
        if not self._path.is_file():
            raise click.UsageError(f"{self._path} is no file that could keep a state.")
        try:
            told = decode(self._path.read_bytes(), type=dict[str, Raw])
            about = {name: decode(told[name], type=str) for name in self._about}
            state = ChangesState.from_json(bytes(told["state"]).decode())
        except (KeyError, ValueError, ValidationError):
            raise click.UsageError(
                f"{self._path} is no state of this command. Name another file to begin anew."
            ) from None
        if about != self._about:
            raise click.UsageError(
                f"{self._path} is of {about['dataset']} of {about['connection_id']}:"
                " each dataset of a connection needs a file of its own."
            )
        return state

    def save(self, state: ChangesState) -> None:
        """Replace the file at once, so that it is never half written."""
        from msgspec import Raw
        from msgspec.json import encode

        from freshet_client.cli.formats import replacing

        with replacing(self._path) as part, part.open("wb") as file:
            file.write(encode({**self._about, "state": Raw(state.to_json().encode())}) + b"\n")
            file.flush()
            os.fsync(file.fileno())


COMMANDS: Final = (data, changes)
