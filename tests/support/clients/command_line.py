"""The program ``freshet`` as a person uses it: a process in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
CLIENT = str(ROOT / "client" / "src")
PROGRAM = (str(Path(sys.executable).with_name("freshet")),)


@dataclass(frozen=True)
class Terminal:
    """A folder with a profile, in which a person types commands."""

    folder: Path
    token: str

    @property
    def environment(self) -> dict[str, str]:
        """What the program finds in its environment; no token is in it."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": CLIENT,
            "FRESHET_CONFIG": str(self.folder / "config.toml"),
            "HOME": str(self.folder),
            "NO_PROXY": "*",
        }

    def run(self, *arguments: str, status: int = 0, given: str = "") -> str:
        """Run a command that must end with this status; what it has printed."""
        done = subprocess.run(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == status, (arguments, done.stdout, done.stderr)
        assert self.token not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def ask(self, *arguments: str, status: int = 0) -> Any:
        """Run a command with --json; what it has answered."""
        return json.loads(self.run(*arguments, "--json", "--quiet", status=status))

    def lines(self, *arguments: str) -> list[Any]:
        """Run a command that prints JSON Lines."""
        return [json.loads(line) for line in self.run(*arguments).splitlines()]

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs during the block; it is interrupted at the end, if it has not ended."""
        # What a shell starts in the background ignores Ctrl-C, and so would all that it starts.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        program = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        signal.signal(signal.SIGINT, before)
        with program:
            try:
                yield program
            finally:
                program.send_signal(signal.SIGINT)
                try:
                    program.communicate(timeout=60)
                finally:
                    program.kill()


def read_until(stream: IO[str] | None, word: str) -> str:
    """The next line of a running program that has this word."""
    assert stream is not None
    return next(line for line in stream if word in line)
