"""Suites for the events that other stores write; see ``stores.suite``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.errors import Aborted, ConnectionExists, Defect, Superseded
from functions.core.events.model import EventType, event_of_connection
from functions.core.model import Status, iso
from functions.core.refresh import steps as step
from tests.support.fakes.events import an_event
from tests.support.scripted_connector import CONNECTION, TENANT, TOKENS, a_connection
from tests.support.stores.suite import pointer

if TYPE_CHECKING:
    from functions.core.events.log import Line, Place
    from functions.core.events.model import OutboxEvent
    from functions.core.model import Refresh
    from tests.support.stores.suite import Stores


def told(stores: Stores, connection_id: str = CONNECTION) -> list[str]:
    """The types of a connection's events, in order."""
    return [event.type for event in read(stores.events.of_connection(connection_id))]


def read(line: Line, *, limit: int = 100) -> list[OutboxEvent]:
    found: list[OutboxEvent] = []
    after: Place | None = None
    while True:
        page, after = line(since=0, until=4_000_000_000, limit=limit, after=after)
        assert len(page) <= limit
        found += page
        if after is None:
            return found


def erased(at: float) -> OutboxEvent:
    return event_of_connection(a_connection(), EventType.CONNECTION_ERASED, version=0, at=at)


def publish(stores: Stores, refresh: Refresh, *, status: Status) -> None:
    ended = replace(step.fail(refresh, Defect, at=stores.clock()), status=status, error=None)
    stores.refreshes.publish(ended, seen=refresh.version, snapshot=pointer("s"), intervals=())


class RefreshEventBehaviour:
    """A refresh that ends is written with its event, and never without."""

    def test_one_that_runs_has_no_event(self, stores: Stores) -> None:
        refresh = stores.admitted()
        stores.refreshes.save(step.lose_job(refresh, at=stores.clock()), seen=refresh.version)
        assert told(stores) == ["connection.connected"]

    @pytest.mark.parametrize("status", [Status.PUBLISHED, Status.PARTIAL])
    def test_one_that_is_published_has_one(self, stores: Stores, status: Status) -> None:
        refresh = stores.admitted()
        stores.clock.now += 1
        publish(stores, refresh, status=status)
        assert told(stores) == ["connection.connected", f"refresh.{status}"]

    @pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
    def test_one_that_is_not_has_one_also_where_its_writer_repeats(
        self, stores: Stores, status: Status
    ) -> None:
        refresh = stores.admitted()
        stores.clock.now += 1
        at = stores.clock()
        failed = status is Status.FAILED
        ended = step.fail(refresh, Defect, at=at) if failed else step.cancel(refresh, at=at)
        for _ in range(2):
            stores.refreshes.save(ended, seen=refresh.version)
        assert told(stores) == ["connection.connected", f"refresh.{status}"]
        last = read(stores.events.of_tenant(TENANT))[-1]
        document = msgspec.json.decode(last.document)
        assert (document["data"]["version"], document["time"]) == (ended.version, iso(at))
        assert stores.events.get(last.event_id) == last
        assert stores.owed(at + 121) == {event.event_id for event in every(stores)}
        assert stores.owed(at + 119) == {every(stores)[0].event_id}

    def test_a_repetition_finds_an_announced_one_announced(self, stores: Stores) -> None:
        refresh = stores.admitted()
        ended = step.fail(refresh, Defect, at=stores.clock())
        stores.refreshes.save(ended, seen=refresh.version)
        for event in every(stores):
            stores.events.note_announced(event.event_id)
        stores.refreshes.save(ended, seen=refresh.version)
        assert stores.owed(stores.clock() + 1000) == set()

    def test_a_zombie_tells_nothing(self, stores: Stores) -> None:
        refresh = stores.admitted()
        stores.clock.now += 1
        at = stores.clock()
        stores.refreshes.save(step.cancel(refresh, at=at), seen=refresh.version)
        with pytest.raises(Superseded):
            stores.refreshes.save(step.fail(refresh, Aborted, at=at), seen=refresh.version)
        with pytest.raises(Superseded):
            publish(stores, refresh, status=Status.PUBLISHED)
        assert told(stores) == ["connection.connected", "refresh.cancelled"]


class ConnectionEventBehaviour:
    """A connection tells when it is there, signed in again, dead and erased."""

    @pytest.mark.parametrize(("credentials", "version"), [(TOKENS, 1), (None, 0)])
    def test_a_new_one_is_told(self, stores: Stores, credentials: Any, version: int) -> None:
        stores.connections.create(a_connection(), credentials)
        (event,) = every(stores)
        assert event.type == "connection.connected"
        assert event.at == stores.clock()
        document = msgspec.json.decode(event.document)
        assert (document["tenant"], document["subject"]) == (TENANT, CONNECTION)
        assert document["data"]["credentials_version"] == version

    def test_one_that_is_refused_is_not(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        same = a_connection("con_2", external_id=a_connection().external_id)
        with pytest.raises(ConnectionExists):
            stores.connections.create(same, TOKENS)
        assert told(stores, "con_2") == []

    def test_new_credentials_are_told_each_time_with_their_version(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        for _ in range(2):
            stores.clock.now += 1
            stores.connections.replace(a_connection(), TOKENS)
        events = every(stores)
        assert [event.type for event in events[1:]] == ["connection.reconnected"] * 2
        documents = [msgspec.json.decode(event.document) for event in events]
        assert [each["data"]["credentials_version"] for each in documents] == [1, 2, 3]

    def test_the_first_credentials_of_one_without_are_told(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), None)
        stores.clock.now += 1
        stores.connections.replace(a_connection(), TOKENS)
        assert told(stores) == ["connection.connected", "connection.reconnected"]
        assert stores.connections.load(CONNECTION).version == 1

    def test_dead_credentials_are_told_once_in_each_version(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        for version in (1, 2):
            stores.clock.now += 1
            for worker in (stores.connections, stores.sibling):
                worker.mark_dead(CONNECTION, version=version)
            stores.clock.now += 1
            stores.connections.replace(a_connection(), TOKENS)
        dead, alive = "connection.reauth_required", "connection.reconnected"
        assert told(stores) == ["connection.connected", dead, alive, dead, alive]

    @pytest.mark.parametrize("gone", ["another-version", "being-erased", "never-there"])
    def test_what_is_not_there_cannot_die(self, stores: Stores, gone: str) -> None:
        if gone != "never-there":
            stores.connections.create(a_connection(), TOKENS)
        if gone == "being-erased":
            stores.connections.begin_erasing(CONNECTION)
        stores.connections.mark_dead(CONNECTION, version=2 if gone == "another-version" else 1)
        assert "connection.reauth_required" not in told(stores)

    def test_one_that_is_erased_is_told_once(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        stores.connections.begin_erasing(CONNECTION)
        stores.clock.now += 1
        for _ in range(2):
            stores.connections.delete(CONNECTION, event=erased(stores.clock()))
            stores.clock.now += 1
        assert told(stores) == ["connection.connected", "connection.erased"]

    def test_what_was_never_there_is_not_told_for_having_been_erased(self, stores: Stores) -> None:
        stores.connections.delete(CONNECTION, event=erased(stores.clock()))
        assert every(stores) == []


class EventLogBehaviour:
    """Events: read one by one, and in their order."""

    def test_they_are_listed_from_the_oldest_on_page_by_page(self, stores: Stores) -> None:
        stores.connections.create(a_connection("con_x", tenant="other"), TOKENS)
        for number in range(5):
            stores.clock.now += number // 2  # some are of the same millisecond
            stores.connections.create(a_connection(f"con_{number}"), TOKENS)
        pages = [read(stores.events.of_tenant(TENANT), limit=limit) for limit in (1, 2, 100)]
        assert pages[0] == pages[1] == pages[2]
        assert {event.connection_id for event in pages[0]} == {f"con_{n}" for n in range(5)}
        assert pages[0] == sorted(pages[0], key=lambda event: event.at)

    def test_only_those_of_a_time_are_listed(self, stores: Stores) -> None:
        began = stores.clock()
        for number in range(4):
            stores.clock.now = began + number
            stores.connections.create(a_connection(f"con_{number}"), TOKENS)
        found, after = stores.events.of_tenant(TENANT)(
            since=began + 1, until=began + 2, limit=10, after=None
        )
        assert [event.connection_id for event in found] == ["con_1", "con_2"]
        assert after is None

    def test_one_that_is_forgotten_is_listed_no_more(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        (event,) = every(stores)
        assert list(stores.events.ids(CONNECTION)) == [event.event_id]
        for _ in range(2):
            stores.events.delete(event.event_id)
        assert stores.events.get(event.event_id) is None
        assert (every(stores), list(stores.events.ids(CONNECTION))) == ([], [])

    def test_one_that_is_announced_is_owed_no_more(self, stores: Stores) -> None:
        stores.connections.create(a_connection(), TOKENS)
        (event,) = every(stores)
        later = stores.clock() + 1000
        assert stores.owed(later) == {event.event_id}
        for _ in range(2):
            stores.events.note_announced(event.event_id)
        assert stores.owed(later) == set()
        assert every(stores) == [event]

    def test_an_announcement_brings_nothing_back(self, stores: Stores) -> None:
        stores.events.note_announced("evt_gone")
        assert stores.events.get("evt_gone") is None

    def test_one_about_no_connection_is_its_tenants(self, stores: Stores) -> None:
        event = an_event("end_1", EventType.ENDPOINT_DISABLED, at=stores.clock())
        stores.tell(event)
        assert every(stores) == [event]
        assert stores.events.get(event.event_id) == event


def every(stores: Stores) -> list[OutboxEvent]:
    """The tenant's events, in order."""
    return read(stores.events.of_tenant(TENANT))
