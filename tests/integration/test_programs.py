"""Programs of the local system start clean, are waited for, and are never left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from infra.local.aws import ROOT, emulator
from infra.local.emulator import patching
from infra.local.programs import PortInUseError, ProgramError, answers, free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE_SECONDS = 8.0

OWNER = """
import sys, time
from functools import partial
from pathlib import Path
from infra.local.programs import answers, running

command, port, log = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
with running(["sh", "-c", command], log=log, ready=partial(answers, port)):
    print("ready", flush=True)
    time.sleep(60)
"""


def server(port: int) -> str:
    """A shell command that leaves the serving to a child of its own."""
    return f"{sys.executable} -m http.server --bind 127.0.0.1 {port} & wait"


def soon(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def test_a_program_ends_with_the_block_and_so_do_its_children(tmp_path: Path) -> None:
    port = free_port()
    command = ["sh", "-c", server(port)]
    with running(command, log=tmp_path / "log", ready=partial(answers, port)):
        assert answers(port)
    assert not answers(port)


def test_a_program_ends_when_its_owner_is_killed_and_so_do_its_children(tmp_path: Path) -> None:
    port = free_port()
    arguments = [sys.executable, "-c", OWNER, server(port), str(port), str(tmp_path / "log")]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        owner.send_signal(signal.SIGKILL)
    assert soon(lambda: not answers(port))


def test_a_program_gets_no_variables_but_those_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    log = tmp_path / "log"
    with running(
        ["sh", "-c", "env; sleep 9"],
        log=log,
        ready=lambda: "GIVEN" in log.read_text(),
        settings={"GIVEN": "1"},
    ):
        names = {line.partition("=")[0] for line in log.read_text().splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD", "LC_CTYPE"} == {"PATH", "GIVEN"}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("echo no such thing; exit 7", "(?s)ended with status 7.*no such thing"),
        ("sleep 9", "not ready after"),
    ],
)
def test_a_program_that_does_not_start_is_an_error_with_its_log(
    tmp_path: Path, command: str, message: str
) -> None:
    log = tmp_path / "log"
    with (
        pytest.raises(ProgramError, match=message),
        running(["sh", "-c", command], log=log, ready=lambda: False, deadline_seconds=0.5),
    ):
        pytest.fail("it never was ready")


def test_a_port_in_use_is_an_error_that_names_it(tmp_path: Path) -> None:
    port = free_port()
    command = ["sh", "-c", server(port)]
    with (
        running(command, log=tmp_path / "log", ready=partial(answers, port)),
        pytest.raises(PortInUseError, match=f"port {port} of 127.0.0.1"),
        emulator(port, tmp_path),
    ):
        pytest.fail("it had no port")


def sample() -> str:
    return "old"


def wrapper(original: Callable[[], str]) -> str:
    return original()


def test_a_patch_refuses_code_that_it_was_not_written_for() -> None:
    place = globals()
    with pytest.raises(patching.PatchOutdatedError, match=r"patch 'wrapper'.*another sample"):
        patching.wrap(place, "sample", wrapper, digest="0" * 12)
    with pytest.raises(patching.PatchOutdatedError, match=r"patch 'newer'.*another sample"):
        patching.rewrite(place["sample"], patch="newer", old='return "older"', new="")
    assert sample() == "old"
