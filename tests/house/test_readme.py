"""What the README says is so."""

from __future__ import annotations

import re
from pathlib import Path

from functions.connectors.registry import REGISTRY
from functions.core.error_names import BY_NAME
from functions.core.errors import Acts, MethodNotAllowed, Signal
from functions.rest.openapi import PREFIX, document
from functions.rest.problems import CONTENT_TYPE, TYPE, problem
from functions.rest.routes import ROUTES
from tests.contract.faults import FAULTS, outcome
from tests.contract.providers import STANDS

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


def test_the_table_of_faults_is_what_the_contract_suite_tries() -> None:
    by_entry = {stand.entry: stand for stand in STANDS.values()}
    stands = [by_entry[entry] for entry in REGISTRY.values()]
    header = ["the provider's fault", *(stand.title for stand in stands)]
    rows = ([name, *(outcome(stand, name) for stand in stands)] for name in FAULTS)
    tried = [f"| {' | '.join(row)} |" for row in (header, *rows)]
    told = README.split("### When the provider is at fault")[1].split("\n\n")

    assert [line for line in told[2].splitlines() if not line.startswith("|---")] == tried
