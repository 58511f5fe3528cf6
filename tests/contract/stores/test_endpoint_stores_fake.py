"""The fakes of endpoints and deliveries keep what the adapters keep."""

from __future__ import annotations

import pytest

from tests.support.fakes.delivery.endpoints import Deliveries, Endpoints
from tests.support.fakes.idempotency import Keys
from tests.support.fakes.stores import Tables
from tests.support.stores.delivery.endpoints import (
    DeliveryBehaviour,
    EndpointBehaviour,
    EndpointStore,
)


@pytest.fixture
def store() -> EndpointStore:
    tables = Tables()
    endpoints = Endpoints(tables)
    return EndpointStore(
        endpoints=endpoints,
        deliveries=Deliveries(),
        keys=Keys(tables),
        event=tables.events.get,
        looked_at=lambda id_: endpoints.items[id_].look_at,
    )


class TestEndpoints(EndpointBehaviour):
    """Over the fake."""


class TestDeliveries(DeliveryBehaviour):
    """Over the fake."""
