"""`make setup` makes anew what is outdated, and says what a machine lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Settings = Mapping[str, str]

MAKEFILE = Path(__file__).parents[2] / "Makefile"
TOOLS = ("awk", "cat", "cp", "echo", "grep", "make", "mkdir", "rm", "sh", "touch")

PYTHON = """#!/bin/sh
echo "$UV_SYSTEM_CERTS ${PYTHONDONTWRITEBYTECODE:-writes} $*" >> "$CALLS"
case "$*" in
  "-m venv "*|*"uv venv"*) for folder; do :; done; mkdir -p "$folder/bin"; cp "$0" "$folder/bin/python" ;;
esac
"""
"""An interpreter that installs nothing, and writes down what it was asked."""


class Project:
    """A folder with the Makefile, on a machine of its own."""

    def __init__(self, folder: Path) -> None:
        self.calls, self.path, self.folder = folder / "calls", folder / "bin", folder / "own"
        (self.folder / "requirements").mkdir(parents=True)
        self.path.mkdir()
        shutil.copy(MAKEFILE, self.folder)
        for name in ("uv", "dev", "emulator", "peers"):
            (self.folder / "requirements" / f"{name}.txt").touch()
        for at in (self.folder, self.folder / "tests" / "browser"):
            (at / "node_modules").mkdir(parents=True)
            (at / "package-lock.json").touch()
        (self.folder / "client").mkdir()
        (self.folder / "client/pyproject.toml").touch()
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool) or "/bin/false")
        for name, text in {"python3": PYTHON, "node": "#!/bin/sh", "npm": "#!/bin/sh"}.items():
            (self.path / name).write_text(text)
            (self.path / name).chmod(0o755)

    def make(
        self, target: str = "setup", *, fails: bool = False, own: Settings | None = None
    ) -> str:
        """Set it up, or make something else; what was said."""
        self.calls.write_text("")
        done = subprocess.run(
            [str(self.path / "make"), target],
            cwd=self.folder,
            env={"PATH": str(self.path), "CALLS": str(self.calls), **(own or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert bool(done.returncode) == fails, done.stderr
        return done.stdout

    def made(self) -> list[str]:
        """Which environments are made by setting it up now."""
        said = self.make()
        return [name for name in ("Python tools", "local AWS", "CDK") if f"the {name}" in said]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(tmp_path)
    assert found.made() == ["Python tools", "local AWS", "CDK"]
    assert found.made() == []
    return found


def gone(project: Project) -> None:
    (project.folder / ".venv/bin/python").unlink()


def dangling(project: Project) -> None:
    gone(project)
    (project.folder / ".venv/bin/python").symlink_to("/nowhere/python3")


def broken(project: Project) -> None:
    (project.folder / ".venv/bin/python").write_text("#!/bin/sh\nexit 1")


def dangling_folder(project: Project) -> None:
    shutil.rmtree(project.folder / ".venv")
    (project.folder / ".venv").symlink_to("/nowhere")


def moved(project: Project) -> None:
    project.folder = project.folder.rename(project.folder.with_name("else where"))


def copied(project: Project) -> None:
    whole = project.folder.with_name("copy")
    shutil.copytree(project.folder, whole, copy_function=shutil.copy2)
    project.folder = whole


@pytest.mark.parametrize("stale", [gone, dangling, broken, dangling_folder, moved, copied])
def test_an_environment_that_does_not_work_any_more_is_made_anew(
    project: Project, stale: Callable[[Project], None]
) -> None:
    stale(project)
    assert project.made() == ["Python tools", "local AWS"]
    assert project.made() == []


def test_so_is_the_local_aws_alone(project: Project) -> None:
    shutil.rmtree(project.folder / ".venv-emulator" / "bin")
    assert project.made() == ["local AWS"]
    assert project.made() == []


def test_what_the_benchmarks_compare_with_is_installed_for_them_alone(project: Project) -> None:
    assert not (project.folder / ".venv-peers").exists()
    assert ["compare with" in project.make("plots") for _ in range(2)] == [True, False]


def test_a_browser_is_installed_for_the_tests_alone(project: Project) -> None:
    assert "a browser" not in project.make("run")
    assert "a browser" in project.make("test", fails=True)
    assert "a browser" not in project.make("test", fails=True)


def test_one_that_is_shared_by_a_link_works(project: Project) -> None:
    for name in (".venv", ".venv-emulator"):
        there = project.folder.parent / name
        (project.folder / name).rename(there)
        (there / ".ready").write_text(f"{there}\n")
        (project.folder / name).symlink_to(there)
    assert project.made() == []


def test_new_requirements_are_installed_into_the_environment_that_there_is(
    project: Project,
) -> None:
    (project.folder / ".venv/kept").touch()
    (project.folder / "requirements/dev.txt").touch()
    later = (project.folder / ".venv/.ready").stat().st_mtime + 10
    os.utime(project.folder / "requirements/dev.txt", (later, later))
    assert "Python tools" in project.made()
    assert (project.folder / ".venv/kept").exists()


@pytest.mark.parametrize("version", ["none", "18"])
def test_without_node_it_says_what_is_needed_even_after_it_was_set_up(
    project: Project, version: str
) -> None:
    if version == "none":
        (project.path / "node").unlink()
    else:
        (project.path / "node").write_text("#!/bin/sh\nexit 1")
    assert "Node.js 20 or newer on the PATH" in project.make(fails=True)


@pytest.mark.parametrize(
    ("own", "told"),
    [
        pytest.param({}, "1 writes", id="nothing-set"),
        pytest.param({"UV_SYSTEM_CERTS": "0"}, "0 writes", id="other-certificates"),
        pytest.param({"PYTHONDONTWRITEBYTECODE": "1"}, "1 writes", id="no-byte-code"),
    ],
)
def test_uv_trusts_the_system_unless_told_otherwise_and_byte_code_is_kept_always(
    tmp_path: Path, own: Settings, told: str
) -> None:
    project = Project(tmp_path)
    project.make(own=own)
    installs = [line for line in project.calls.read_text().splitlines() if " -m uv " in line]
    assert installs
    assert {line.partition(" -m ")[0] for line in installs} == {told}
