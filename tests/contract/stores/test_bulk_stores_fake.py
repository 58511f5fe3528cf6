"""The fakes of bulk runs keep what the adapters keep."""

from __future__ import annotations

import pytest

from tests.support.fakes.bulk_runs import Bulks, Lists
from tests.support.fakes.idempotency import Keys
from tests.support.fakes.stores import Tables
from tests.support.stores.bulks import (
    BulkBehaviour,
    BulkStore,
    ListBehaviour,
    PlaceBehaviour,
    TenantBehaviour,
)


@pytest.fixture
def store() -> BulkStore:
    tables = Tables()
    return BulkStore(bulks=Bulks(tables), lists=Lists(), keys=Keys(tables))


class TestBulks(BulkBehaviour):
    """Over the fake."""


class TestPlaces(PlaceBehaviour):
    """Over the fake."""


class TestTenants(TenantBehaviour):
    """Over the fake."""


class TestLists(ListBehaviour):
    """Over the fake."""
