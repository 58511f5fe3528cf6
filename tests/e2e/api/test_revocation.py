"""Erasing a connection ends it at its provider, too, and nothing that others stand on."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.providers import DEMOS
from tests.support.system.problems import read_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl

    SignIn = Callable[..., str]

BEGUN = {"provider": "endgrate", "datasets": ["crm-contact"]}
REVOCATION = "*/oidc/token/revocation"


@pytest.fixture
def sign_in(running: System, caller: Caller) -> SignIn:
    """Registers a login on which no other test's connection stands."""

    def registered(provider: str, user: str, **changes: Any) -> str:
        body = DEMOS[provider].connection(running.providers[provider], user)
        return caller.connect(body | {"subject": f"u-{uuid.uuid4().hex}"} | changes)

    return registered


def erase(caller: Caller, connection: str, **query: str) -> tuple[str, str | None]:
    """Erase it to the end; what was told of its provider."""
    answer = caller.send("DELETE", f"/v1/connections/{connection}", params=query)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["connection_id"], told["erased"]) == (connection, True)
    assert caller.send("GET", f"/v1/connections/{connection}").status_code == 404
    return told["provider"]["revoked"], told["provider"]["error"]


def revocations(banno: SimulatorControl) -> list[str]:
    return [row["because"] for row in banno.ledger("grant_revoked")]


def test_each_provider_is_told_once_but_digime_never(
    caller: Caller,
    sign_in: SignIn,
    banno: SimulatorControl,
    endgrate: SimulatorControl,
    digime: SimulatorControl,
) -> None:
    begun = caller.connect(BEGUN)
    assert erase(caller, sign_in("banno", "ben")) == ("done", None)
    assert erase(caller, begun) == ("done", None)
    assert erase(caller, sign_in("digime", "ben")) == ("unsupported", None)

    assert revocations(banno) == ["the client revoked it"]
    assert len(endgrate.ledger("session_deleted")) == 1
    assert [row for row in digime.ledger() if row["method"] == "DELETE"] == []


def test_a_library_is_deleted_on_its_word_alone_with_a_renewed_token(
    caller: Caller, sign_in: SignIn, digime: SimulatorControl
) -> None:
    connection = sign_in("digime", "ben")
    digime.expire("ben")
    assert erase(caller, connection, revoke="library") == ("done", None)
    assert [row["user"] for row in digime.ledger("library_deleted")] == ["ben"]


def test_a_provider_that_is_away_keeps_nothing_here_unless_it_must_be_told(
    running: System, caller: Caller, sign_in: SignIn, banno: SimulatorControl
) -> None:
    connection = sign_in("banno", "ben")
    address = f"/v1/connections/{connection}"
    banno.fault(kind="status", status=503, path=REVOCATION, times=None)

    required = caller.send("DELETE", address, params={"revoke": "required"})
    assert read_problem(required) == (503, "provider-unavailable")
    assert caller.send("GET", address).status_code == 200

    assert erase(caller, connection) == ("failed", "ProviderUnavailable")
    items = running.client("dynamodb").scan(TableName=running.outputs["ConnectionsTableName"])
    assert connection not in str(items)


def test_an_erasure_that_broke_off_can_still_revoke(
    running: System, caller: Caller, sign_in: SignIn, banno: SimulatorControl
) -> None:
    connection = sign_in("banno", "ben")
    running.client("dynamodb").update_item(
        TableName=running.outputs["ConnectionsTableName"],
        Key={"connection_id": {"S": connection}},
        UpdateExpression="SET erasing = :yes, revoking = credentials REMOVE credentials",
        ExpressionAttributeValues={":yes": {"BOOL": True}},
    )
    assert caller.send("GET", f"/v1/connections/{connection}").status_code == 404
    assert erase(caller, connection) == ("done", None)
    assert revocations(banno) == ["the client revoked it"]


def test_a_connection_on_the_same_login_lives(
    running: System, caller: Caller, sign_in: SignIn, banno: SimulatorControl
) -> None:
    subject = DEMOS["banno"].connection(running.providers["banno"], "ben")["subject"]
    first, second = (
        sign_in("banno", "ben", subject=subject, external_id=name) for name in ("user-1", "user-2")
    )
    assert erase(caller, first) == ("shared", None)
    assert revocations(banno) == []
    ended = caller.wait_until_ended(caller.refresh(second)["refresh_id"])
    assert ended["status"] == "published"


def test_what_a_rotation_brings_that_is_under_way_is_revoked(
    running: System, caller: Caller, sign_in: SignIn, banno: SimulatorControl
) -> None:
    connection = sign_in("banno", "ben")
    banno.expire("ben")
    banno.fault(path="*/oidc/token", kind="slow", seconds=3)
    caller.refresh(connection)
    caller.until(
        lambda: running.client("dynamodb").get_item(
            TableName=running.outputs["ConnectionsTableName"],
            Key={"connection_id": {"S": connection}},
        )["Item"],
        lambda item: "lease_owner" in item,
        seconds=30,
    )
    assert erase(caller, connection) == ("done", None)

    assert revocations(banno) == ["the client revoked it"]
    exchanged, revoked = [row for row in banno.ledger() if "/oidc/token" in row["path"]][-2:]
    assert revoked["at"] >= exchanged["at"] + exchanged["seconds"]
