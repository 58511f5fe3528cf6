"""The fakes keep what the adapters keep."""

from __future__ import annotations

import pytest

from tests.contract.store_files import StagingBehaviour
from tests.contract.store_refreshes import RefreshBehaviour
from tests.contract.stores import ConnectionBehaviour, CredentialBehaviour, Stores
from tests.fake_files import Objects, Snapshots, Staging
from tests.fakes import Clock, Connections, Refreshes, Tables


@pytest.fixture(params=["fake"])
def stores() -> Stores:
    tables, objects, clock = Tables(), Objects(), Clock()
    return Stores(
        clock=clock,
        connections=Connections(tables, clock=clock),
        sibling=Connections(tables, clock=clock),
        refreshes=Refreshes(tables),
        snapshots=Snapshots(objects),
        staging=lambda connection_id, refresh_id: Staging(
            objects, connection_id=connection_id, refresh_id=refresh_id
        ),
        lines=objects.lines,
        content=lambda file: objects.get(file.key, file.version_id),
        quarantined=lambda connection_id, refresh_id: objects.below(
            f"quarantine/{connection_id}/{refresh_id}/"
        ),
    )


class TestConnections(ConnectionBehaviour):
    """Over the fake."""


class TestCredentials(CredentialBehaviour):
    """Over the fake."""


class TestRefreshes(RefreshBehaviour):
    """Over the fake."""


class TestStaging(StagingBehaviour):
    """Over the fake."""
