"""Two applications whose users sign in, and two providers' logins on which nothing stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.local.caller import Caller
from tests.support.system.sign_in import TENANTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.system import System


@pytest.fixture(autouse=True)
def _free_logins(running: System) -> Iterator[None]:
    """No connection of another test stands on a login, so that what is not kept is revoked."""
    yield
    for name in TENANTS:
        caller = Caller(running.api, token=running.issuer.token(name))
        for one in caller.ask("GET", "/v1/connections")["connections"]:
            caller.send("DELETE", f"/v1/connections/{one['connection_id']}?revoke=false")
    client, table = running.client("dynamodb"), running.outputs["ConnectionsTableName"]
    for item in client.scan(TableName=table)["Items"]:
        if item["connection_id"]["S"].startswith("subject#"):
            client.delete_item(TableName=table, Key={"connection_id": item["connection_id"]})


@pytest.fixture
def acme(running: System) -> Caller:
    return Caller(running.api, token=running.issuer.token("acme"))


@pytest.fixture
def bolt(running: System) -> Caller:
    return Caller(running.api, token=running.issuer.token("bolt"))
