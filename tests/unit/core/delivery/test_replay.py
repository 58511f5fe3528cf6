"""Deliveries that are made anew; which of them is tried with the calls of the API."""

from __future__ import annotations

import pytest

from functions.core.delivery.model import Delivery, DeliveryStatus
from functions.core.delivery.replay import TRIES, Only, replay
from functions.core.errors import Superseded
from tests.support.fakes.events import an_event

AT = 1_800_000_000.0
EVENT = an_event(at=AT - 60)


class Store:
    """One delivery that never stays as it was read, and how often its endpoint was woken."""

    def __init__(self) -> None:
        self.read = self.woken = 0

    def get(self, endpoint_id: str, event_id: str, *, event_at: float) -> Delivery:
        self.read += 1
        return Delivery(
            endpoint_id=endpoint_id,
            event_id=event_id,
            event_type=EVENT.type,
            event_at=event_at,
            status=DeliveryStatus.FAILED,
            version=self.read,
        )

    def save(self, delivery: Delivery) -> None:
        assert delivery.version == self.read + 1
        raise Superseded

    def wake(self, _endpoint_id: str, *, at: float) -> bool:
        assert at == AT
        self.woken += 1
        return True


def test_one_that_others_write_all_the_time_is_given_up() -> None:
    store = Store()
    with pytest.raises(Superseded, match="same time"):
        replay("end_1", [EVENT], endpoints=store, deliveries=store, at=AT)  # type: ignore[arg-type] # what is called of them
    assert (store.read, store.woken) == (TRIES, 0)


def test_an_endpoint_is_woken_also_where_an_earlier_call_has_made_all_due() -> None:
    store = Store()
    asked = {"endpoints": store, "deliveries": store, "at": AT, "only": Only.MISSING}
    assert replay("end_1", [EVENT], **asked) == 0  # type: ignore[arg-type] # as above
    assert store.woken == 1
