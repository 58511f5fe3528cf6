"""How fresh a connection's data are, from its registration to a user who must sign in again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.aws import KEY, REGION

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl

ROOT = Path(__file__).parents[3]


def test_the_cause_follows_what_happens_to_the_connection(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    connection = connect("ben", refresh_token="spent")

    def read(cause: str, **query: int) -> dict[str, Any]:
        """What is told, once the refreshes' index has caught up."""
        path = f"/v1/connections/{connection}/freshness"
        return caller.until(
            lambda: caller.ask("GET", path, params=query),
            lambda told: told["cause"] == cause,
            seconds=5,
        )

    never = read("never_refreshed")
    assert (never["verdict"], never["as_of"], never["last_published"]) == ("unknown", None, None)

    done = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    fresh = read("fresh", max_age_seconds=600)
    assert (fresh["verdict"], fresh["action"], fresh["not_fresh"]) == ("fresh", None, [])
    assert fresh["as_of"] == done["as_of"]
    assert fresh["last_published"]["refresh_id"] == done["refresh_id"]
    assert read("not_requested", max_age_seconds=0)["verdict"] == "stale"

    banno.fault(method="PUT", path="*/fetch", times=None, kind="status", status=503)
    failed = caller.wait_until_ended(caller.refresh(connection, deadline_seconds=5)["refresh_id"])
    told = read("provider_failed")
    assert (told["verdict"], told["action"], told["more"]) == ("stale", "retry", 0)
    assert told["last_failed"]["refresh_id"] == failed["refresh_id"]
    assert told["last_failed"]["error"] == failed["error"]
    assert read("fresh", max_age_seconds=600)["verdict"] == "fresh"

    banno.heal()
    banno.expire("ben")
    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    assert read("reauth_required")["action"] == "reauthenticate"


def explain(running: System, connection: str) -> subprocess.CompletedProcess[str]:
    """The operator's command, for a connection of the local stage."""
    return subprocess.run(
        [sys.executable, "-m", "infra.operations.explain", connection, "--stage", "local"],
        env={
            "AWS_ENDPOINT_URL": running.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("banno")
def test_the_operator_is_told_the_same_without_the_parts_names(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect("cleo")
    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    told = caller.ask("GET", f"/v1/connections/{connection}/freshness")
    done = explain(running, connection)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["provider"], found["verdict"], found["cause"]) == (
        "banno",
        told["verdict"],
        told["cause"],
    )
    assert sum(found["not_fresh"].values()) == len(told["not_fresh"]) > 0
    assert not [part for part in told["not_fresh"] if part["part"] in done.stdout]


def test_a_connection_that_is_none_is_said_to_the_operator(running: System) -> None:
    done = explain(running, "con_none")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing here" in done.stderr
