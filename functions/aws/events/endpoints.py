"""Endpoints in DynamoDB. Their deliveries are items of the same table, see ``deliveries``.

An endpoint is the entry ``endpoint`` under its id. Its application writes the document and its
version, the deliverer its health. A call that stores a delivery counts up ``wakes``. So a deliverer
that is about to let the endpoint rest finds that there is more.

Which endpoints a tenant has is an item of its own, as that is read consistently: an index that does
not show a new endpoint yet would keep an event from it for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.tables.dynamodb import Table, to_text
from functions.aws.tables.idempotency import answer_requests
from functions.aws.tables.open_items import LIST, UNLIST, open_attributes
from functions.aws.tables.outbox import event_requests
from functions.core.delivery.model import MAX_ENDPOINTS, Endpoint, Health
from functions.core.delivery.ports import StoredEndpoint
from functions.core.errors import Superseded, TooManyEndpoints

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.tables.dynamodb import Item
    from functions.core.events.model import OutboxEvent
    from functions.core.idempotency import Key

ENTRY: Final = "endpoint"

OF_TENANT: Final = "tenant#"
"""Before the tenant in the key of the list of its endpoints."""

WAKE: Final = f"wakes = wakes + :one, awake = :yes, {LIST}"
SET_HEALTH: Final = "health = :health, health_version = :health_version"
HEALTH_SEEN: Final = "health_version = :health_seen"


class EndpointTable:
    """Implements ``core.delivery.ports.Endpoints``."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str, keys: str, events: str) -> None:
        """Take the names of the endpoints', the idempotency keys' and the events' tables."""
        self._table = Table(dynamodb, table)
        self._keys, self._events = Table(dynamodb, keys), Table(dynamodb, events)

    def get(self, endpoint_id: str) -> StoredEndpoint | None:
        """Read one with a consistent read; None when there is none."""
        item = self._table.get(_key(endpoint_id))
        return _to_stored(item) if item else None

    def of_tenant(self, tenant: str) -> list[StoredEndpoint]:
        """Read those of a tenant, the oldest first, with consistent reads."""
        listed = self._table.get(_list_key(tenant)) or {}
        keys = [_key(id_) for id_ in listed.get("endpoint_ids", ())]
        stored = [_to_stored(item) for item in self._table.get_many(keys, consistent=True)]
        return sorted(stored, key=lambda one: one.endpoint.created_at)

    def create(self, endpoint: Endpoint, *, key: Key | None = None) -> None:
        """Store a new one.

        Raises:
            Superseded: the key is noted already.
            TooManyEndpoints: its tenant has as many as it may have.
        """
        put = self._table.put_request(
            {
                **_key(endpoint.endpoint_id),
                "version": endpoint.version,
                "document": to_text(endpoint),
                "health": to_text(Health()),
                "health_version": Health().version,
                "wakes": 0,
            },
            condition="attribute_not_exists(endpoint_id)",
        )
        listed = self._table.update_request(
            _list_key(endpoint.tenant),
            "ADD endpoint_ids :ids",
            condition="attribute_not_exists(endpoint_ids) OR size(endpoint_ids) < :most",
            values={"ids": {endpoint.endpoint_id}, "most": MAX_ENDPOINTS},
        )
        noted = answer_requests(key, endpoint.endpoint_id, table=self._keys, at=endpoint.created_at)
        reasons = self._table.transact([put, listed, *noted])
        if reasons is None or _is_written(endpoint, reasons[0].item):
            return
        if any(reason.unmet for reason in reasons[2:]) or not reasons[1].unmet:
            raise Superseded
        raise TooManyEndpoints

    def save(self, endpoint: Endpoint, *, at: float, health: Health | None = None) -> None:
        """Write it where the version before it is stored, and wake it.

        Args:
            endpoint: as it is to be.
            at: the time.
            health: is written, too, where the version before it is stored; None leaves it alone.

        Raises:
            Superseded: another writer was faster, or it is deleted.
        """
        update = "SET version = :version, document = :document"
        condition = "version = :seen"
        values: Item = {
            "version": endpoint.version,
            "document": to_text(endpoint),
            "seen": endpoint.version - 1,
        }
        if health is not None:
            update, condition = f"{update}, {SET_HEALTH}", f"{condition} AND {HEALTH_SEEN}"
            values = {**values, **_health_values(health)}
        saved, stored = self._table.write(
            self._table.update_request(
                _key(endpoint.endpoint_id),
                f"{update}, {WAKE}",
                condition=condition,
                values={**values, **_woken(at)},
            )
        )
        if not saved and not _is_written(endpoint, stored):
            raise Superseded

    def delete(self, endpoint_id: str, *, tenant: str) -> None:
        """Delete it; a repetition changes nothing. Its deliveries are kept until they expire."""
        unlist = self._table.update_request(
            _list_key(tenant), "DELETE endpoint_ids :ids", values={"ids": {endpoint_id}}
        )
        self._table.transact([self._table.delete_request(_key(endpoint_id)), unlist])

    def wake(self, endpoint_id: str, *, at: float) -> bool:
        """Note that it has deliveries that are due; False if it was awake, or is deleted."""
        done, before = self._table.write(
            self._table.update_request(
                _key(endpoint_id),
                f"SET {WAKE}",
                condition="attribute_exists(endpoint_id)",
                values=_woken(at),
            ),
            old=True,
        )
        return done and "awake" not in before

    def rest(self, stored: StoredEndpoint, *, look_at: float | None) -> bool:
        """Note when to look at it again, None for not at all.

        Returns:
            False if it was woken since it was read, or is deleted: nothing is noted then.
        """
        update = f"{UNLIST}, awake" if look_at is None else f"SET {LIST} REMOVE awake"
        return self._table.write(
            self._table.update_request(
                _key(stored.endpoint.endpoint_id),
                update,
                condition="wakes = :seen",
                values={"seen": stored.wakes, **open_attributes(look_at)},
            )
        ).done

    def save_health(self, endpoint_id: str, health: Health, *, event: OutboxEvent | None) -> None:
        """Write its health where the version before it is stored, and an event at once.

        Raises:
            Superseded: another writer was faster, or it is deleted.
        """
        request = self._table.update_request(
            _key(endpoint_id),
            f"SET {SET_HEALTH}",
            condition=HEALTH_SEEN,
            values=_health_values(health),
        )
        reasons = self._table.transact([request, *event_requests(event, table=self._events)])
        if reasons is not None and reasons[0].item.get("health") != to_text(health):
            raise Superseded


def _key(endpoint_id: str) -> dict[str, str]:
    return {"endpoint_id": endpoint_id, "entry": ENTRY}


def _list_key(tenant: str) -> dict[str, str]:
    return {"endpoint_id": f"{OF_TENANT}{tenant}", "entry": "endpoints"}


def _woken(at: float) -> Item:
    return {"one": 1, "yes": True, **open_attributes(at)}


def _health_values(health: Health) -> Item:
    return {
        "health": to_text(health),
        "health_version": health.version,
        "health_seen": health.version - 1,
    }


def _to_stored(item: Item) -> StoredEndpoint:
    return StoredEndpoint(
        endpoint=msgspec.json.decode(item["document"], type=Endpoint),
        health=msgspec.json.decode(item["health"], type=Health),
        wakes=item["wakes"],
    )


def _is_written(endpoint: Endpoint, item: Item) -> bool:
    """True if a refused write finds what it would write: its answer was lost before."""
    return bool(item) and _to_stored(item).endpoint == endpoint
