"""One running system for the whole room, reached as a user reaches it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.caller import Caller
from infra.local.providers import DEMOS
from infra.local.system import System, system
from tests.support.clients.receiver import ReceiverClient
from tests.support.simulator_control import SimulatorControl
from tests.support.system.sign_in import APPLICATIONS, institutions
from tests.support.system.webhook_relay import Relay, relaying

if TYPE_CHECKING:
    from pathlib import Path

Connect = Callable[..., str]


@pytest.fixture(scope="session")
def relay() -> Iterator[Relay]:
    """Passes the providers' webhooks on to the API."""
    with relaying() as found:
        yield found


@pytest.fixture(scope="session")
def running(
    assembly: Path, tmp_path_factory: pytest.TempPathFactory, relay: Relay
) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    # Policies are enforced, so that every test also shows that each door may do what it must.
    with system(folder / "logs", assembly=assembly, iam=True) as found:
        relay.to = f"{found.api}/v1/hooks"
        _change_secret(found, "Endgrate", {"hooks_url": relay.url})
        _change_secret(found, "Applications", APPLICATIONS)
        _change_secret(found, "Banno", {"institutions": institutions(found)})
        yield found


def _change_secret(running: System, name: str, changes: dict[str, Any]) -> None:
    client, id_ = running.client("secretsmanager"), running.outputs[f"{name}SecretArn"]
    secret = json.loads(client.get_secret_value(SecretId=id_)["SecretString"])
    client.put_secret_value(SecretId=id_, SecretString=json.dumps(secret | changes))


@contextmanager
def _controlling(running: System, name: str, **settings: float) -> Iterator[SimulatorControl]:
    """A simulator as it begins, but for these settings, that knows our redirect URI."""
    provider = SimulatorControl(running.providers[name]["base_url"])
    provider.reset()
    running.register(name)
    provider.settings(**settings)
    try:
        yield provider
    finally:
        provider.reset()
        running.register(name)


@pytest.fixture
def banno(running: System) -> Iterator[SimulatorControl]:
    with _controlling(running, "banno", task_seconds=0.5) as provider:
        yield provider


@pytest.fixture
def digime(running: System) -> Iterator[SimulatorControl]:
    with _controlling(running, "digime", sync_seconds=0.5) as provider:
        yield provider


@pytest.fixture
def endgrate(running: System) -> Iterator[SimulatorControl]:
    with _controlling(running, "endgrate", transfer_seconds=0.5) as provider:
        yield provider


@pytest.fixture
def receiver(running: System) -> Iterator[ReceiverClient]:
    """An application's receiver of events, at its beginning."""
    client = ReceiverClient(running.receiver["base_url"])
    with client.http:
        client.reset()
        yield client
        client.reset()


@pytest.fixture
def _unclaimed(running: System) -> None:
    """Endgrate's demo sessions have no owner yet, as the tests' tenants share them."""
    client, table = running.client("dynamodb"), running.outputs["ConnectionsTableName"]
    for session in running.providers["endgrate"]["sessions"]:
        key = {"connection_id": {"S": f"subject#endgrate#{session['id']}"}}
        client.delete_item(TableName=table, Key=key)


@pytest.fixture
def caller(running: System, _unclaimed: None) -> Caller:
    """An application of its own for each test, so that no test sees another's connections."""
    own = uuid.uuid4().hex[:8]
    return Caller(running.api, token=running.issuer.token(f"tenant-{own}", sub=f"asker-{own}"))


@pytest.fixture
def connect(running: System, caller: Caller) -> Connect:
    def connected(user: str, *, provider: str = "banno", **credentials: Any) -> str:
        body = DEMOS[provider].connection(running.providers[provider], user)
        if given := body.get("credentials", {}) | credentials:
            body["credentials"] = {k: v for k, v in given.items() if v is not None}
        return caller.connect(body)

    return connected


@pytest.fixture
def logs(running: System) -> Callable[[], str]:
    """Everything that every door has logged so far."""

    def read() -> str:
        client = running.client("logs")
        groups = [group["logGroupName"] for group in client.describe_log_groups()["logGroups"]]
        return "\n".join(
            event["message"]
            for group in groups
            for page in client.get_paginator("filter_log_events").paginate(logGroupName=group)
            for event in page["events"]
        )

    return read
