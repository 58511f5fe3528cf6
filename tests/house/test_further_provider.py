"""A further provider is cheap: the example is copied to where one belongs, counted and tried."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.providers.registry import CASES

ROOT = Path(__file__).parents[2]
CASES_FOLDER = ROOT / "tests" / "contract" / "provider_cases"
FOLDERS = ("functions", "infra", "tests", "benchmarks", "requirements")
TEXTS = {".py", ".toml", ".json", ".in", ".txt", ".md", ".sh", ".yaml", ".yml", ""}
BLOCK = re.compile(r"```(?:python|json)\n(.*?)```", re.DOTALL)

NAME, *_ = [name for name, case in CASES.items() if case.entry.module.startswith("tests.")]

COPIED = {
    "connector.py": f"functions/connectors/{NAME}.py",
    "simulator.py": f"infra/local/simulators/{NAME}.py",
    "__init__.py": f"tests/contract/provider_cases/{NAME}.py",
}
REGISTRY, EXAMPLES = "functions/connectors/registry.py", "functions/rest/openapi/examples.json"
INSERTED = (
    (REGISTRY, "\n\n\nclass Entry"),
    (REGISTRY, "\n}\n\nDATASETS"),
    (EXAMPLES, '\n      "digime": {\n        "provider"'),
)
"""Where the guide's blocks belong: in which file, and before what."""

MOST_FILES, MOST_LINES = 5, 350


def texts() -> list[Path]:
    """Every file that people write, but for the docs, which tell of the provider."""
    below = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    there = [*below, *(path for path in sorted(ROOT.iterdir()) if path.name != "README.md")]
    return [path for path in there if path.is_file() and path.suffix in TEXTS]


def blocks() -> list[str]:
    """What the guide has one write beside the files that are copied."""
    guide = (ROOT / "docs" / "connectors.md").read_text()
    return [block.rstrip("\n") for block in BLOCK.findall(guide)]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the example as a provider among others, as the guide says."""
    copy = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__", NAME)
    for folder in ("functions", "infra", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    for file, place in COPIED.items():
        text = (CASES_FOLDER / NAME / file).read_text()
        text = text.replace(
            f"tests.contract.provider_cases.{NAME}.simulator", f"infra.local.simulators.{NAME}"
        )
        text = re.sub(r"entry=Entry\(.*\)", f"entry=REGISTRY[Provider.{NAME.upper()}]", text)
        text = text.replace("import Entry\n", "import REGISTRY, Provider\n")
        (copy / place).write_text(text)
    for (place, before), block in zip(INSERTED, blocks(), strict=True):
        head, tail, rest = (copy / place).read_text().partition(before)
        (copy / place).write_text(f"{head}\n{block}{tail}{rest}")
    return copy


def run(copy: Path, *command: str) -> str:
    """What a check of the copy has to say; empty where it is good."""
    done = subprocess.run(
        [f"{sys.prefix}/bin/{command[0]}", *command[1:]],
        cwd=copy,
        text=True,
        capture_output=True,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode else ""


def test_nothing_outside_its_folder_names_the_example() -> None:
    outside = [path for path in texts() if not path.is_relative_to(CASES_FOLDER / NAME)]
    assert [path for path in outside if NAME in path.read_text(errors="ignore").lower()] == []


def test_the_example_is_as_small_as_the_guide_says(copy: Path) -> None:
    written = [(copy / place).read_text() for place in COPIED.values()] + blocks()
    assert len({*COPIED.values(), REGISTRY, EXAMPLES}) <= MOST_FILES
    assert sum(len(text.strip("\n").splitlines()) for text in written) <= MOST_LINES


def test_a_copy_of_the_example_is_good_where_it_belongs(copy: Path) -> None:
    files = [*COPIED.values(), REGISTRY]
    assert run(copy, "ruff", "check", "--quiet", *files) == ""
    assert run(copy, "ruff", "format", "--check", "--quiet", *files) == ""
    suite = [
        "tests/contract/connectors/test_connector_contract.py",
        "tests/unit/rest/test_openapi.py",
    ]
    assert run(copy, "pytest", "-q", *suite, "-k", f"{NAME} or every_provider") == ""
    for place in COPIED.values():
        assert place.startswith("tests") or "tests" not in (copy / place).read_text()
