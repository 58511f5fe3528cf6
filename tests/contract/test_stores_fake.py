"""The fakes keep what the adapters keep."""

from __future__ import annotations

import pytest

from tests.contract.store_budgets import BudgetBehaviour
from tests.contract.store_claims import ClaimBehaviour
from tests.contract.store_credentials import CredentialBehaviour
from tests.contract.store_files import StagingBehaviour
from tests.contract.store_keys import HistoryBehaviour, KeyBehaviour
from tests.contract.store_pushes import ContentBehaviour, PushBehaviour, PushStore
from tests.contract.store_refreshes import RefreshBehaviour
from tests.contract.store_schedules import ScheduleBehaviour
from tests.contract.stores import ConnectionBehaviour, Stores
from tests.fake_budget import Bucket
from tests.fake_claims import Claims
from tests.fake_files import Objects, Snapshots, Staging
from tests.fake_keys import History, Keys
from tests.fake_pushes import Contents, Pushes
from tests.fake_schedules import Schedules
from tests.fakes import Clock, Connections, Refreshes, Tables


@pytest.fixture(params=["fake"])
def stores() -> Stores:
    tables, objects, clock = Tables(), Objects(), Clock()
    return Stores(
        clock=clock,
        connections=Connections(tables, clock=clock),
        sibling=Connections(tables, clock=clock),
        throttled=Connections(tables, clock=clock, throttled=True),
        claims=Claims(tables),
        refreshes=Refreshes(tables),
        keys=Keys(tables),
        history=History(tables),
        schedules=Schedules(),
        bucket=Bucket(),
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


@pytest.fixture
def store() -> PushStore:
    return PushStore(pushes=Pushes(), contents=Contents())


class TestConnections(ConnectionBehaviour):
    """Over the fake."""


class TestClaims(ClaimBehaviour):
    """Over the fake."""


class TestCredentials(CredentialBehaviour):
    """Over the fake."""


class TestRefreshes(RefreshBehaviour):
    """Over the fake."""


class TestKeys(KeyBehaviour):
    """Over the fake."""


class TestHistory(HistoryBehaviour):
    """Over the fake."""


class TestSchedules(ScheduleBehaviour):
    """Over the fakes."""


class TestBudgets(BudgetBehaviour):
    """Over the fake."""


class TestStaging(StagingBehaviour):
    """Over the fake."""


class TestPushes(PushBehaviour):
    """Over the fake."""


class TestPushContents(ContentBehaviour):
    """Over the fake."""
