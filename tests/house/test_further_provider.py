"""A further provider is cheap: one that only the tests know is known to its own folder alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.providers.registry import CASES

ROOT = Path(__file__).parents[2]
CASES_FOLDER = ROOT / "tests" / "contract" / "provider_cases"
FOLDERS = ("functions", "infra", "tests", "benchmarks", "requirements")
TEXTS = {".py", ".toml", ".json", ".in", ".txt", ".md", ".sh", ".yaml", ".yml", ""}


OWN = [name for name, case in CASES.items() if case.entry.module.startswith("tests.")]
PLACES = {"connector.py": "functions/connectors", "simulator.py": "infra/local/simulators"}
"""Where what is copied of such a provider belongs; it must be good enough for there."""


def texts() -> list[Path]:
    """Every file that people write, but for the docs, which tell of the provider."""
    below = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    there = [*below, *(path for path in sorted(ROOT.iterdir()) if path.name != "README.md")]
    return [path for path in there if path.is_file() and path.suffix in TEXTS]


def test_nothing_outside_its_folder_names_a_provider_of_the_tests() -> None:
    assert OWN

    for name in OWN:
        folder = CASES_FOLDER / name
        outside = [path for path in texts() if not path.is_relative_to(folder)]
        naming = [path for path in outside if name in path.read_text(errors="ignore").lower()]
        assert (folder / "connector.py").is_file()
        assert naming == []


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("file", PLACES)
def test_a_copy_of_the_example_is_checked_where_it_belongs_and_is_good(
    file: str, name: str
) -> None:
    source = (CASES_FOLDER / name / file).read_text()
    place = f"{PLACES[file]}/{name}.py"
    for check in (["check", "--quiet"], ["format", "--check", "--quiet"]):
        command = [f"{sys.prefix}/bin/ruff", *check, "--stdin-filename", place, "-"]
        checked = subprocess.run(
            command, input=source, cwd=ROOT, text=True, capture_output=True, check=False
        )
        assert (checked.returncode, checked.stdout) == (0, "")
    assert "tests" not in source
