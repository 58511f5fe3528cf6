"""What the commands print: data to stdout, words to stderr, nothing that a terminal would obey."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import Console

Cell: TypeAlias = str | int | None
T = TypeVar("T")

# C1, what turns the direction of writing, and what splits a line or cannot be seen.
_UNSEEN: Final = (
    "\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
_OBEYED: Final = re.compile(f"[\x00-\x1f{_UNSEEN}]")
_OBEYED_IN_JSON: Final = re.compile(f"[{_UNSEEN}]")
_STYLES: Final = {
    "published": "green",
    "connected": "green",
    "delivered": "green",
    "done": "green",
    "enabled": "green",
    "fresh": "green",
    "ok": "green",
    "partial": "yellow",
    "partly_fresh": "yellow",
    "incomplete": "yellow",
    "stale": "yellow",
    "failing": "yellow",
    "paused": "yellow",
    "warning": "yellow",
    "failed": "red",
    "disabled": "red",
    "unknown_outcome": "red",
    "running": "cyan",
    "pending": "cyan",
}
_UNITS: Final = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_WIDE: Final = 10_000


def clean(text: str) -> str:
    """Spell out the characters that a terminal would obey, as Python spells them in a string."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def clean_json(text: str) -> str:
    """Spell out the same characters in JSON, which means the same; C0 is spelt out in any JSON."""
    return _OBEYED_IN_JSON.sub(lambda found: json.dumps(found[0])[1:-1], text)


def write_span(seconds: float) -> str:
    """Write a length of time in its largest unit and the next: ``2 h 5 m``."""
    left = max(0, int(seconds))
    for (unit, size), (smaller, part) in pairwise(_UNITS):
        if left >= size:
            rest = left % size // part
            return f"{left // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{left} s"


def write_age(instant: str | None) -> str:
    """Write how long ago an instant of the API was; ``never`` for none."""
    if not instant:
        return "never"
    passed = time.time() - datetime.fromisoformat(instant).timestamp()
    return f"{write_span(passed)} ago" if passed >= 0 else f"in {write_span(-passed)}"


def write_time(instant: str | None) -> str:
    """Write an instant of the API in whole seconds, by UTC; ``-`` for none."""
    if not instant:
        return "-"
    return f"{datetime.fromisoformat(instant).astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def none_like(asked: Mapping[str, object], begin: str) -> str:
    """Say that a list is empty: how to begin one, unless it was asked for only some."""
    filtered = any(value is not None and value is not False for value in asked.values())
    return "None is like that." if filtered else f"There are none. {begin}"


@dataclass(slots=True)
class Output:
    """Where and how the words and the data of a command go.

    ``as_json``: answers are JSON. ``quiet``: no words but errors. ``colour``: on a terminal.
    """

    as_json: bool = False
    quiet: bool = False
    colour: bool = True

    def say(self, text: str) -> None:
        """Print words."""
        if not self.quiet:
            self._print_words(text)

    def complain(self, *texts: str) -> None:
        """Print what went wrong, and what to do about it."""
        for text in filter(None, texts):
            self._print_words(text)

    def answer(self, value: object) -> None:
        """Print one JSON document: a model of the client, or what is built of such."""
        from msgspec.json import encode, format  # noqa: A004 - as msgspec calls it

        sys.stdout.write(clean_json(format(encode(value), indent=2).decode()) + "\n")

    def stream(self, value: object) -> None:
        """Print one line of JSON Lines, at once."""
        from msgspec.json import encode

        sys.stdout.write(clean_json(encode(value).decode()) + "\n")
        sys.stdout.flush()

    def line(self, text: str) -> None:
        """Print a line of the answer."""
        sys.stdout.write(clean(text) + "\n")

    def told(self, value: object, text: str, *, id_: str = "") -> None:
        """Print what was done: in JSON, or in words, and the id of what was begun."""
        if self.as_json:
            self.answer(value)
            return
        self.say(text)
        if id_:
            self.line(id_)

    def listed(
        self,
        found: Sequence[T],
        columns: Sequence[str],
        row: Callable[[T], Sequence[Cell]],
        *,
        empty: str,
    ) -> None:
        """Print a list: in JSON, or as a table with a row of each."""
        if self.as_json:
            self.answer(found)
        else:
            self.table(columns, map(row, found), empty=empty)

    def card(self, value: object, facts: Iterable[tuple[str, Cell]]) -> None:
        """Print one thing: in JSON, or as facts."""
        if self.as_json:
            self.answer(value)
        else:
            self.facts(facts)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, empty: str) -> None:
        """Print rows below their columns, or say that there are none."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column == "ID")
        for row in rows:
            words = ["-" if cell is None or cell == "" else clean(str(cell)) for cell in row]
            table.add_row(*(Text(word, _STYLES.get(word, "")) for word in words))
        if table.row_count:
            self._draw(table, width=_WIDE)  # a terminal breaks the lines, and copies them whole
        else:
            self.say(empty)

    def facts(self, facts: Iterable[tuple[str, Cell]]) -> None:
        """Print what is known of one thing, a line each; what is not known is left out."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in facts:
            if value is not None and value != "":
                word = clean(str(value))
                table.add_row(Text(name), Text(word, _STYLES.get(word, "")))
        self._draw(table)

    @contextmanager
    def progress(self, text: str, *, prints: bool = False) -> Iterator[Callable[[str], None]]:
        """Show on a terminal what is going on; the block says it anew by calling what it gets.

        ``prints``: the block prints data. A terminal that shows these shows nothing beside them.
        """
        if self.quiet or not sys.stderr.isatty() or (prints and sys.stdout.isatty()):
            yield lambda _: None
            return
        from rich.progress import Progress, SpinnerColumn, TextColumn

        words = TextColumn("{task.description}", markup=False)
        console = self._console(sys.stderr)
        with Progress(
            SpinnerColumn(), words, console=console, transient=True, redirect_stdout=False
        ) as shown:
            task = shown.add_task(clean(text), total=None)
            yield lambda changed: shown.update(task, description=clean(changed))

    @contextmanager
    def bar(self, text: str) -> Iterator[Callable[[int, int | None, str], None]]:
        """Show on a terminal how much is done: the block gives done, total and words."""
        if self.quiet or not sys.stderr.isatty():
            yield lambda _done, _total, _words: None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        words = TextColumn("{task.description}", markup=False)
        console, done = self._console(sys.stderr), MofNCompleteColumn()
        with Progress(words, BarColumn(), done, console=console, redirect_stdout=False) as bar:
            task = bar.add_task(clean(text), total=None)
            yield lambda done, total, words: bar.update(
                task, completed=done, total=total, description=clean(f"{text}: {words}")
            )

    def _print_words(self, text: str) -> None:
        from rich.text import Text

        self._console(sys.stderr).print(Text(clean(text)), soft_wrap=True)

    def _draw(self, what: Any, *, width: int | None = None) -> None:
        console = self._console(sys.stdout, width=width)
        with console.capture() as drawn:
            console.print(what)
        lines = drawn.get().rstrip().split("\n")
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))

    def _console(self, file: IO[str], *, width: int | None = None) -> Console:
        from rich.console import Console

        there = file.isatty()
        coloured = there and self.colour and not os.environ.get("NO_COLOR")
        return Console(
            file=file,
            force_terminal=there,
            color_system="auto" if coloured else None,
            width=width if there else _WIDE,
            highlight=False,
            markup=False,
            emoji=False,
        )
