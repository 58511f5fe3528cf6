"""The examples of the README and docs/, pasted one after the other beside a running system."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra.local.caller import Caller
from infra.local.providers import DEMOS
from infra.local.shell_variables import variables
from infra.local.system import TENANT
from tests.support.clients.command_line import CLIENT, PROGRAM
from tests.support.system.tenant_resources import BEGUN
from tests.tables import pages

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl

CURLRC = "fail-with-body\nshow-error\nnoproxy = *\n"
"""A curl that ends with an error where the API does. It is all that differs from a reader's."""


def examples() -> list[str]:
    """Those of the README and Getting started first: they set what the others use."""
    texts = [page.read_text() for page in pages()]
    blocks = re.findall(r"^```sh\n(.*?)^```", "".join(texts), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "curl " in block or "freshet " in block]


def pasted(block: str) -> str:
    """The block's commands, of which none may fail, and a line between them and the next."""
    return f"set -e\n{block}\necho\n"


@pytest.fixture
def given(running: System, banno: SimulatorControl, endgrate: SimulatorControl) -> dict[str, str]:
    """The variables that `make run` prints."""
    banno.settings(task_seconds=0.2)
    endgrate.settings(transfer_seconds=0.2)
    token = running.issuer.token(TENANT)
    caller = Caller(running.api, token=token)
    ada = DEMOS["banno"].connection(running.providers["banno"], "ada")
    connections = {"banno/ada": caller.connect(ada), "endgrate/fern": caller.connect(BEGUN)}
    return variables(running, token=token, connections=connections)


def test_every_example_works_as_it_stands(given: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".curlrc").write_text(CURLRC)
    (tmp_path / "python3").symlink_to(sys.executable)
    freshet = tmp_path / "freshet"
    freshet.write_text(f'#!/bin/sh\nPYTHONPATH={CLIENT} exec {shlex.join(PROGRAM)} "$@"\n')
    freshet.chmod(0o700)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh"],
        input="\n".join(pasted(block) for block in examples()),
        cwd=tmp_path,  # where they may store what they get
        env={"PATH": path, "CURL_HOME": str(tmp_path), **given},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    answered = set(re.findall(r"\w+", done.stdout))
    assert {"published", "sign_in_url", "connect_url", "accepted"} <= answered
