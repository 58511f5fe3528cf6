"""Shared by the benchmarks: the running system, and programs in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests

from functions.core.contract import Door
from infra.local.aws import KEY, REGION, ROOT
from infra.local.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.local.system import System

PEERS_PYTHON: Final = ROOT / ".venv-peers" / "bin" / "python"
TENANT: Final = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A system to measure: as it runs, the asset that its doors run from, and how thoroughly.

    ``quick`` makes everything small: it shows that a benchmark works, not what is so.
    """

    system: System
    asset: Path
    quick: bool

    def caller(self) -> Caller:
        """A caller of the API, whose token lasts for minutes."""
        return Caller(self.system.api, token=self.system.issuer.token(TENANT))

    def door(self, door: str, event: Any) -> dict[str, Any]:
        """Run a door from the asset in a fresh process; its answer and figures."""
        return call_handler(
            f"functions.{Door(door).module}.handler",
            event,
            packages=self.asset,
            variables=self.variables(door),
        )

    def variables(self, door: str) -> dict[str, str]:
        """A door's environment as the stack has set it, pointed at the local AWS."""
        functions = self.system.client("lambda").list_functions()["Functions"]
        handler = f"functions.{Door(door).module}.handler"
        (found,) = (f for f in functions if f["Handler"] == handler)
        return {
            **found["Environment"]["Variables"],
            "AWS_ENDPOINT_URL": self.system.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{found['Runtime']}",
            "AWS_LAMBDA_FUNCTION_NAME": found["FunctionName"],
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        }

    def set_up(self, provider: str, settings: Mapping[str, Any]) -> None:
        """Put a simulator to its beginning, with these settings."""
        self._control(provider, "POST", "reset")
        self.system.register(provider)  # which a reset forgets
        self._control(provider, "POST", "settings", json=settings)

    def ledger(self, provider: str) -> list[dict[str, Any]]:
        """The requests and events of a simulator, oldest first."""
        rows: list[dict[str, Any]] = self._control(provider, "GET", "ledger")
        return rows

    def clear_ledger(self, provider: str) -> None:
        """Have a simulator forget what it has received."""
        self._control(provider, "DELETE", "ledger")

    def simulator_cpu(self, provider: str) -> float:
        """Processor time that a simulator has used so far, in seconds."""
        port = str(urlsplit(self.system.providers[provider]["base_url"]).port)
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # one that has just ended
                words = (process / "cmdline").read_text().split("\0")
                if words[1:3] == ["-m", "infra.local.simulators"] and port in words:
                    user, system = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
                    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        raise LookupError(f"no simulator of {provider} runs")

    def _control(self, provider: str, method: str, path: str, **options: Any) -> Any:
        url = f"{self.system.providers[provider]['base_url']}/_simulator/{path}"
        answer = requests.request(method, url, timeout=120, **options)
        answer.raise_for_status()
        return answer.json()


def call_handler(
    handler: str, event: Any, *, packages: Path, variables: Mapping[str, str]
) -> dict[str, Any]:
    """Run a handler in a fresh process that sees these packages and ours; answer and figures."""
    command = [sys.executable, "-S", "-P", "-m", "benchmarks.door", *handler.rsplit(".", 1)]
    path = {"PYTHONPATH": f"{packages}{os.pathsep}{ROOT}"}
    return run_program(command, given=event, variables={**variables, **path})


def run_program(
    command: Sequence[str | Path], *, given: Any, variables: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a program of ours and return its figures (see ``benchmarks.measure``)."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **(variables or {})},
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed: {done.stderr[-4000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures
