"""How the house is built: small modules, plain names, one error boundary."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("functions", "infra", "tests", "benchmarks")
MOST_LINES = 500
REFUSED = {"utils", "helpers", "common", "base", "manager", "data", "info", "process"}


def modules() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in modules()
        if (count := len(path.read_text().splitlines())) > MOST_LINES
    }

    assert long == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path for path in modules() if path.stem in REFUSED] == []


def test_there_is_one_place_that_catches_everything() -> None:
    broad = re.compile(r"except (Base)?Exception\b|except:")
    found = [
        str(path.relative_to(ROOT))
        for path in modules()
        if path.parts[len(ROOT.parts)] in {"functions", "infra"} and broad.search(path.read_text())
    ]

    assert found == ["functions/aws/boundary.py"]


def test_a_lock_names_versions_and_hashes_and_no_addresses() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


def test_every_layer_contract_names_every_module_of_the_stack() -> None:
    told = set(re.findall(r'"infra\.(\w+)"', (ROOT / "pyproject.toml").read_text()))
    there = {path.stem for path in (ROOT / "infra").glob("*.py")} - {"__init__"}

    assert there <= told
