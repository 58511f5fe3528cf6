"""Programs of the local system start clean, are waited for, and are never left behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from infra.local.aws import ROOT, emulator
from infra.local.emulator import patching
from infra.local.programs import PortInUseError, ProgramError, answers, free_port, running
from infra.local.system import simulator

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
        ("echo no such thing; exit 7", "(?s)^own ended with status 7;.*no such thing"),
        ("sleep 9", "^own is not ready after"),
    ],
)
def test_a_program_that_does_not_start_is_an_error_with_its_log(
    tmp_path: Path, command: str, message: str
) -> None:
    log = tmp_path / "own.log"
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


def test_a_port_that_is_bound_and_does_not_answer_is_not_free() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        assert not answers(port)
        assert free_port(port) != port
    assert free_port(port) == port


def test_a_simulator_without_its_port_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ProgramError) as caught,
        simulator("banno", log=tmp_path / "banno.log", port=taken.getsockname()[1]),
    ):
        pytest.fail("it had no port")
    assert str(caught.value).startswith("banno ended with status 2; ")
    assert "can't listen on port" in str(caught.value)


@pytest.mark.parametrize("said", ["Warning: old", "Traceback:\n  {1}"])
def test_what_a_simulator_says_besides_is_not_taken_for_its_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    program = tmp_path / "infra" / "local" / "simulators" / "__main__.py"
    program.parent.mkdir(parents=True)
    lines = [
        f"print({said!r}, flush=True)",
        "time.sleep(0.3)",
        "print('{\"port\": 1}', flush=True)",
    ]
    program.write_text("\n".join(["import time", *lines, "time.sleep(60)"]))
    monkeypatch.setattr("infra.local.system.ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    with simulator("own", log=tmp_path / "own.log", port=0) as facts:
        assert facts == {"port": 1}


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
