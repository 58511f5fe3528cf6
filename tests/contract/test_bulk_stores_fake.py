"""The fakes of bulk runs keep what the adapters keep."""

from __future__ import annotations

import pytest

from tests.contract.store_bulks import BulkBehaviour, BulkStore, ListBehaviour, PlaceBehaviour
from tests.fake_bulks import Bulks, Lists
from tests.fake_keys import Keys
from tests.fakes import Tables


@pytest.fixture
def store() -> BulkStore:
    tables = Tables()
    return BulkStore(bulks=Bulks(tables), lists=Lists(), keys=Keys(tables))


class TestBulks(BulkBehaviour):
    """Over the fake."""


class TestPlaces(PlaceBehaviour):
    """Over the fake."""


class TestLists(ListBehaviour):
    """Over the fake."""
