"""The shape of the code: small modules and folders, plain names, one error boundary."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from functools import cache
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("functions", "infra", "client", "tests", "benchmarks", "examples")
LANGUAGES = (".py", ".js")
MOST_LINES = 500
MOST_MODULES = 12
MARKUP = re.compile(
    r"\b(?:inner|outer)HTML\b|\binsertAdjacentHTML\b|\bdocument\.write|\bsrcdoc\b"
    r"|dangerouslySetInnerHTML|\beval\(|\bnew Function\b|\bstyle=[\"'`]"
)
"""What would turn a text into markup, code or style on a page, against its policy."""
REFUSED = {"utils", "helpers", "common", "base", "manager", "data", "info", "process"}


def modules(suffix: str = ".py") -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob(f"*{suffix}"))]
    return [path for path in found if "node_modules" not in path.parts]


@pytest.mark.parametrize("suffix", LANGUAGES)
def test_no_module_is_longer_than_a_reader_can_hold(suffix: str) -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in modules(suffix)
        if (count := len(path.read_text().splitlines())) > MOST_LINES
    }

    assert long == {}


@pytest.mark.parametrize("suffix", LANGUAGES)
def test_no_folder_is_fuller_than_a_reader_can_survey(suffix: str) -> None:
    folders = Counter(
        str(path.parent.relative_to(ROOT))
        for path in modules(suffix)
        if path.name not in {"__init__.py", "conftest.py"}
    )

    assert not [name for name, count in folders.items() if count > MOST_MODULES]


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path for path in modules() if path.stem in REFUSED] == []


def test_there_is_one_place_that_catches_everything() -> None:
    broad = re.compile(r"except (Base)?Exception\b|except:")
    found = [
        str(path.relative_to(ROOT))
        for path in modules()
        if path.parts[len(ROOT.parts)] in {"functions", "infra", "client"}
        and broad.search(path.read_text())
    ]

    assert found == ["functions/aws/boundary.py"]


def test_a_page_turns_no_text_into_markup_code_or_style() -> None:
    page = ROOT / "functions" / "rest" / "page"
    sources = [path for path in page.rglob("*") if path.suffix in {".html", ".js"}]
    found = {
        f"{path.relative_to(ROOT)}: {each.group()}"
        for path in sources
        for each in MARKUP.finditer(path.read_text())
    }

    assert sources
    assert found == set()


def test_a_lock_names_versions_and_hashes_and_no_addresses() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
    for folder in (ROOT, ROOT / "tests" / "browser"):
        lock = json.loads((folder / "package-lock.json").read_text())
        packages = [each for name, each in lock["packages"].items() if name]
        assert all("integrity" in each and "resolved" not in each for each in packages)


def test_every_layer_contract_names_every_module_of_the_stack() -> None:
    told = set(re.findall(r'"infra\.(\w+)"', (ROOT / "pyproject.toml").read_text()))
    there = {path.stem for path in (ROOT / "infra").glob("*.py")} - {"__init__"}

    assert there <= told


REFERENCE = re.compile(r"``([a-z_]\w*(?:\.\w+)+)(?:\(\))?``")
FOREIGN = {"accounts.json", "cdk.out", "emulator.log", "http.client", "package.module.function"}
"""What looks like a reference to our own code and is none."""


@cache
def members(path: Path) -> dict[str, set[str]]:
    """The names that a module defines, each with the names defined in it."""
    found: dict[str, set[str]] = {}
    for node in ast.parse(path.read_text()).body:
        inside = {name for part in getattr(node, "body", ()) for name in bound(part)}
        found |= dict.fromkeys(bound(node), inside)
    return found


def bound(node: ast.AST) -> set[str]:
    """The names to which a statement binds something."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {each.id for each in targets if isinstance(each, ast.Name)}


def is_there(name: str, *, seen_from: Path) -> bool:
    """True if a dotted name leads to a module, a file, or what one of them defines."""
    if name.endswith(".py"):
        return any(path.name == name for path in modules())
    above = takewhile(lambda folder: folder != ROOT.parent, seen_from.parents)
    bases = [*above, *(ROOT / folder for folder in (*FOLDERS, "client/src"))]
    return any(leads(base, name.split(".")) for base in bases)


def leads(folder: Path, parts: list[str]) -> bool:
    """True if the parts of a name lead from a folder to something that is there."""
    if not parts:
        return True
    module, rest = folder / f"{parts[0]}.py", parts[1:]
    if module.is_file():
        known = members(module)
        return not rest or (rest[0] in known and set(rest[1:]) <= known[rest[0]])
    return (folder / parts[0]).is_dir() and leads(folder / parts[0], rest)


def test_what_a_docstring_refers_to_is_there() -> None:
    lost = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules()
        for name in REFERENCE.findall(path.read_text())
        if name not in FOREIGN and not is_there(name, seen_from=path)
    }

    assert lost == set()


def test_a_unit_test_file_is_named_after_what_it_tests() -> None:
    """``test_advance_ends.py`` tests ``advance.py``, as ``test_advance.py`` beside it does."""
    unit, nameless = ROOT / "tests" / "unit", set()
    for path in sorted(unit.rglob("test_*.py")):
        folder = path.parent.relative_to(unit)
        tested = ROOT / "functions" / folder
        if folder.parts[:1] == ("client",):
            tested = ROOT.joinpath("client/src/freshet_client", *folder.parts[1:])
        words = path.stem.split("_")[1:]
        names = {"_".join(words[:count]) for count in range(1, len(words) + 1)}
        there = {each.stem for each in tested.iterdir()}
        if not names & there:
            nameless.add(str(path.relative_to(unit)))

    assert nameless == {"test_room.py"}
