"""What the README says is so."""

from __future__ import annotations

import re
from pathlib import Path

from functions.core.error_names import BY_NAME
from functions.core.errors import Acts, MethodNotAllowed, Signal
from functions.rest.openapi import PREFIX, document
from functions.rest.problems import CONTENT_TYPE, TYPE, problem
from functions.rest.routes import ROUTES
from tests.tables import TABLES, filled, names, pages

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def rows(header: str) -> dict[str, list[str]]:
    """A table's rows by their first cell."""
    table = README.split(header)[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {row[0].strip("`"): row[1:] for row in cells if len(row) > 1 and row[0].startswith("`")}


def test_every_call_is_in_the_table_of_calls_and_described_and_no_other() -> None:
    told = set(rows("| call | does |"))
    served = {
        f"{method} {rule.replace('<', '{').replace('>', '}')}"
        for rule, methods in ROUTES.items()
        for method in methods
    }
    described = {
        f"{method.upper()} {PREFIX}{path}"
        for path, methods in document()["paths"].items()
        for method in methods
    }

    assert told == served == described


def test_every_error_of_a_refresh_is_in_its_table_with_who_acts() -> None:
    told = {name: cells[0] for name, cells in rows("| error | acts | means |").items()}
    only_answers = {
        "BulkRunning",
        "Gone",
        "KeyReused",
        "MethodNotAllowed",
        "RecordTooLarge",
        "Throttled",
        "TooLarge",
        "Unauthorized",
    }
    leaves = {
        name: str(leaf.acts)
        for name, leaf in BY_NAME.items()
        if not issubclass(leaf, Signal) and name not in only_answers
    }

    assert told == leaves
    assert {str(each) for each in Acts} == set(told.values())


def described() -> dict[str, int]:
    """The kinds of problems in the description that is served, with their statuses."""
    content = (
        each["content"][CONTENT_TYPE] for each in document()["components"]["responses"].values()
    )
    told = [example["value"] for each in content for example in each["examples"].values()]
    return {each["type"].removeprefix(TYPE): each["status"] for each in told}


def test_every_problem_is_in_its_table_with_its_status_and_no_other() -> None:
    table = README.split("| status | `type` after")[1].split("\n\n")[0]
    told = re.findall(r"\| (\d+) \| `([\w-]+)`", table)
    of_no_call = problem(MethodNotAllowed())

    assert sorted((kind, int(status)) for status, kind in told) == sorted(
        {**described(), of_no_call.type.removeprefix(TYPE): of_no_call.status}.items()
    )


def test_every_command_of_make_is_real() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE)) <= targets


def test_every_folder_that_is_named_exists() -> None:
    for folder in rows("| folder | holds |"):
        assert (ROOT / folder).is_dir(), folder


def test_each_generated_table_stands_once_and_is_what_make_tables_writes() -> None:
    texts = [page.read_text() for page in pages()]

    assert sorted(name for text in texts for name in names(text)) == sorted(TABLES)
    assert [filled(text) for text in texts] == texts


def test_what_stands_around_a_generated_table_is_left_as_it_is() -> None:
    before, after = "before\n<!-- generated: faults -->\n", "<!-- end -->\nafter"

    assert filled(f"{before}old{after}") == f"{before}{TABLES['faults']()}{after}"
