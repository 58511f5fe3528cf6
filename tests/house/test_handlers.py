"""Each door loads what it needs and nothing else, and does no work when it is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from functions.core.contract import Door

ROOT = Path(__file__).parents[2]

BASE = frozenset(
    {"aws_lambda_powertools", "boto3", "botocore", "cryptography", "functions", "isal"}
)
HTTP = frozenset({"requests"})

ALLOWED: dict[Door, frozenset[str]] = {
    Door.API: BASE,
    Door.WEBHOOK: BASE,
    Door.CONNECT: BASE | HTTP,
    Door.AUTHORIZE: BASE | {"jwt"},
    Door.TRIGGER: BASE | HTTP,
    Door.CHECK_STATUS: BASE | HTTP,
    Door.FETCH_DATA: BASE | HTTP,
    Door.CONCLUDE: BASE,
    Door.PUSH: BASE | HTTP,
    Door.BULK: BASE,
    Door.WATCH: BASE,
    Door.RECONCILE: BASE,
    Door.TEND: BASE | HTTP,
    Door.ANNOUNCE: BASE,
    Door.DELIVER: BASE,
}
"""What of the bundled libraries a door may have loaded once it is imported. A provider's own
connector comes with its first refresh."""

WATCHED = frozenset({"msgspec", "jwt", "requests", "pydantic", "aws_xray_sdk", "jmespath"})

PROGRAM = """
import json, socket, sys
def refuse(*_args, **_options): raise AssertionError("a door opens a socket when imported")
socket.socket.connect = refuse
import importlib
importlib.import_module(sys.argv[1])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def loaded(door: Door) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"functions.{door.module}"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("door", [pytest.param(door, id=door) for door in Door])
def test_a_door_imports_only_what_it_needs_without_settings_or_network(door: Door) -> None:
    heavy = (BASE | HTTP | WATCHED) - {"msgspec", "jmespath"}

    assert loaded(door) & heavy <= ALLOWED[door]
