"""Sessions that are over are ended; tokens that nothing uses are kept alive, or known to be dead."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any, cast

import pytest
from msgspec.structs import replace

from functions.aws.tables.connect_sessions import ConnectSessionTable
from functions.aws.vault import Vault
from functions.aws.walk import KEY
from functions.core.connect.model import Attempt, SessionStatus
from infra.local.caller import Caller
from tests.support.system.tenant_resources import BEGUN, enter_applications

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.aws.tables.connections import ConnectionTable
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

    def end_time_of(self, session_id: str, *, started: bool) -> str:
        """Let a session's time be over; its subject. The user may have gone to the provider."""
        sessions = ConnectSessionTable(
            self._dynamodb,
            table=self._running.outputs["ConnectSessionsTableName"],
            keys=self._running.outputs["RefreshesTableName"],
            connections=cast("ConnectionTable", None),
        )
        session = sessions.get(session_id)
        assert session is not None
        over = replace(session, version=session.version + 1, expires_at=1)
        if started:
            vault = Vault(self._running.client("kms"), key=self._running.outputs["KeyArn"])
            attempt = Attempt(
                state_digest="",
                cookie_digest="",
                redirect_uri="",
                prompt="",
                sealed=vault.data_key(session.connection).seal(b"{}"),
                began_at=1,
            )
            over = replace(over, status=SessionStatus.STARTED, attempt=attempt)
        sessions.save(over)
        return session.connection.subject

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


LIST = "/v1/connect-sessions"


@pytest.fixture
def application(running: System) -> Caller:
    """An application whose users may sign in."""
    tenant = f"tenant-{uuid.uuid4().hex[:8]}"
    enter_applications(running, tenant)
    return Caller(running.api, token=running.issuer.token(tenant))


@pytest.mark.parametrize("configured", [False, True], ids=["abandoned", "configured"])
def test_a_session_that_is_over_is_deleted_at_the_provider_or_connected(
    tending: Tending, application: Caller, endgrate: SimulatorControl, *, configured: bool
) -> None:
    """The user has come back in neither case."""
    body = {**BEGUN, "external_id": "user-1", "refresh": True}
    session = application.ask("POST", LIST, json=body)
    id_ = session["connect_session_id"]
    subject = tending.end_time_of(id_, started=True)
    if configured:
        endgrate.order("configure", session_id=subject)
    tending.call()
    ended = application.ask("GET", f"{LIST}/{id_}")
    deleted = [row["session_id"] for row in endgrate.ledger("session_deleted")]
    connections = application.ask("GET", "/v1/connections")["connections"]
    assert ended["status"] == ("connected" if configured else "expired")
    assert [one["subject"] for one in connections] == ([subject] if configured else [])
    assert deleted == ([] if configured else [subject])
    if configured:
        assert application.wait_until_ended(ended["refresh_id"])["status"] == "published"
