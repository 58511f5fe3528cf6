from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Freshet = Callable[..., Result]

HEAVY = (
    "httpx2",
    "rich",
    "freshet_client.models",
    "freshet_client.client",
    "duckdb",
    "cryptography",
)
HELP = f"""
import sys
from freshet_client.cli.main import main
main(["--help"], standalone_mode=False)
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


def test_help_loads_nothing_that_is_slow_to_load() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )

    assert done.stderr == "[]\n"
    assert "connections" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion(shell: str, freshet: Freshet) -> None:
    assert "_FRESHET_COMPLETE" in freshet("completion", shell).stdout


def test_another_shell_has_none(freshet: Freshet) -> None:
    assert freshet("completion", "cmd").exit_code == 2


def test_a_package_that_is_not_installed_is_named(
    freshet: Freshet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "freshet_client.mcp.server", None)

    done = freshet("mcp")

    assert (done.exit_code, "freshet-client[mcp]" in done.stderr) == (2, True)


def test_the_version_is_that_of_the_package(freshet: Freshet) -> None:
    assert freshet("--version").stdout.startswith("freshet 0.")


def test_each_command_says_what_it_is_for_in_a_line(freshet: Freshet) -> None:
    commands = freshet("--help").stdout.partition("Commands:")[2].splitlines()

    assert not [line for line in commands if line.endswith("...")]
