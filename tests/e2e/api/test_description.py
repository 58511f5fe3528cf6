"""The served OpenAPI document against the running system, by a tool that knows only the document.

Two tenants are signed in: what the first makes or lists, the second asks for too, and must not
get.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.rest.problems import STATUS
from functions.rest.routes import ROUTES
from infra.local.caller import Caller
from tests.support.system.tenant_resources import BEGUN, enter_applications, make_resources

if TYPE_CHECKING:
    from functions.rest.route import Route
    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl

ROOT = Path(__file__).parents[3]
EXAMPLES = 15
DATASETS = ["accounts", "transactions"]
SECONDS = 240
"""When something hangs; it takes less than a minute."""
SUCCESS = {*range(200, 300)}
ALONE = {
    "erase_connection": "DELETE /connections/{connection_id}",
    "change_connection": "PATCH /connections/{connection_id}",
    "read_connect_session": "GET /connect-sessions/{connect_session_id}",
}
"""Calls that are tried by themselves: so the others find a connection that is not paused, and a wait
is for a session that has ended. For one that the tool creates it would take all its time."""

NEEDS_A_BROWSER = "POST /connect-sessions/{connect_session_id}/complete"
"""A code comes with a user who has signed in."""

CONFIG = """
hooks = "tests.support.system.openapi_check"
continue-on-failure = true
request-timeout = 35
workers = 1  # in two, Python 3.11 loses count of how deep ast.parse is, and raises SystemError
seed = 5

[generation]
database = "none"
max-examples = {examples}
no-shrink = true

[reports.ndjson]
path = "report.ndjson"

[auth.wfc]
path = "tenants.json"
peers = {tenants}

[dictionaries]
datasets.values = {datasets}
pushed.values = ["crm-contact"]
files.values = ["app.js", "start.js"]
{dictionaries}

[parameters]
"path.name" = {{ dictionary = "datasets", probability = 0.8 }}
"path.file" = {{ dictionary = "files", probability = 0.8 }}
"body.connection_id" = {{ dictionary = "connection_id", probability = 0.8 }}
"body.dataset" = {{ dictionary = "pushed", probability = 0.8 }}
{parameters}

{operations}
"""
OPERATION = """
[[operations]]
include-operation-id = "{name}"
checks.positive_data_acceptance.expected-statuses = {statuses}
"""
ACCEPTED = [*range(200, 400), 401, 403, 404, 409, 429]


@pytest.fixture
def tenants() -> list[str]:
    """New ones each time: a bulk run that the tool starts may go on for a day."""
    return [f"{name}-{uuid.uuid4().hex[:8]}" for name in ("first", "second")]


@pytest.fixture
def there(
    running: System, tenants: list[str], banno: SimulatorControl, endgrate: SimulatorControl
) -> dict[str, list[str]]:
    """The first tenant's resources at the beginning, at a provider of each sort."""
    banno.settings(task_seconds=0.2)
    endgrate.settings(transfer_seconds=0.2)
    enter_applications(running, *tenants)
    caller = Caller(running.api, token=running.issuer.token(tenants[0]))
    found = {kind: [id_] for kind, id_ in make_resources(running, tenants[0]).items()}
    found["connection_id"].append(caller.connect(BEGUN))
    return found


def sign_in(running: System, tenants: list[str], *, folder: Path) -> None:
    """Write down the tenants' tokens, in the form of the Web Fuzzing Commons."""
    users = [
        {
            "name": name,
            "fixedHeaders": [
                {"name": "Authorization", "value": f"Bearer {running.issuer.token(name)}"}
            ],
        }
        for name in tenants
    ]
    (folder / "tenants.json").write_text(json.dumps({"auth": users}))


def statuses(route: Route) -> list[int]:
    """Those by which a call may answer what its schemas allow.

    No schema can say all that a request means: a body names datasets that its connection does
    not have, a cursor is of another list. So 400 is among them where there is more than ids,
    and what the call's own problems have; the check in ``described`` holds it to the schemas.
    """
    own = {int(STATUS[problem]) for problem in route.problems if problem in STATUS}
    return [*ACCEPTED, *own, *([400] if route.body or route.query else [])]


def configure(there: dict[str, list[str]], tenants: list[str], *, folder: Path) -> None:
    config = CONFIG.format(
        examples=EXAMPLES,
        tenants=tenants,
        operations="".join(
            OPERATION.format(name=route.name, statuses=statuses(route))
            for routes in ROUTES.values()
            for route in routes.values()
        ),
        datasets=DATASETS,
        dictionaries="\n".join(f"{kind}.values = {ids}" for kind, ids in there.items()),
        parameters="\n".join(
            f'"path.{kind}" = {{ dictionary = "{kind}", probability = 0.7 }}' for kind in there
        ),
    )
    (folder / "schemathesis.toml").write_text(config)


def explore(running: System, folder: Path, *, only: list[str]) -> str:
    """Run the tool on some of the calls; its words, empty where it found nothing."""
    program = [sys.executable, "-m", "schemathesis.cli", "run", "--no-color"]
    done = subprocess.run(
        [*program, f"{running.api}/v1/openapi.json", "--url", f"{running.api}/v1", *only],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def answered(folder: Path) -> dict[str, set[int]]:
    """The statuses by which each call was answered."""
    found: dict[str, set[int]] = {}
    for line in (folder / "report.ndjson").read_text().splitlines():
        recorder: dict[str, Any] = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for id_, exchange in recorder.get("interactions", {}).items():
            case, response = recorder["cases"].get(id_), exchange.get("response")
            if case and response:
                call = f"{case['value']['method']} {case['value']['path']}"
                found.setdefault(call, set()).add(response["status_code"])
    return found


def described(running: System) -> set[str]:
    document = Caller(running.api, token="").ask("GET", "/v1/openapi.json")
    return {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
    }


def test_the_system_does_what_its_description_says_and_nothing_else(
    running: System, tenants: list[str], there: dict[str, list[str]], tmp_path: Path
) -> None:
    sign_in(running, tenants, folder=tmp_path)
    configure(there, tenants, folder=tmp_path)
    found = explore(
        running, tmp_path, only=[part for id_ in ALONE for part in ("--exclude-operation-id", id_)]
    )
    assert not found, found

    statuses = answered(tmp_path)
    in_vain = {call for call in described(running) if not statuses.get(call, set()) & SUCCESS}
    assert in_vain == {*ALONE.values(), NEEDS_A_BROWSER}


def test_what_is_erased_paused_or_awaited_is_so(
    running: System, tenants: list[str], there: dict[str, list[str]], tmp_path: Path
) -> None:
    sign_in(running, tenants, folder=tmp_path)
    configure(there, tenants, folder=tmp_path)
    found = explore(
        running,
        tmp_path,
        only=["--include-path-regex", r"^/(connections(/[^/]+)?|connect-sessions/[^/]+)$"],
    )
    assert not found, found
    statuses = answered(tmp_path)
    assert all(statuses[call] & SUCCESS for call in ALONE.values())
