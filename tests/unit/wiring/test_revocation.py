"""What a sign-in has given and no connection keeps is revoked, unless that could end another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.errors import ProviderRefusesApplication, ProviderUnavailable
from functions.core.ports import Revoke, Revoked
from functions.wiring import revocation
from tests.support.fakes.stores import Clock, Connections, Tables
from tests.support.scripted_connector import TOKENS, a_connection

if TYPE_CHECKING:
    from functions.core.model import Connection, Credentials


class House:
    """Connections, and a provider that notes what it is to revoke."""

    def __init__(self) -> None:
        self.clock, tables = Clock(), Tables()
        self.connections, self.lookups = Connections(tables, clock=self.clock), tables.lookups
        self.asked: list[str] = []
        self.error: Exception | None = None

    def revoke(
        self, connection: Connection, credentials: Credentials | None, *, wish: Revoke
    ) -> Revoked:
        assert (credentials, wish) == (TOKENS, Revoke.TRUE)
        self.asked.append(connection.subject)
        if self.error:
            raise self.error
        return Revoked.DONE

    def drop(self, credentials: Credentials | None = TOKENS, **changes: object) -> bool:
        here: Any = SimpleNamespace(
            clock=self.clock, connections=self.connections, lookups=self.lookups
        )
        return revocation.drop(here, a_connection("cns_1", **changes), credentials)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    made = House()
    monkeypatch.setattr(revocation, "connector", lambda *_, **__: made)
    return made


def test_a_consent_that_is_not_kept_is_revoked(house: House) -> None:
    assert house.drop()
    assert house.asked == ["user-1"]


@pytest.mark.parametrize("tenant", ["acme", "other"])
def test_one_on_a_login_that_a_connection_stands_on_is_left(house: House, tenant: str) -> None:
    house.connections.create(a_connection(tenant=tenant), TOKENS)
    assert house.drop()
    assert house.asked == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"subject": ""}, id="unknown-login"),
        pytest.param({"credentials": None}, id="no-credentials"),
        pytest.param({"provider": "digime", "settings": {}}, id="never-a-library"),
    ],
)
def test_nothing_is_asked_where_nothing_can_be_revoked(house: House, changes: Any) -> None:
    assert house.drop(**changes)
    assert house.asked == []


@pytest.mark.parametrize("error", [ProviderUnavailable(), ProviderRefusesApplication()])
def test_one_that_may_be_alive_still_can_be_tried_again(house: House, error: Exception) -> None:
    house.error = error
    assert not house.drop()
