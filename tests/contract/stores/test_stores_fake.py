"""The fakes keep what the adapters keep."""

from __future__ import annotations

import pytest

from tests.support.fakes.budget import Bucket
from tests.support.fakes.connect import Sessions
from tests.support.fakes.events import Events
from tests.support.fakes.files import Objects, Snapshots, Staging
from tests.support.fakes.idempotency import History, Keys
from tests.support.fakes.pushes import Contents, Pushes
from tests.support.fakes.schedules import Schedules
from tests.support.fakes.stores import Clock, Connections, Refreshes, Tables
from tests.support.stores.budgets import BudgetBehaviour
from tests.support.stores.connect_sessions import ConnectSessionBehaviour
from tests.support.stores.credentials import CredentialBehaviour
from tests.support.stores.events import (
    ConnectionEventBehaviour,
    EventLogBehaviour,
    RefreshEventBehaviour,
)
from tests.support.stores.files import DiffBehaviour, StagingBehaviour
from tests.support.stores.keys import HistoryBehaviour, KeyBehaviour
from tests.support.stores.lookups import LookupBehaviour
from tests.support.stores.pushes import (
    ContentBehaviour,
    PushBehaviour,
    PushEventBehaviour,
    PushListBehaviour,
    PushStore,
)
from tests.support.stores.refreshes import RefreshBehaviour
from tests.support.stores.schedules import ScheduleBehaviour
from tests.support.stores.suite import ConnectionBehaviour, Stores


@pytest.fixture(params=["fake"])
def stores() -> Stores:
    tables, objects, clock = Tables(), Objects(), Clock()
    connections = Connections(tables, clock=clock)
    return Stores(
        clock=clock,
        connections=connections,
        sibling=Connections(tables, clock=clock),
        throttled=Connections(tables, clock=clock, throttled=True),
        lookups=tables.lookups,
        connect_sessions=Sessions(tables, connections),
        refreshes=Refreshes(tables),
        keys=Keys(tables),
        history=History(tables),
        schedules=Schedules(),
        events=Events(tables),
        owed=lambda at: {id_ for id_, look_at in tables.owed.items() if look_at <= at},
        tell=tables.tell,
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
    tables = Tables()
    return PushStore(pushes=Pushes(tables=tables), contents=Contents(), events=Events(tables))


class TestConnections(ConnectionBehaviour):
    """Over the fake."""


class TestClaims(LookupBehaviour):
    """Over the fake."""


class TestConnectSessions(ConnectSessionBehaviour):
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


class TestRefreshEvents(RefreshEventBehaviour):
    """Over the fakes."""


class TestConnectionEvents(ConnectionEventBehaviour):
    """Over the fakes."""


class TestEventLog(EventLogBehaviour):
    """Over the fake."""


class TestBudgets(BudgetBehaviour):
    """Over the fake."""


class TestStaging(StagingBehaviour):
    """Over the fake."""


class TestDiff(DiffBehaviour):
    """Over the fake."""


class TestPushes(PushBehaviour):
    """Over the fake."""


class TestPushLists(PushListBehaviour):
    """Over the fake."""


class TestPushEvents(PushEventBehaviour):
    """Over the fakes."""


class TestPushContents(ContentBehaviour):
    """Over the fake."""
