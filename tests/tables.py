"""Writes what follows from the code: ``python -m tests.tables``.

The tables of the docs, and the models of the client.

A table stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``, in the README or in any page
of ``docs/``.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from benchmarks import results
from client.tools.models import write_models
from freshet_client.cli.main import main as program
from freshet_client.cli.statuses import MEANINGS
from functions.connectors.registry import REGISTRY
from functions.core.errors import (
    BY_NAME,
    Action,
    BulkRunning,
    ConnectCodeInvalid,
    ConnectSessionEnded,
    ConnectUserMismatch,
    EndpointRefused,
    Gone,
    KeyReused,
    LoginShared,
    MethodNotAllowed,
    RecordTooLarge,
    SecretRotating,
    Signal,
    Throttled,
    TooLarge,
    TooManyEndpoints,
    Unauthorized,
)
from functions.rest.calls.errors import ADVICE
from functions.rest.openapi.document import document
from functions.rest.openapi.events import ABOUT
from functions.rest.problems import CONTENT_TYPE, TYPE, problem
from functions.rest.routes import ROUTES
from infra.watching.runbook import write_runbook
from tests.support.providers.faults import FAULTS, outcome
from tests.support.providers.registry import CASES

if TYPE_CHECKING:
    from collections.abc import Callable

ONLY_ANSWERS = (
    BulkRunning
    | ConnectCodeInvalid
    | ConnectSessionEnded
    | ConnectUserMismatch
    | EndpointRefused
    | Gone
    | KeyReused
    | LoginShared
    | MethodNotAllowed
    | RecordTooLarge
    | SecretRotating
    | Throttled
    | TooLarge
    | TooManyEndpoints
    | Unauthorized
)
"""Errors of the API's calls, which no refresh or push ends with."""

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "client/src/freshet_client/models"
RUFF = Path(sys.executable).with_name("ruff")
BLOCK = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def faults() -> str:
    """The table of faults that the contract suite tries."""
    by_entry = {case.entry: case for case in CASES.values()}
    cases = [by_entry[entry] for entry in REGISTRY.values()]
    header = ("the provider's fault", *(case.title for case in cases))
    rows = ((name, *(outcome(case, name) for case in cases)) for name in FAULTS)
    return results.write_table(header, rows)


def calls() -> str:
    """The table of the API's calls."""
    rows = (
        (f"`{method} {address}`", f"{route.summary}{'; needs no token' if route.open else ''}")
        for rule, routes in ROUTES.items()
        for address in [rule.replace("<", "{").replace(">", "}")]
        for method, route in routes.items()
    )
    return results.write_table(("call", "does"), rows)


def problems() -> str:
    """The table of the API's problems, by status."""
    responses = document(ROUTES)["components"]["responses"].values()
    content = (each["content"][CONTENT_TYPE]["examples"].values() for each in responses)
    told = [example["value"] for examples in content for example in examples]
    told.append(msgspec.to_builtins(problem(MethodNotAllowed())))
    rows = {
        (
            str(each["status"]),
            f"`{each['type'].removeprefix(TYPE)}`",
            f"`{each['action']}`",
            each["detail"],
        )
        for each in told
    }
    return results.write_table(("status", "name", "action", "says"), sorted(rows))


def actions() -> str:
    """The table of what to do about an error."""
    rows = ((f"`{action}`", advice.to_do) for action, advice in ADVICE.items())
    return results.write_table(("action", "do"), rows)


def errors() -> str:
    """The table of errors of refreshes and pushes, by action."""
    actions = list(Action)
    leaves = sorted(
        (leaf for leaf in BY_NAME.values() if not issubclass(leaf, Signal | ONLY_ANSWERS)),
        key=lambda leaf: (actions.index(leaf.action), leaf.name()),
    )
    rows = ((f"`{leaf.name()}`", f"`{leaf.action}`", leaf.text) for leaf in leaves)
    return results.write_table(("error", "action", "says"), rows)


def events() -> str:
    """The table of the types of events."""
    rows = ((f"`{type_}`", about) for type_, about in ABOUT.items())
    return results.write_table(("type", "tells"), rows)


def commands() -> str:
    """Every command of ``freshet`` with its options, a section each."""
    return "\n".join(_describe(command, [name]) for name, command in program.commands.items())


def _describe(command: click.Command, words: list[str]) -> str:
    if isinstance(command, click.Group):
        below = [_describe(each, [*words, name]) for name, each in command.commands.items()]
        return "\n".join(below)
    context = click.Context(command, info_name=" ".join(["freshet", *words]))
    arguments = " ".join(each.make_metavar(context) for each in _own(command, click.Argument))
    about = inspect.cleandoc(command.help or "")
    lines = [f"## freshet {' '.join(words)}", "", f"`{f'{context.info_name} {arguments}'.strip()}`"]
    lines += ["", " ".join(about.replace("\n\n", "\n").splitlines()), ""]
    records = (each.get_help_record(context) for each in _own(command, click.Option))
    rows = [(f"`{each[0]}`".replace("|", "\\|"), each[1] or "-") for each in records if each]
    return "\n".join(lines) + (f"\n{results.write_table(('option', 'does'), rows)}" if rows else "")


def _own(command: click.Command, kind: type[click.Parameter]) -> list[click.Parameter]:
    """A command's own parameters, without the settings that all share."""
    return [each for each in command.params if isinstance(each, kind) and each.expose_value]


def statuses() -> str:
    """The exit statuses of ``freshet``."""
    rows = ((str(status.value), meaning) for status, meaning in MEANINGS.items())
    return results.write_table(("status", "means"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "faults": faults,
    "calls": calls,
    "actions": actions,
    "problems": problems,
    "errors": errors,
    "events": events,
    "commands": commands,
    "statuses": statuses,
    "runbook": write_runbook,
    **{name: partial(str, table) for name, table in results.tables().items()},
}


def pages() -> list[Path]:
    """The pages in which a table may stand."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def names(text: str) -> list[str]:
    """The tables that a page has."""
    return [block[2] for block in BLOCK.finditer(text)]


def filled(text: str) -> str:
    """A page with its tables as they ought to be."""
    return BLOCK.sub(lambda block: f"{block[1]}{TABLES[block[2]]()}{block[3]}", text)


def models() -> dict[Path, str]:
    """The client's models: what each of their modules should say."""
    written = write_models(json.loads(msgspec.json.encode(document(ROUTES))))
    return {MODELS / f"{name}.py": _format(text, name=name) for name, text in written.items()}


def _format(text: str, *, name: str) -> str:
    for command in (("check", "--fix-only"), ("format",)):
        text = subprocess.run(
            [RUFF, *command, "--quiet", "--stdin-filename", MODELS / f"{name}.py", "-"],
            input=text,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    return text


def main() -> None:
    """Write every page anew that has an outdated table, and the client's models."""
    written = models()
    for path in {*MODELS.glob("*.py"), *written}:
        if path not in written:
            path.unlink()
        elif not path.exists() or path.read_text() != written[path]:
            path.write_text(written[path])
            print(path.relative_to(ROOT))  # noqa: T201 - a command
    for page in pages():
        text = page.read_text()
        if (right := filled(text)) != text:
            page.write_text(right)
            print(f"{page.relative_to(ROOT)}: {', '.join(names(right))}")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
