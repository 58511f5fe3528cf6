"""The description of the API is an OpenAPI document, and is loaded only when it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import schemathesis

from functions.rest.openapi.document import document
from functions.rest.routes import ROUTES
from tests.tables import MODELS, models

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
import functions.api
print(json.dumps([name for name in sys.modules if name.startswith("functions.rest.")]))
"""


def test_it_is_valid_as_openapi_3_1() -> None:
    told = document(ROUTES)

    assert told["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(told).validate()


def test_the_door_loads_what_makes_it_only_when_it_is_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = json.loads(done.stdout)
    assert "functions.rest.calls.refreshes" in loaded
    assert not [name for name in loaded if name.startswith("functions.rest.openapi")]


def test_the_models_of_the_client_are_what_make_tables_writes() -> None:
    assert {path: path.read_text() for path in MODELS.glob("*.py")} == models()
