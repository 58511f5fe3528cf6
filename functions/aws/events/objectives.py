"""Objectives and watches in DynamoDB, and the writes of a watch that tell of it.

The items of a connection and of a tenant are in one table. Each that is to be looked at is listed
by its index of open items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.aws.tables.dynamodb import Table
from functions.aws.tables.open_items import LIST, open_attributes
from functions.aws.tables.outbox import event_requests
from functions.core.contract import LOOK_AT
from functions.core.freshness.objectives import TenantObjective, Watch
from functions.core.model import instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.tables.dynamodb import Item
    from functions.core.events.model import OutboxEvent

OF_TENANT: Final = "tenant#"
"""Before the tenant in the key of its objective."""

_SEEN: Final = "version = :seen"


class ObjectiveTable:
    """Implements ``core.freshness.objectives.Objectives``, and takes what applications put."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str, events: str) -> None:
        """Take the names of the table and of the one that the events are in."""
        self._table, self._events = Table(dynamodb, table), Table(dynamodb, events)

    def watch(self, connection_id: str) -> Watch | None:
        """Read a watch with a consistent read."""
        item = self._table.get(_key(connection_id))
        return _watch(item) if item else None

    def watches(self, ids: Sequence[str]) -> list[Watch]:
        """Read the watches of these connections, 100 at most, with a consistent read."""
        return list(map(_watch, self._table.get_many(list(map(_key, ids)), consistent=True)))

    def of_tenant(self, tenant: str) -> TenantObjective | None:
        """Read a tenant's objective with a consistent read."""
        item = self._table.get(_key(OF_TENANT + tenant))
        return _tenant_objective(item) if item else None

    def all_watches(self) -> Iterator[Watch]:
        """Read all watches; one that changes meanwhile may be as it was."""
        found = self._table.query_all(None, {})
        return (_watch(item) for item in found if tenant_of(item) is None)

    def put_own(
        self, connection_id: str, seconds: int, *, tenant: str, provider: str, at: float
    ) -> bool:
        """Give a connection an objective of its own; return True if it had none."""
        before = self._update(
            connection_id,
            f"SET tenant = :tenant, provider = :provider, own_seconds = :seconds, {LIST}",
            at=at,
            tenant=tenant,
            provider=provider,
            seconds=seconds,
        )
        return "own_seconds" not in before

    def remove_own(self, connection_id: str, *, at: float) -> None:
        """Take a connection's own objective from it, if it has one."""
        self._update(
            connection_id,
            f"REMOVE own_seconds SET {LIST}",
            condition="attribute_exists(own_seconds)",
            at=at,
        )

    def put_of_tenant(self, tenant: str, seconds: int, *, at: float) -> bool:
        """Give a tenant an objective; return True if it had none."""
        before = self._update(
            OF_TENANT + tenant,
            f"SET tenant = :tenant, max_age_seconds = :seconds, {LIST} REMOVE walked_to",
            at=at,
            tenant=tenant,
            seconds=seconds,
        )
        return "max_age_seconds" not in before

    def remove_of_tenant(self, tenant: str, *, at: float) -> None:
        """Take a tenant's objective from it, if it has one."""
        self._update(
            OF_TENANT + tenant,
            f"REMOVE max_age_seconds, walked_to SET {LIST}",
            condition="attribute_exists(max_age_seconds)",
            at=at,
        )

    def mark(
        self, connection_id: str, *, tenant: str, provider: str, at: float, create: bool
    ) -> None:
        """Have a watch looked at now; see ``Objectives.mark``."""
        self._update(
            connection_id,
            f"SET tenant = :tenant, provider = :provider, {LIST}",
            condition="" if create else "attribute_exists(objective_of)",
            at=at,
            tenant=tenant,
            provider=provider,
        )

    def save(self, watch: Watch, *, event: OutboxEvent | None) -> bool:
        """Write a watch with its event; see ``Objectives.save``."""
        put = self._table.put_request(
            _item_of(watch), condition=_SEEN, values={"seen": watch.version - 1}
        )
        if event is None:
            return self._table.write(put).done
        return self._table.transact([put, *event_requests(event, table=self._events)]) is None

    def delete(self, watch: Watch) -> bool:
        """Delete a watch; see ``Objectives.delete``."""
        return self._delete(watch.connection_id, version=watch.version)

    def save_tenant(self, objective: TenantObjective) -> bool:
        """Write how far the marking is; see ``Objectives.save_tenant``."""
        key, seen = OF_TENANT + objective.tenant, objective.version - 1
        if not (objective.max_age_seconds or objective.look_at):
            return self._delete(key, version=seen)
        item = {
            **_key(key),
            "tenant": objective.tenant,
            "version": objective.version,
            **_without_zeros(
                max_age_seconds=objective.max_age_seconds, walked_to=objective.walked_to
            ),
            **open_attributes(objective.look_at or None),
        }
        return self._table.write(
            self._table.put_request(item, condition=_SEEN, values={"seen": seen})
        ).done

    # --- inside ----------------------------------------------------------------------------

    def _delete(self, of: str, *, version: int) -> bool:
        return self._table.write(
            self._table.delete_request(_key(of), condition=_SEEN, values={"seen": version})
        ).done

    def _update(
        self, of: str, update: str, *, at: float, condition: str = "", **values: str | int
    ) -> Item:
        """Write, and have the item looked at now; return what was there before."""
        request = self._table.update_request(
            _key(of),
            f"{update} ADD version :one",
            condition=condition,
            values={**values, **open_attributes(at), "one": 1},
        )
        return self._table.write(request, old=True).item


def tenant_of(key: Item) -> str | None:
    """The tenant whose objective an item is; None where it is a connection's watch."""
    of: str = key["objective_of"]
    return of.removeprefix(OF_TENANT) if of.startswith(OF_TENANT) else None


def _key(of: str) -> Item:
    return {"objective_of": of}


def _item_of(watch: Watch) -> Item:
    return {
        **_key(watch.connection_id),
        "tenant": watch.tenant,
        "provider": watch.provider,
        "version": watch.version,
        **_without_zeros(
            own_seconds=watch.own_seconds,
            max_age_seconds=watch.max_age_seconds,
            age_from=watch.age_from,
            breached_at=watch.breached_at,
        ),
        **open_attributes(watch.look_at or None),
    }


def _without_zeros(**values: float | str) -> Item:
    return {name: value for name, value in values.items() if value}


def _watch(item: Item) -> Watch:
    return Watch(
        connection_id=item["objective_of"],
        tenant=item["tenant"],
        provider=item["provider"],
        own_seconds=item.get("own_seconds", 0),
        max_age_seconds=item.get("max_age_seconds", 0),
        age_from=float(item.get("age_from", 0)),
        breached_at=float(item.get("breached_at", 0)),
        look_at=_look_at(item),
        version=item["version"],
    )


def _tenant_objective(item: Item) -> TenantObjective:
    return TenantObjective(
        tenant=item["tenant"],
        max_age_seconds=item.get("max_age_seconds", 0),
        walked_to=item.get("walked_to", ""),
        look_at=_look_at(item),
        version=item["version"],
    )


def _look_at(item: Item) -> float:
    return instant(item[LOOK_AT]) if LOOK_AT in item else 0
