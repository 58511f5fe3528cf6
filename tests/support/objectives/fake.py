"""In-memory objectives and watches, under the conditions of their table."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from msgspec.structs import replace

from functions.core.freshness.objectives import TenantObjective, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.core.events.model import OutboxEvent


class Objectives:
    """Fake of ``ObjectiveTable``. ``events`` are those that were written with watches."""

    def __init__(self, events: dict[str, OutboxEvent]) -> None:
        self._events, self._lock = events, Lock()
        self._watches: dict[str, Watch] = {}
        self._tenants: dict[str, TenantObjective] = {}

    def watch(self, connection_id: str) -> Watch | None:
        return self._watches.get(connection_id)

    def watches(self, ids: Sequence[str]) -> list[Watch]:
        return [self._watches[id_] for id_ in ids if id_ in self._watches]

    def of_tenant(self, tenant: str) -> TenantObjective | None:
        return self._tenants.get(tenant)

    def all_watches(self) -> Iterator[Watch]:
        yield from self._watches.values()

    def due(self, *, at: float) -> list[str]:
        """What the index of open items lists: the connections to be looked at."""
        return [id_ for id_, one in self._watches.items() if 0 < one.look_at <= at]

    def put_own(
        self, connection_id: str, seconds: int, *, tenant: str, provider: str, at: float
    ) -> bool:
        with self._lock:
            before = self._watches.get(connection_id) or Watch(
                connection_id=connection_id, tenant=tenant, provider=provider, version=0
            )
            after = replace(before, own_seconds=seconds, tenant=tenant, provider=provider)
            self._watches[connection_id] = _marked(after, at=at)
        return not before.own_seconds

    def remove_own(self, connection_id: str, *, at: float) -> None:
        with self._lock:
            before = self._watches.get(connection_id)
            if before and before.own_seconds:
                self._watches[connection_id] = _marked(replace(before, own_seconds=0), at=at)

    def put_of_tenant(self, tenant: str, seconds: int, *, at: float) -> bool:
        with self._lock:
            before = self._tenants.get(tenant)
            self._tenants[tenant] = TenantObjective(
                tenant=tenant,
                max_age_seconds=seconds,
                look_at=at,
                version=before.version + 1 if before else 1,
            )
        return not (before and before.max_age_seconds)

    def remove_of_tenant(self, tenant: str, *, at: float) -> None:
        before = self._tenants.get(tenant)
        if before and before.max_age_seconds:
            self.put_of_tenant(tenant, 0, at=at)

    def mark(
        self, connection_id: str, *, tenant: str, provider: str, at: float, create: bool
    ) -> None:
        with self._lock:
            before = self._watches.get(connection_id)
            if before is None and create:
                before = Watch(
                    connection_id=connection_id, tenant=tenant, provider=provider, version=0
                )
            if before is not None:
                self._watches[connection_id] = _marked(before, at=at)

    def save(self, watch: Watch, *, event: OutboxEvent | None) -> bool:
        with self._lock:
            before = self._watches.get(watch.connection_id)
            if before is None or before.version != watch.version - 1:
                return False
            self._watches[watch.connection_id] = watch
            if event is not None:
                assert event.event_id not in self._events, "an event is written once"
                self._events[event.event_id] = event
        return True

    def delete(self, watch: Watch) -> bool:
        with self._lock:
            before = self._watches.get(watch.connection_id)
            if before is None or before.version != watch.version:
                return False
            del self._watches[watch.connection_id]
        return True

    def save_tenant(self, objective: TenantObjective) -> bool:
        with self._lock:
            before = self._tenants.get(objective.tenant)
            if before is None or before.version != objective.version - 1:
                return False
            self._tenants[objective.tenant] = objective
            if not (objective.max_age_seconds or objective.look_at):
                del self._tenants[objective.tenant]
        return True


def _marked(watch: Watch, *, at: float) -> Watch:
    return replace(watch, look_at=at, version=watch.version + 1)
