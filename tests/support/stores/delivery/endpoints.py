"""Suites for stores of endpoints and deliveries, the fakes and the adapters alike.

A room that runs these has a fixture ``store`` that gives a fresh ``EndpointStore``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.core.delivery.model import (
    MAX_ENDPOINTS,
    Attempt,
    DeliveryStatus,
    EndpointState,
    Health,
    SealedSecret,
)
from functions.core.errors import Superseded, TooManyEndpoints
from functions.core.events.model import EventType
from functions.core.idempotency import Key
from tests.support.fakes.delivery.endpoints import ENDPOINT, a_delivery, an_endpoint
from tests.support.fakes.events import an_event
from tests.support.scripted_connector import TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.delivery.ports import Deliveries, Endpoints, StoredEndpoint
    from functions.core.events.model import OutboxEvent
    from functions.core.idempotency import Keys

AT = 1_800_000_000.25
KEY = Key(name="e" * 64, digest="d1")
DISABLED = an_event(ENDPOINT, EventType.ENDPOINT_DISABLED, at=AT)


@dataclass(frozen=True, kw_only=True)
class EndpointStore:
    """Empty stores of endpoints and deliveries."""

    endpoints: Endpoints
    deliveries: Deliveries
    keys: Keys
    event: Callable[[str], OutboxEvent | None]
    """An event that was written beside a health."""
    looked_at: Callable[[str], str | None]
    """When an endpoint is to be looked at, as it stands there."""

    def created(self) -> StoredEndpoint:
        """An endpoint, as it is read after it was created."""
        self.endpoints.create(an_endpoint(at=AT))
        return self.read()

    def read(self) -> StoredEndpoint:
        """The endpoint, as it is read now."""
        found = self.endpoints.get(ENDPOINT)
        assert found is not None
        return found


class EndpointBehaviour:
    """Endpoints: their application writes them by version, the deliverer their health."""

    def test_an_endpoint_is_read_as_it_was_created(self, store: EndpointStore) -> None:
        assert store.endpoints.get(ENDPOINT) is None
        made = an_endpoint(
            at=AT,
            types=("refresh.*",),
            connection_ids=("con_1",),
            secrets=(SealedSecret(sealed=b"\x00\xff", until=AT),),
        )
        store.endpoints.create(made)
        assert store.read().endpoint == made
        assert store.read().health == Health()
        assert store.read().state is EndpointState.ENABLED
        assert store.looked_at(ENDPOINT) is None

    def test_a_tenants_endpoints_are_its_own_the_oldest_first(self, store: EndpointStore) -> None:
        for number, id_ in enumerate(("end_b", "end_a", "end_c")):
            store.endpoints.create(an_endpoint(id_, at=AT + number))
        store.endpoints.create(an_endpoint("end_x", at=AT, tenant="another"))
        store.deliveries.offer(a_delivery(at=AT, endpoint_id="end_a"))
        found = [each.endpoint.endpoint_id for each in store.endpoints.of_tenant(TENANT)]
        assert found == ["end_b", "end_a", "end_c"]

    def test_a_tenant_has_so_many_however_many_are_made_at_once(self, store: EndpointStore) -> None:
        def create(number: int) -> bool:
            try:
                store.endpoints.create(an_endpoint(f"end_{number}", at=AT + number))
            except TooManyEndpoints:
                return False
            return True

        with ThreadPoolExecutor(8) as together:
            made = [*together.map(create, range(MAX_ENDPOINTS + 4))]
        assert sum(made) == len(store.endpoints.of_tenant(TENANT)) == MAX_ENDPOINTS
        store.endpoints.create(an_endpoint("end_x", at=AT, tenant="another"))
        store.endpoints.delete(f"end_{made.index(True)}", tenant=TENANT)
        assert create(made.index(False))

    def test_its_creation_notes_the_key(self, store: EndpointStore) -> None:
        store.endpoints.create(an_endpoint(at=AT), key=KEY)
        claim = store.keys.get(KEY.name, at=AT)
        assert claim is not None
        assert (claim.digest, claim.resource_id) == (KEY.digest, ENDPOINT)
        with pytest.raises(Superseded):
            store.endpoints.create(an_endpoint("end_2", at=AT + 1), key=KEY)
        assert store.endpoints.get("end_2") is None

    def test_the_same_creation_again_is_the_same(self, store: EndpointStore) -> None:
        store.endpoints.create(an_endpoint(at=AT), key=KEY)
        store.endpoints.create(an_endpoint(at=AT), key=KEY)
        with pytest.raises(Superseded):
            store.endpoints.create(an_endpoint(at=AT, url="https://other.example.com/"))
        assert store.read().endpoint == an_endpoint(at=AT)

    def test_who_writes_it_must_have_seen_the_version_before(self, store: EndpointStore) -> None:
        before = store.created().endpoint
        after = replace(before, paused=True, version=2)
        store.endpoints.save(after, at=AT + 1)
        store.endpoints.save(after, at=AT + 1)  # the answer was lost
        assert store.read().endpoint == after
        assert store.read().state is EndpointState.PAUSED
        with pytest.raises(Superseded):
            store.endpoints.save(replace(before, url="https://x.example.com/", version=2), at=AT)
        assert store.read().endpoint == after

    def test_what_is_not_there_cannot_be_written(self, store: EndpointStore) -> None:
        with pytest.raises(Superseded):
            store.endpoints.save(an_endpoint(at=AT, version=2), at=AT)
        with pytest.raises(Superseded):
            store.endpoints.save_health(ENDPOINT, Health(version=2), event=None)
        assert not store.endpoints.wake(ENDPOINT, at=AT)
        assert store.endpoints.get(ENDPOINT) is None

    def test_writing_it_wakes_it(self, store: EndpointStore) -> None:
        seen = store.created()
        store.endpoints.save(replace(seen.endpoint, version=2), at=AT + 1)
        assert store.looked_at(ENDPOINT) == "2027-01-15T08:00:01.250Z"
        assert not store.endpoints.rest(seen, look_at=None)

    def test_one_that_is_woken_is_looked_at_until_it_rests(self, store: EndpointStore) -> None:
        store.created()
        assert store.endpoints.wake(ENDPOINT, at=AT)
        assert store.looked_at(ENDPOINT) == "2027-01-15T08:00:00.250Z"
        assert store.endpoints.rest(store.read(), look_at=AT + 60)
        assert store.looked_at(ENDPOINT) == "2027-01-15T08:01:00.250Z"
        assert store.endpoints.rest(store.read(), look_at=None)
        assert store.looked_at(ENDPOINT) is None

    def test_who_wakes_it_learns_whether_it_was_at_rest(self, store: EndpointStore) -> None:
        store.created()
        assert [store.endpoints.wake(ENDPOINT, at=AT) for _ in range(3)] == [True, False, False]
        for look_at in (None, AT + 60):
            assert store.endpoints.rest(store.read(), look_at=look_at)
            assert [store.endpoints.wake(ENDPOINT, at=AT) for _ in range(2)] == [True, False]
        store.endpoints.rest(store.read(), look_at=None)
        store.endpoints.save(replace(store.read().endpoint, version=2), at=AT)
        assert not store.endpoints.wake(ENDPOINT, at=AT)

    def test_one_that_was_woken_meanwhile_does_not_rest(self, store: EndpointStore) -> None:
        seen = store.created()
        store.endpoints.wake(ENDPOINT, at=AT)
        assert not store.endpoints.rest(seen, look_at=None)
        assert store.looked_at(ENDPOINT) == "2027-01-15T08:00:00.250Z"

    def test_who_writes_its_health_must_have_seen_the_one_before(
        self, store: EndpointStore
    ) -> None:
        store.created()
        failing = Health(version=2, failures=5, failing_since=AT)
        store.endpoints.save_health(ENDPOINT, failing, event=None)
        store.endpoints.save_health(ENDPOINT, failing, event=None)  # the answer was lost
        assert store.read().health == failing
        assert store.read().state is EndpointState.FAILING
        with pytest.raises(Superseded):
            store.endpoints.save_health(ENDPOINT, Health(version=2), event=DISABLED)
        assert store.read().health == failing
        assert store.event(DISABLED.event_id) is None

    def test_its_health_is_written_with_its_event(self, store: EndpointStore) -> None:
        store.created()
        disabled = Health(version=2, disabled_at=AT, why="gone")
        store.endpoints.save_health(ENDPOINT, disabled, event=DISABLED)
        store.endpoints.save_health(ENDPOINT, disabled, event=DISABLED)
        assert store.read().state is EndpointState.DISABLED
        assert store.event(DISABLED.event_id) == DISABLED

    def test_its_application_and_the_deliverer_write_beside_each_other(
        self, store: EndpointStore
    ) -> None:
        seen = store.created()
        store.endpoints.save_health(ENDPOINT, Health(version=2, disabled_at=AT), event=None)
        changed = replace(seen.endpoint, paused=True, version=2)
        store.endpoints.save(changed, at=AT)
        assert store.read().health.disabled_at == AT
        enabled = replace(changed, paused=False, version=3)
        with pytest.raises(Superseded):
            store.endpoints.save(enabled, at=AT, health=Health(version=2))
        store.endpoints.save(enabled, at=AT, health=Health(version=3))
        assert store.read().state is EndpointState.ENABLED

    def test_one_that_is_deleted_is_gone(self, store: EndpointStore) -> None:
        seen = store.created()
        store.endpoints.delete(ENDPOINT, tenant=TENANT)
        store.endpoints.delete(ENDPOINT, tenant=TENANT)
        assert store.endpoints.get(ENDPOINT) is None
        assert store.endpoints.of_tenant(TENANT) == []
        assert not store.endpoints.rest(seen, look_at=AT)
        assert store.endpoints.get(ENDPOINT) is None


class DeliveryBehaviour:
    """Deliveries: offered once, found when they are due, and written by version."""

    def test_a_delivery_is_read_as_it_was_offered(self, store: EndpointStore) -> None:
        offered = a_delivery(at=AT)
        assert store.deliveries.get(ENDPOINT, "evt_1", event_at=AT) is None
        store.deliveries.offer(offered)
        store.deliveries.offer(replace(offered, due_at=AT + 60))
        assert store.deliveries.get(ENDPOINT, "evt_1", event_at=AT) == offered

    def test_those_that_are_due_are_found_the_longest_due_first(self, store: EndpointStore) -> None:
        assert store.deliveries.next_due(ENDPOINT) is None
        for number, due in enumerate((3, 1, 2, 4)):
            store.deliveries.offer(a_delivery(f"evt_{number}", at=AT, due_at=AT + due))
        store.deliveries.offer(a_delivery(at=AT, endpoint_id="end_2"))
        found = store.deliveries.due(ENDPOINT, at=AT + 3, most=10)
        assert [each.event_id for each in found] == ["evt_1", "evt_2", "evt_0"]
        found = store.deliveries.due(ENDPOINT, at=AT + 3, most=2)
        assert [each.event_id for each in found] == ["evt_1", "evt_2"]
        assert store.deliveries.due(ENDPOINT, at=AT, most=10) == []
        assert store.deliveries.next_due(ENDPOINT) == AT + 1

    def test_one_that_is_done_is_due_no_more(self, store: EndpointStore) -> None:
        store.deliveries.offer(a_delivery(at=AT))
        done = a_delivery(
            at=AT,
            status=DeliveryStatus.DELIVERED,
            due_at=0,
            version=2,
            log=(Attempt(at=AT, milliseconds=7, status=204),),
        )
        store.deliveries.save(done)
        store.deliveries.save(done)  # the answer was lost
        assert store.deliveries.get(ENDPOINT, "evt_1", event_at=AT) == done
        assert store.deliveries.due(ENDPOINT, at=AT + 9, most=10) == []
        assert store.deliveries.next_due(ENDPOINT) is None
        store.deliveries.save(a_delivery(at=AT, due_at=AT + 9, version=3))
        assert store.deliveries.next_due(ENDPOINT) == AT + 9

    def test_of_two_who_have_seen_the_same_one_writes(self, store: EndpointStore) -> None:
        store.deliveries.offer(a_delivery(at=AT))
        store.deliveries.save(a_delivery(at=AT, due_at=AT + 120, attempts=1, version=2))
        with pytest.raises(Superseded):
            store.deliveries.save(a_delivery(at=AT, due_at=AT + 121, attempts=1, version=2))
        with pytest.raises(Superseded):
            store.deliveries.save(a_delivery("evt_none", at=AT, version=2))

    def test_they_are_listed_from_the_newest_event_on(self, store: EndpointStore) -> None:
        store.created()
        for number in range(5):
            store.deliveries.offer(a_delivery(f"evt_{number}", at=AT + number, due_at=AT))
        store.deliveries.offer(a_delivery(at=AT, endpoint_id="end_2"))
        found: list[str] = []
        after: str | None = None
        while True:
            page, after = store.deliveries.page(ENDPOINT, limit=2, after=after)
            assert len(page) <= 2
            found += [each.event_id for each in page]
            if after is None:
                break
        assert found == ["evt_4", "evt_3", "evt_2", "evt_1", "evt_0"]
        for forged in ("~", "endpoint0", ";"):
            page, _ = store.deliveries.page(ENDPOINT, limit=1, after=forged)
            assert [each.event_id for each in page] == ["evt_4"], "the endpoint is no delivery"
