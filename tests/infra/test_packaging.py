"""Which interpreter the asset's byte-code is made with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Annotations, Match

from infra import packaging
from infra.config import Runtime
from tests.infra.conftest import WITHOUT_ASSET

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "9.9"


@pytest.fixture(autouse=True)
def nothing_else_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a PATH of one folder, in which pyenv's shim leads nowhere."""
    _program(tmp_path / "shims" / f"python{VERSION}", "echo not found >&2; exit 127")
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))


def _program(path: Path, does: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return str(path)


def _found() -> str | None:
    return packaging.interpreter(VERSION)


def test_a_shim_that_leads_nowhere_is_no_interpreter() -> None:
    assert _found() is None


def test_a_later_one_on_the_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = _program(tmp_path / "bin" / f"python{VERSION}", f"echo {VERSION}")
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:{tmp_path / 'bin'}")

    assert _found() == python


def test_pyenv_s_is_found_though_no_shim_leads_to_it(tmp_path: Path) -> None:
    _program(tmp_path / "pyenv/versions/9.8.1/bin/python", "echo 9.8")
    python = _program(tmp_path / "pyenv/versions/9.9.2/bin/python", f"echo {VERSION}")

    assert _found() == python


def test_uv_s_own_is_asked_for_and_never_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    python = _program(tmp_path / "uv-s" / "python", f"echo {VERSION}")
    uv = f'case "$*" in *find*) echo "$@" >{asked}; echo {python};; *) echo 3.0;; esac'
    monkeypatch.setattr(sys, "executable", _program(tmp_path / "bin" / "python", uv))

    assert _found() == python
    told = asked.read_text().split()
    assert told == [
        *("-m", "uv", "python", "find", "--managed-python", "--no-python-downloads", VERSION)
    ]


def test_synthesis_says_so_where_there_is_none_and_what_to_do() -> None:
    stack = cdk.Stack(cdk.App(context=WITHOUT_ASSET), "Stack")
    packaging.code(stack, Runtime(python=VERSION, architecture="arm64"))

    says = f"no Python {VERSION} here.*three times the CPU.*uv python install {VERSION}"
    Annotations.from_stack(stack).has_warning("*", Match.string_like_regexp(says))
