"""Bulk runs on a system of their own: its Banno grants so many requests and no more."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from functions.core.budget import BudgetLimit
from functions.core.bulk.model import refresh_id
from infra.local.caller import Caller
from infra.local.providers import DEMOS
from infra.local.system import System, system
from tests.support.models.budget import overdrawn
from tests.support.system.bulk_runs import (
    failures,
    nonzero_outcomes,
    outcomes,
    run,
    sign_in_users,
    start_execution,
)
from tests.support.system.executions import wait_for_execution

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.simulator_control import SimulatorControl
    from tests.support.system.bulk_runs import Bodies

LIMIT = BudgetLimit(requests_per_second=20, burst=20)
SLACK = 6
"""Tokens: two cores are shared, and who has its turn may be asleep for a moment longer."""

FRESH, STALE, DEAD = 52, 4, 4


@pytest.fixture(scope="module")
def running(assembly: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("bulk")
    with system(folder / "logs", assembly=assembly, iam=True) as found:
        secret = DEMOS["banno"].secret(found.providers["banno"])
        budget = {"requests_per_second": LIMIT.requests_per_second, "burst": LIMIT.burst}
        found.client("secretsmanager").put_secret_value(
            SecretId=found.outputs["BannoSecretArn"],
            SecretString=json.dumps(secret | {"budget": budget}),
        )
        yield found


@pytest.fixture
def bodies(running: System, banno: SimulatorControl) -> Bodies:
    """After the simulator's reset, which ends all sign-ins."""
    assert banno.base_url
    return sign_in_users(running)


def test_sixty_at_once_keep_to_the_budget_and_each_ends_with_an_outcome(
    caller: Caller, bodies: Bodies, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=0.5)
    many = {"ben": FRESH, "cleo": STALE, "dead": DEAD}
    ids = {
        user: [caller.connect(bodies[user]) for _ in range(count)] for user, count in many.items()
    }
    since = time.time()
    bulk = run(caller, provider="banno")
    sent = [row["at"] for row in banno.ledger() if row["at"] >= since]
    listed = failures(caller, bulk["bulk_id"], limit=3)

    assert (bulk["status"], bulk["total"]) == ("done", FRESH + STALE + DEAD)
    assert bulk["requested_by"].startswith("asker-")
    assert nonzero_outcomes(bulk) == {"published": FRESH, "partial": STALE, "failed": DEAD}
    assert sorted(each["connection_id"] for each in listed) == sorted(ids["dead"])
    assert {(each["outcome"], each["error"]["name"]) for each in listed} == {
        ("failed", "ReauthRequired")
    }
    for each in listed:
        assert caller.state(each["refresh_id"])["connection_id"] == each["connection_id"]
        assert caller.state(each["refresh_id"])["reason"] == "bulk"
    published = caller.ask("GET", f"/v1/connections/{ids['ben'][0]}")["snapshot"]
    assert published["refresh_id"] == refresh_id(bulk["bulk_id"], ids["ben"][0])

    assert overdrawn(sent, LIMIT) <= SLACK
    assert len(sent) > 5 * (FRESH + STALE)
    least = (len(sent) - LIMIT.burst) / LIMIT.requests_per_second
    assert least - 1 <= max(sent) - min(sent) <= 2 * least


def test_an_operator_refreshes_every_tenant_s_connections_that_are_old(
    running: System, caller: Caller, bodies: Bodies
) -> None:
    mine = caller.connect(bodies["ben"])
    caller.wait_until_ended(caller.refresh(mine)["refresh_id"])
    stranger = Caller(running.api, token=running.issuer.token(f"tenant-{uuid.uuid4().hex[:8]}"))
    theirs = stranger.connect(bodies["cleo"])
    name = f"by-hand-{uuid.uuid4()}"
    request = {"provider": "banno", "older_than_seconds": 600, "deadline_seconds": 30}
    found = wait_for_execution(running, start_execution(running, request, name=name))

    assert found["status"] == "SUCCEEDED"
    told_ = outcomes(running, name)
    assert told_[theirs] == "partial"
    assert mine not in told_
    assert caller.send("GET", f"/v1/bulk-refreshes/{name}").status_code == 404
