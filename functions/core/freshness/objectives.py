"""Objectives: how old data may be, and what is told when they are older, and no longer older.

An objective is a connection's own, or its tenant's for the connections that have none. Each
connection with an objective has a watch: the age of the data, and the instant at which the age
exceeds the objective. A publication, a new connection, an erasure and another objective mark the
watch. A sweep looks at the watches that are marked or due. It reads a watch first and then what the
watch depends on, and writes the watch with its event in one transaction, if the stored watch is
still the one that it has read. So a breach has one event, however many sweeps meet. A sweep that
has read before a change is refused, or another one sees the change.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from msgspec.structs import replace

from functions.core.errors import Action
from functions.core.events.model import EventType, build_event
from functions.core.freshness.assess import Cause
from functions.core.model import Connection, iso, when

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.core.events.model import OutboxEvent
    from functions.core.freshness.assess import Freshness

    Explain = Callable[[Connection, int], Freshness]
    """Says how fresh a connection's data are, by an age in seconds."""

PAGE: Final = 100
"""How many connections of a tenant are marked at a time."""

_MARKING: Final = {
    EventType.REFRESH_PUBLISHED,
    EventType.REFRESH_PARTIAL,
    EventType.CONNECTION_CONNECTED,
    EventType.CONNECTION_ERASED,
}
"""The events after which a watch may be another."""


class ObjectiveOf(StrEnum):
    """Whose objective it is."""

    CONNECTION = "connection"
    TENANT = "tenant"


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """How old a connection's data may be, and since when it is known that they are older.

    ``breached_at`` is 0 where they are not.
    """

    max_age_seconds: int
    of: ObjectiveOf
    breached_at: float = 0


class TenantObjective(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's objective. Its connections are marked one page after the other.

    ``max_age_seconds`` is 0 once it is removed. ``walked_to`` is the last connection that is
    marked. ``version`` counts the writes.
    """

    tenant: str
    max_age_seconds: int
    walked_to: str = ""
    look_at: float = 0
    version: int


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a connection with an objective.

    ``own_seconds`` is the connection's own objective, 0 where it has none. The rest is as the last
    look has found it: ``max_age_seconds`` of the objective that holds, 0 before the first look;
    ``age_from``, the instant from which the age counts, 0 where that is not known; and
    ``breached_at``, when a look has found the age exceeded, 0 where it is not. ``look_at`` is 0
    while nothing but a mark can change it. ``version`` counts the writes.
    """

    connection_id: str
    tenant: str
    provider: str
    own_seconds: int = 0
    max_age_seconds: int = 0
    age_from: float = 0
    breached_at: float = 0
    look_at: float = 0
    version: int

    @property
    def of(self) -> ObjectiveOf:
        """Whose objective holds."""
        return ObjectiveOf.CONNECTION if self.own_seconds else ObjectiveOf.TENANT


class FreshnessData(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells of a breach, or of its end.

    ``as_of`` is null where the age is not known or nothing is published. ``restored_at`` is null
    in a breach; ``cause`` and ``action`` are null in its end, or where nothing is to be done.
    """

    connection_id: str
    provider: str
    max_age_seconds: int
    of: ObjectiveOf
    as_of: str | None
    breached_at: str
    restored_at: str | None
    cause: Cause | None
    action: Action | None
    url: str


class Objectives(Protocol):
    """Stores objectives and watches."""

    def watch(self, connection_id: str) -> Watch | None:
        """Read a watch with a consistent read."""

    def watches(self, ids: Sequence[str]) -> list[Watch]:
        """Read the watches of these connections, 100 at most, with a consistent read."""

    def of_tenant(self, tenant: str) -> TenantObjective | None:
        """Read a tenant's objective with a consistent read."""

    def mark(
        self, connection_id: str, *, tenant: str, provider: str, at: float, create: bool
    ) -> None:
        """Have a watch looked at now. One that is not there is made, if ``create``."""

    def save(self, watch: Watch, *, event: OutboxEvent | None) -> bool:
        """Write a watch, with an event in the same transaction, where its last version is stored.

        Returns:
            False where another writer was faster.
        """

    def delete(self, watch: Watch) -> bool:
        """Delete a watch where this version is stored; False where another writer was faster."""

    def save_tenant(self, objective: TenantObjective) -> bool:
        """Write how far the marking is, where the last version is stored.

        Once nothing of a removed objective is to be marked, it is deleted.
        """


class Connections(Protocol):
    """Reads connections."""

    def get_many(self, ids: Sequence[str]) -> list[Connection]:
        """Read those of these ids, 100 at most, that are there, with a consistent read."""

    def page(
        self, tenant: str, *, limit: int, after: str | None
    ) -> tuple[list[Connection], str | None]:
        """Read a tenant's connections in the order of their ids, and the id to go on after."""


class Seen(msgspec.Struct, frozen=True):
    """A watch that is due, and what it depends on. ``tenant_seconds`` is 0 for no objective."""

    watch: Watch
    connection: Connection | None
    tenant_seconds: int


def find_objective(connection: Connection, objectives: Objectives) -> Objective | None:
    """The objective that holds for a connection: two reads."""
    watch = objectives.watch(connection.connection_id)
    breached_at = watch.breached_at if watch else 0
    if watch and watch.own_seconds:
        return Objective(
            max_age_seconds=watch.own_seconds, of=ObjectiveOf.CONNECTION, breached_at=breached_at
        )
    seconds = _read_seconds(objectives, connection.tenant)
    if not seconds:
        return None
    return Objective(max_age_seconds=seconds, of=ObjectiveOf.TENANT, breached_at=breached_at)


def note(event: OutboxEvent, objectives: Objectives, *, at: float) -> None:
    """Mark the watch that may be another after an event; make it where the tenant wants one."""
    if event.type in _MARKING:
        lives = event.type is not EventType.CONNECTION_ERASED
        objectives.mark(
            event.connection_id,
            tenant=event.tenant,
            provider=event.provider,
            at=at,
            create=lives and _read_seconds(objectives, event.tenant) > 0,
        )


def spread(
    objective: TenantObjective, objectives: Objectives, connections: Connections, *, at: float
) -> TenantObjective | None:
    """Mark a page of a tenant's connections, whose objective is another.

    Returns:
        The objective as it is then, for the next page; None where all are marked, or the
        objective has been changed meanwhile.
    """
    page, after = connections.page(objective.tenant, limit=PAGE, after=objective.walked_to or None)
    for one in page:
        objectives.mark(
            one.connection_id,
            tenant=one.tenant,
            provider=one.provider,
            at=at,
            create=objective.max_age_seconds > 0,
        )
    then = replace(
        objective,
        walked_to=after or "",
        look_at=at if after else 0,
        version=objective.version + 1,
    )
    return then if objectives.save_tenant(then) and after else None


def read_due(
    ids: Sequence[str], objectives: Objectives, connections: Connections, *, at: float
) -> list[Seen]:
    """Read the watches of these connections, 100 at most, that are due, and what they depend on."""
    watches = [one for one in objectives.watches(ids) if 0 < one.look_at <= at]
    found = connections.get_many([one.connection_id for one in watches])
    by_id = {one.connection_id: one for one in found}
    tenants = {tenant: _read_seconds(objectives, tenant) for tenant in {w.tenant for w in watches}}
    return [Seen(one, by_id.get(one.connection_id), tenants[one.tenant]) for one in watches]


def update_watch(seen: Seen, objectives: Objectives, *, explain: Explain, at: float) -> None:
    """Write a watch as it is now, with the event of a breach or of its end.

    Where nothing is to be watched any more it is deleted, and nothing is told. Where another
    writer was faster, nothing is done: what has changed has marked the watch.
    """
    before, connection = seen.watch, seen.connection
    seconds = before.own_seconds or seen.tenant_seconds
    if connection is None or not seconds:
        objectives.delete(before)
        return
    after = _look(before, connection, max_age_seconds=seconds, at=at)
    event = None
    if bool(after.breached_at) != bool(before.breached_at):
        found = explain(connection, seconds) if after.breached_at else None
        event = _event(before, after, connection, found=found, at=at)
    objectives.save(after, event=event)


def _look(watch: Watch, connection: Connection, *, max_age_seconds: int, at: float) -> Watch:
    """The watch as it is now. Without a snapshot, the age counts from the registration."""
    snapshot = connection.snapshot
    age_from = snapshot.as_of if snapshot else connection.created_at
    exceeded_at = age_from + max_age_seconds
    is_breached = exceeded_at < at
    return replace(
        watch,
        max_age_seconds=max_age_seconds,
        age_from=age_from,
        breached_at=(watch.breached_at or at) if is_breached else 0,
        look_at=0 if is_breached else exceeded_at,
        version=watch.version + 1,
    )


def _read_seconds(objectives: Objectives, tenant: str) -> int:
    found = objectives.of_tenant(tenant)
    return found.max_age_seconds if found else 0


def _event(
    before: Watch, after: Watch, connection: Connection, *, found: Freshness | None, at: float
) -> OutboxEvent:
    """The event of a breach, with what was found then, or of its end."""
    as_of = connection.snapshot.as_of if connection.snapshot else 0
    return build_event(
        EventType.FRESHNESS_BREACHED if found else EventType.FRESHNESS_RESTORED,
        tenant=after.tenant,
        subject=after.connection_id,
        version=iso(at),
        at=at,
        data=FreshnessData(
            connection_id=after.connection_id,
            provider=after.provider,
            max_age_seconds=after.max_age_seconds,
            of=after.of,
            as_of=when(as_of),
            breached_at=iso(after.breached_at or before.breached_at),
            restored_at=None if found else iso(at),
            cause=found.cause if found else None,
            action=found.advice.action if found else None,
            url=f"/v1/connections/{after.connection_id}/freshness",
        ),
        connection_id=after.connection_id,
        provider=after.provider,
    )
