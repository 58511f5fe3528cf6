"""Connections with objectives over fakes, as announcing and sweeping go through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from functions.core.events.model import EventType, OutboxEvent, event_of_connection
from functions.core.freshness.assess import Known, assess
from functions.core.freshness.objectives import note, read_due, spread, update_watch
from functions.core.model import Connection, Part, PartState, SnapshotPointer
from tests.support.fakes.stores import Clock
from tests.support.objectives.fake import Objectives
from tests.support.scripted_connector import TENANT, a_connection, a_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.core.freshness.assess import Freshness
    from functions.core.freshness.objectives import Seen


class Registered:
    """The connections that are there, as their table gives them."""

    def __init__(self) -> None:
        self.by_id: dict[str, Connection] = {}

    def get(self, connection_id: str, *, fresh: bool = True) -> Connection | None:
        del fresh
        return self.by_id.get(connection_id)

    def get_many(self, ids: Sequence[str]) -> list[Connection]:
        return [self.by_id[id_] for id_ in ids if id_ in self.by_id]

    def page(
        self, tenant: str, *, limit: int, after: str | None
    ) -> tuple[list[Connection], str | None]:
        own = sorted(id_ for id_, one in self.by_id.items() if one.tenant == tenant)
        left = [id_ for id_ in own if after is None or id_ > after]
        page = [self.by_id[id_] for id_ in left[:limit]]
        return page, left[limit - 1] if len(left) > limit else None


class ObjectiveHarness:
    """A clock, connections, objectives, and the events of freshness."""

    def __init__(self) -> None:
        self.clock, self.connections = Clock(), Registered()
        self.events: dict[str, OutboxEvent] = {}
        self.objectives = Objectives(self.events)

    # --- what happens ------------------------------------------------------------------------

    def connect(self, connection_id: str, *, tenant: str = TENANT) -> None:
        one = a_connection(connection_id, tenant=tenant, created_at=self.clock())
        self.connections.by_id[connection_id] = one
        self.announce(connection_id, EventType.CONNECTION_CONNECTED)

    def publish(self, connection_id: str, *, as_of: float, announced: bool = True) -> None:
        before, at = self.connections.by_id[connection_id], self.clock()
        pointer = SnapshotPointer(
            refresh_id="ref_1", key="k", version_id="1", published_at=at, as_of=as_of
        )
        self.connections.by_id[connection_id] = replace(before, snapshot=pointer)
        if announced:
            self.announce(connection_id, EventType.REFRESH_PUBLISHED)

    def erase(self, connection_id: str) -> None:
        erased = self.connections.by_id.pop(connection_id)
        self._note(event_of_connection(erased, EventType.CONNECTION_ERASED, version=1, at=1))

    def announce(self, connection_id: str, type_: EventType) -> None:
        one = self.connections.by_id[connection_id]
        self._note(event_of_connection(one, type_, version=1, at=self.clock()))

    def _note(self, event: OutboxEvent) -> None:
        note(event, self.objectives, at=self.clock())

    def own(self, connection_id: str, seconds: int) -> bool:
        tenant = self.connections.by_id[connection_id].tenant
        return self.objectives.put_own(
            connection_id, seconds, tenant=tenant, provider="banno", at=self.clock()
        )

    # --- the sweep ---------------------------------------------------------------------------

    def sweep(self) -> None:
        self.spread()
        for seen in self.read():
            self.update(seen)

    def spread(self, tenant: str = TENANT) -> None:
        objective = self.objectives.of_tenant(tenant)
        while objective and objective.look_at:
            objective = spread(objective, self.objectives, self.connections, at=self.clock())

    def read(self) -> list[Seen]:
        at = self.clock()
        return read_due(self.objectives.due(at=at), self.objectives, self.connections, at=at)

    def update(self, seen: Seen) -> None:
        update_watch(seen, self.objectives, explain=self._explain, at=self.clock())

    def _explain(self, connection: Connection, max_age_seconds: int) -> Freshness:
        at = self.clock()
        return assess(self.known(connection, at=at), at=at, max_age_seconds=max_age_seconds)

    def known(self, connection: Connection, *, at: float) -> Known:
        """A connection whose snapshot, if it has one, has one part, which was fresh."""
        assert at == self.clock()
        if connection.snapshot is None:
            return Known(connection=connection)
        as_of = connection.snapshot.as_of
        part = Part(part="a", state=PartState.FRESH, as_of=as_of)
        return Known(
            connection=connection, manifest=replace(a_manifest(as_of=as_of), parts=(part,))
        )

    # --- what came of it ---------------------------------------------------------------------

    def told(self) -> list[tuple[str, str]]:
        """The connection and the type of each event, in the order of their writing."""
        return [(one.connection_id, one.type.partition(".")[2]) for one in self.events.values()]
