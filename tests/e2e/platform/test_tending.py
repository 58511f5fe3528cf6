"""Tokens that nothing uses are kept alive, and those that have died are known before a refresh."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.aws.tables.walk import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl

KEPT_ALIVE = ("banno", "digime")


class Tending:
    """The function, and the connections' table that it goes through."""

    def __init__(self, running: System) -> None:
        self._running, self._dynamodb = running, running.client("dynamodb")
        self._table = running.outputs["ConnectionsTableName"]

    def idle(self, connection: str) -> None:
        """Make its credentials as a version has written them that did not say when."""
        self._dynamodb.update_item(
            TableName=self._table,
            Key={"connection_id": {"S": connection}},
            UpdateExpression="REMOVE credentials_at, listed",
        )

    def version(self, connection: str) -> int:
        return int(self._item(connection)["credentials_version"]["N"])

    def is_listed(self, connection: str) -> bool:
        return "listed" in self._item(connection)

    def _item(self, connection: str) -> Any:
        key = {"connection_id": {"S": connection}}
        return self._dynamodb.get_item(TableName=self._table, Key=key)["Item"]

    def call(self) -> None:
        """Go through all connections once, however soon after the last time."""
        self._dynamodb.delete_item(
            TableName=self._table, Key={name: {"S": value} for name, value in KEY.items()}
        )
        answer = self._running.client("lambda").invoke(
            FunctionName=self._running.outputs["TendName"], LogType="Tail", Payload=b"{}"
        )
        assert "FunctionError" not in answer, base64.b64decode(answer["LogResult"]).decode()


@pytest.fixture(scope="module")
def tending(running: System) -> Iterator[Tending]:
    """The function, where both providers' tokens are kept alive."""
    secrets = running.client("secretsmanager")
    names = [running.outputs[f"{provider.title()}SecretArn"] for provider in KEPT_ALIVE]
    before = {name: secrets.get_secret_value(SecretId=name)["SecretString"] for name in names}
    for name, secret in before.items():
        changed = json.dumps({**json.loads(secret), "keep_alive_days": 3})
        secrets.put_secret_value(SecretId=name, SecretString=changed)
    yield Tending(running)
    for name, secret in before.items():
        secrets.put_secret_value(SecretId=name, SecretString=secret)


@pytest.mark.parametrize("provider", KEPT_ALIVE)
def test_an_idle_token_is_exchanged_once_and_one_in_use_is_not(
    tending: Tending,
    caller: Caller,
    connect: Connect,
    provider: str,
    request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue(provider)
    idle, used = connect("ada", provider=provider), connect("ben", provider=provider)
    tending.idle(idle)
    for _ in range(2):
        tending.call()
        assert (tending.version(idle), tending.version(used)) == (2, 1)
    assert tending.is_listed(idle)
    assert caller.wait_until_ended(caller.refresh(idle)["refresh_id"])["status"] == "published"


def test_a_token_that_has_died_is_known_before_the_next_refresh(
    tending: Tending, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    dead, alive = connect("ada"), connect("ben")
    banno.revoke("ada")
    for connection in (dead, alive):
        tending.idle(connection)
    tending.call()
    assert caller.ask("GET", f"/v1/connections/{dead}")["reauth_required"]
    assert not caller.ask("GET", f"/v1/connections/{alive}")["reauth_required"]
    assert tending.version(alive) == 2
