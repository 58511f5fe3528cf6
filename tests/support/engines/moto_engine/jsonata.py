"""Evaluates JSONata by the language's reference implementation, which is written for Node."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).with_name("jsonata.cjs")


class EvaluationError(Exception):
    """The expression is malformed, or has no value that JSON could hold."""


class Evaluator:
    """A line to the program, for one expression at a time."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program
        self._turn = threading.Lock()

    def evaluate(self, expression: str) -> Any:
        """The expression's value; None also where it has none."""
        with self._turn:
            answer = self._answer(json.dumps(expression))
        if "error" in answer:
            raise EvaluationError(answer["error"])
        return answer.get("value")

    def _answer(self, line: str) -> dict[str, Any]:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(line + "\n")
        self._program.stdin.flush()
        answer: dict[str, Any] = json.loads(self._program.stdout.readline())
        return answer


@contextmanager
def evaluating() -> Iterator[Evaluator]:
    """An evaluator for the time of the block."""
    with subprocess.Popen(
        ["node", PROGRAM],  # noqa: S607 - wherever this machine has it
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        yield Evaluator(program)
