"""Connect sessions as an application's backend sees them; browsers have a room of their own."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.caller import Caller
from tests.support.system.tenant_resources import enter_applications

if TYPE_CHECKING:
    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl

LIST = "/v1/connect-sessions"
NEW: dict[str, Any] = {
    "provider": "endgrate",
    "datasets": ["crm-contact"],
    "external_id": "user-4711",
}
CROWD = 8


@pytest.fixture
def caller(running: System) -> Caller:
    tenant = f"tenant-{uuid.uuid4().hex[:8]}"
    enter_applications(running, tenant)
    return Caller(running.api, token=running.issuer.token(tenant))


def list_calls(endgrate: SimulatorControl) -> list[str]:
    """What was asked about sessions; other tests' refreshes may still ask for other things."""
    paths = [row["path"] for row in endgrate.ledger() if row["kind"] == "request"]
    return [path.rpartition("/")[2] for path in paths if "/session/" in path]


def test_a_crowd_under_one_key_gets_one_link(caller: Caller, endgrate: SimulatorControl) -> None:
    body = {"provider": "banno", "settings": {"institution": "garden"}, "external_id": "user-4711"}

    def create(_: int) -> dict[str, Any]:
        return caller.ask("POST", LIST, json=body, headers={"Idempotency-Key": "k"})

    with ThreadPoolExecutor(CROWD) as pool:
        links = {told["connect_url"] for told in pool.map(create, range(CROWD))}

    assert len(links) == 1
    assert not list_calls(endgrate)


def test_a_session_that_was_opened_at_the_provider_is_deleted_with_the_sign_in(
    caller: Caller, endgrate: SimulatorControl
) -> None:
    session = caller.ask("POST", LIST, json=NEW)
    path = f"{LIST}/{session['connect_session_id']}"
    assert session["connect_url"].startswith("http")

    assert caller.ask("POST", f"{path}/cancel")["status"] == "cancelled"
    ended = caller.ask("GET", path, params={"wait": 20})

    assert (ended["status"], ended["connection_id"]) == ("cancelled", None)
    assert list_calls(endgrate) == ["initiate", "delete"]
    assert not caller.ask("GET", "/v1/connections")["connections"]


def test_a_type_that_endgrate_does_not_have_is_told_to_the_developer(
    caller: Caller, endgrate: SimulatorControl
) -> None:
    del endgrate
    answer = caller.send("POST", LIST, json=NEW | {"datasets": ["crm-nothing"]})
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (
        422,
        "provider-refuses-connection",
    )


def test_a_code_that_was_never_given_out_is_refused(caller: Caller) -> None:
    session = caller.ask("POST", LIST, json=NEW)
    body = {"code": "cnc_guessed", "external_id": NEW["external_id"]}
    path = f"{LIST}/{session['connect_session_id']}/complete"
    assert caller.send("POST", path, json=body).status_code == 422
