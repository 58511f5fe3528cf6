"""Suite for stores of objectives, the fake and the adapter alike; see ``stores.suite``.

A room that runs it has a fixture ``room`` that gives a fresh ``Room``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from functions.core.events.model import EventType, OutboxEvent, event_of_connection
from functions.core.freshness.objectives import Objectives, TenantObjective, Watch
from tests.support.scripted_connector import CONNECTION, TENANT, a_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

AT = 1_800_000_000.25


class ObjectiveKeeper(Objectives, Protocol):
    """Everything that the adapter for objectives can do."""

    def all_watches(self) -> Iterable[Watch]: ...
    def put_own(
        self, connection_id: str, seconds: int, *, tenant: str, provider: str, at: float
    ) -> bool: ...
    def remove_own(self, connection_id: str, *, at: float) -> None: ...
    def put_of_tenant(self, tenant: str, seconds: int, *, at: float) -> bool: ...
    def remove_of_tenant(self, tenant: str, *, at: float) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Room:
    """One store, empty; the ids of the events that were written; and what is due by an instant."""

    objectives: ObjectiveKeeper
    events: Callable[[], list[str]]
    due: Callable[[float], list[str]]

    def own(self, seconds: int = 900, *, at: float = AT) -> bool:
        return self.objectives.put_own(CONNECTION, seconds, tenant=TENANT, provider="banno", at=at)

    def mark(self, *, at: float = AT, create: bool = False) -> None:
        self.objectives.mark(CONNECTION, tenant=TENANT, provider="banno", at=at, create=create)

    def watch(self) -> Watch:
        found = self.objectives.watch(CONNECTION)
        assert found is not None
        return found

    def looked(self, **changes: float) -> Watch:
        """The watch as a look would write it."""
        watch = self.watch()
        return replace(watch, version=watch.version + 1, **changes)

    def tenants(self) -> TenantObjective:
        found = self.objectives.of_tenant(TENANT)
        assert found is not None
        return found


def an_event() -> OutboxEvent:
    return event_of_connection(a_connection(), EventType.FRESHNESS_BREACHED, version=1, at=AT)


class ObjectiveBehaviour:
    """Watches: what is marked is due, and a writer must have seen the last version."""

    def test_an_objective_of_its_own_is_kept_and_due_at_once(self, room: Room) -> None:
        assert room.objectives.watch(CONNECTION) is None
        assert room.own()
        assert not room.own(1200, at=AT + 1)
        watch = room.watch()
        assert (watch.tenant, watch.provider, watch.own_seconds) == (TENANT, "banno", 1200)
        assert (watch.look_at, watch.max_age_seconds, watch.breached_at) == (AT + 1, 0, 0)
        assert room.due(AT + 0.5) == []
        assert room.due(AT + 1) == [CONNECTION]

    def test_what_a_look_has_found_is_read_as_it_was_written(self, room: Room) -> None:
        room.own()
        found = room.looked(max_age_seconds=900, age_from=AT, look_at=AT + 900)
        assert room.objectives.save(found, event=None)
        assert room.watch() == found
        assert room.objectives.watches([CONNECTION, "con_none"]) == [found]
        assert list(room.objectives.all_watches()) == [found]
        assert room.due(AT + 899) == []

    def test_a_breach_is_written_with_its_event_and_due_no_more(self, room: Room) -> None:
        room.own()
        found = room.looked(max_age_seconds=900, age_from=AT, breached_at=AT + 901, look_at=0)
        assert room.objectives.save(found, event=an_event())
        assert room.watch() == found
        assert room.events() == [an_event().event_id]
        assert room.due(AT + 10**6) == []

    def test_who_has_seen_an_earlier_version_writes_neither_watch_nor_event(
        self, room: Room
    ) -> None:
        room.own()
        late = room.looked(breached_at=AT)
        room.mark(at=AT + 5)
        assert not room.objectives.save(late, event=an_event())
        assert not room.objectives.save(late, event=None)
        assert not room.objectives.delete(replace(late, version=late.version - 1))
        assert room.events() == []
        assert (room.watch().look_at, room.watch().breached_at) == (AT + 5, 0)

    def test_a_mark_leaves_what_a_look_has_found(self, room: Room) -> None:
        room.own()
        found = room.looked(max_age_seconds=900, age_from=AT, breached_at=AT, look_at=0)
        room.objectives.save(found, event=None)
        room.mark(at=AT + 7)
        assert room.watch() == replace(found, look_at=AT + 7, version=found.version + 1)

    def test_a_mark_makes_a_watch_only_where_it_should(self, room: Room) -> None:
        room.mark()
        assert room.objectives.watch(CONNECTION) is None
        room.mark(create=True)
        assert (room.watch().own_seconds, room.watch().look_at) == (0, AT)

    def test_a_watch_is_deleted(self, room: Room) -> None:
        room.own()
        assert room.objectives.delete(room.watch())
        assert room.objectives.watch(CONNECTION) is None
        assert not room.objectives.save(a_watch(version=5), event=an_event())
        assert room.events() == []

    def test_its_own_objective_is_taken_away_and_the_watch_stays_for_a_look(
        self, room: Room
    ) -> None:
        room.objectives.remove_own(CONNECTION, at=AT)
        assert room.objectives.watch(CONNECTION) is None
        room.own()
        room.objectives.remove_own(CONNECTION, at=AT + 3)
        assert (room.watch().own_seconds, room.watch().look_at) == (0, AT + 3)
        room.objectives.remove_own(CONNECTION, at=AT + 9)
        assert room.watch().look_at == AT + 3

    def test_a_tenant_s_objective_is_none_of_a_connection(self, room: Room) -> None:
        assert room.objectives.of_tenant(TENANT) is None
        assert room.objectives.put_of_tenant(TENANT, 3600, at=AT)
        assert not room.objectives.put_of_tenant(TENANT, 7200, at=AT + 1)
        assert (room.tenants().max_age_seconds, room.tenants().look_at) == (7200, AT + 1)
        assert list(room.objectives.all_watches()) == []
        assert room.objectives.of_tenant("other") is None

    def test_how_far_the_marking_is_is_kept_until_another_objective_comes(self, room: Room) -> None:
        room.objectives.put_of_tenant(TENANT, 3600, at=AT)
        walked = replace(room.tenants(), walked_to="con_7", version=2)
        assert room.objectives.save_tenant(walked)
        assert room.tenants() == walked
        assert not room.objectives.save_tenant(walked)
        room.objectives.put_of_tenant(TENANT, 7200, at=AT)
        assert room.tenants().walked_to == ""

    def test_a_tenant_s_objective_stays_when_all_are_marked(self, room: Room) -> None:
        room.objectives.put_of_tenant(TENANT, 3600, at=AT)
        done = replace(room.tenants(), look_at=0, version=2)
        assert room.objectives.save_tenant(done)
        assert room.tenants() == done

    def test_one_that_was_removed_stays_until_all_are_marked(self, room: Room) -> None:
        room.objectives.remove_of_tenant(TENANT, at=AT)
        assert room.objectives.of_tenant(TENANT) is None
        room.objectives.put_of_tenant(TENANT, 3600, at=AT)
        room.objectives.remove_of_tenant(TENANT, at=AT + 2)
        assert (room.tenants().max_age_seconds, room.tenants().look_at) == (0, AT + 2)
        walked = replace(room.tenants(), walked_to="con_7", version=3)
        assert room.objectives.save_tenant(walked)
        late = replace(walked, look_at=0, walked_to="", version=3)
        assert not room.objectives.save_tenant(late)
        assert room.objectives.save_tenant(replace(late, version=4))
        assert room.objectives.of_tenant(TENANT) is None


def a_watch(**changes: int) -> Watch:
    watch = Watch(connection_id=CONNECTION, tenant=TENANT, provider="banno", version=1)
    return replace(watch, **changes)
