"""The README and the pages of docs/ are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import results
from functions.rest.openapi.document import PREFIX, document
from functions.rest.routes import ROUTES
from tests.tables import TABLES, filled, names, pages

ROOT = Path(__file__).parents[2]
PAGES = [
    *pages(),
    *(
        ROOT / name
        for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md")
    ),
]
MOST_LINES = 150

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def test_the_readme_can_be_read_in_one_go() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MOST_LINES


def test_every_call_that_is_served_is_described() -> None:
    served = {
        f"{method} {rule.replace('<', '{').replace('>', '}')}"
        for rule, methods in ROUTES.items()
        for method in methods
    }
    described = {
        f"{method.upper()} {PREFIX}{path}"
        for path, methods in document(ROUTES)["paths"].items()
        for method in methods
    }

    assert served == described


@each_page
def test_every_command_of_make_is_real(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.MULTILINE)) <= targets


@each_page
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`((?:functions|infra|tests|benchmarks)/[\w./]*)`", page.read_text())

    assert [name for name in named if "NAME" not in name and not (ROOT / name).exists()] == []


def test_each_generated_table_stands_once_and_is_what_make_tables_writes() -> None:
    texts = [page.read_text() for page in pages()]

    assert sorted(name for text in texts for name in names(text)) == sorted(TABLES)
    assert [filled(text) for text in texts] == texts


@pytest.mark.parametrize("name", results.PICTURES)
def test_each_picture_shows_the_results_that_are_kept(name: str) -> None:
    assert results.digest(name) in (ROOT / "docs" / "performance" / f"{name}.svg").read_text()


def test_what_stands_around_a_generated_table_is_left_as_it_is() -> None:
    before, after = "before\n<!-- generated: faults -->\n", "<!-- end -->\nafter"

    assert filled(f"{before}old{after}") == f"{before}{TABLES['faults']()}{after}"
