"""The fakes of bulk runs keep what the adapters keep."""

from __future__ import annotations

import pytest

from tests.contract.store_bulks import BulkBehaviour, BulkStore, ListBehaviour
from tests.fake_bulks import Bulks, Lists


@pytest.fixture
def store() -> BulkStore:
    return BulkStore(bulks=Bulks(), lists=Lists())


class TestBulks(BulkBehaviour):
    """Over the fake."""


class TestLists(ListBehaviour):
    """Over the fake."""
