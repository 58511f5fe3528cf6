"""A further provider is cheap: one that only the tests know is known to its own folder alone."""

from __future__ import annotations

from pathlib import Path

from tests.contract.providers import STANDS

ROOT = Path(__file__).parents[2]
STANDS_FOLDER = ROOT / "tests" / "contract" / "stands"
FOLDERS = ("functions", "infra", "tests", "benchmarks", "requirements")
TEXTS = {".py", ".toml", ".json", ".in", ".txt", ".md", ".sh", ".yaml", ".yml", ""}


def texts() -> list[Path]:
    """Every file that people write, but for the README, which tells of the provider."""
    below = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    there = [*below, *(path for path in sorted(ROOT.iterdir()) if path.name != "README.md")]
    return [path for path in there if path.is_file() and path.suffix in TEXTS]


def test_nothing_outside_its_folder_names_a_provider_of_the_tests() -> None:
    own = [name for name, stand in STANDS.items() if stand.entry.module.startswith("tests.")]
    assert own

    for name in own:
        folder = STANDS_FOLDER / name
        outside = [path for path in texts() if not path.is_relative_to(folder)]
        naming = [path for path in outside if name in path.read_text(errors="ignore").lower()]
        assert (folder / "connector.py").is_file()
        assert naming == []
