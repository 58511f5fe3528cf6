"""Refreshes in DynamoDB, and the two writes that touch a connection's slot with them.

A refresh is stored whole with the version that its writer had seen as the condition. The
client's own retries may repeat a write whose answer was lost; a repetition finds what it wrote.
One that has ended is written together with its event.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.tables.connection_items import SCHEDULED_AT
from functions.aws.tables.dynamodb import Table, to_text
from functions.aws.tables.idempotency import answer_requests
from functions.aws.tables.open_items import open_attributes
from functions.aws.tables.outbox import event_requests
from functions.core.contract import HINTED, REFRESH_DAYS, WAKE, Index, Reason
from functions.core.errors import Superseded
from functions.core.events.model import event_of_refresh
from functions.core.model import Interval, Refresh, SnapshotPointer, iso
from functions.core.reconcile import next_look

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.tables.dynamodb import Item, Request, Written
    from functions.core.contract import Ticket
    from functions.core.idempotency import Key
    from functions.core.refresh.history import Line, Place

_DAY: Final = 24 * 60 * 60


class RefreshTable:
    """Implements ``core.refresh.ports.Refreshes``."""

    def __init__(
        self, dynamodb: DynamoDBClient, *, table: str, connections: str, events: str
    ) -> None:
        """Take the names of the refreshes', the connections' and the events' tables."""
        self._table, self._connections = Table(dynamodb, table), Table(dynamodb, connections)
        self._events = Table(dynamodb, events)

    def get(self, refresh_id: str) -> Refresh | None:
        """Read one with a consistent read. Other items of the table are no refreshes."""
        item = self._table.get({"refresh_id": refresh_id})
        return _refresh(item) if item and "document" in item else None

    def get_many(self, ids: Collection[str]) -> list[Refresh]:
        """Read those of these ids, 100 at most, that exist, in no order, with a consistent read."""
        keys = [{"refresh_id": id_} for id_ in ids]
        return [_refresh(item) for item in self._table.get_many(keys, consistent=True)]

    def ids(self, connection_id: str) -> Iterator[str]:
        """List the ids of a connection's refreshes, oldest first."""
        found = self._table.query_all(
            "connection_id = :id", {"id": connection_id}, index=Index.BY_CONNECTION
        )
        return (item["refresh_id"] for item in found)

    def of_tenant(self, tenant: str) -> Line[Refresh]:
        """List those of a tenant, newest first. One that is a moment old may be missing still."""
        return partial(self._page, Index.BY_TENANT, {"tenant": tenant})

    def of_connection(self, connection_id: str) -> Line[Refresh]:
        """List those of a connection, in the same way."""
        return partial(self._page, Index.BY_CONNECTION, {"connection_id": connection_id})

    def delete(self, refresh_id: str) -> None:
        """Forget one."""
        self._table.write(self._table.delete_request({"refresh_id": refresh_id}))

    def admit(self, refresh: Refresh, *, until: float, key: Key | None = None) -> str:
        """Write the refresh, take the slot and note the key, all in one transaction.

        Or return the id of the refresh that holds the slot.
        """
        id_, at = refresh.refresh_id, refresh.requested_at
        noted = f", {SCHEDULED_AT} = :now" if refresh.reason is Reason.SCHEDULE else ""
        reasons = self._table.transact(
            [
                self._put_request(refresh, condition="attribute_not_exists(refresh_id)"),
                self._slot_request(
                    refresh,
                    f"SET running = :refresh, running_until = :until{noted}",
                    condition="attribute_exists(connection_id) AND attribute_not_exists(erasing)"
                    " AND (attribute_not_exists(running) OR running_until < :now)",
                    values={"refresh": id_, "until": until, "now": at},
                ),
                *answer_requests(key, id_, table=self._table, at=at),
            ]
        )
        if reasons is None:
            return id_
        holder: str | None = reasons[1].item.get("running")
        if holder is None:
            raise Superseded
        return holder

    def save(self, refresh: Refresh, *, seen: int) -> None:
        """Write the refresh where the stored version is still ``seen``."""
        saved, stored = self._table.write_with(
            self._put_request(refresh, seen=seen), self._event_requests(refresh)
        )
        if not saved and (not stored or _refresh(stored) != refresh):
            raise Superseded

    def publish(
        self,
        refresh: Refresh,
        *,
        seen: int,
        snapshot: SnapshotPointer,
        intervals: Sequence[Interval],
    ) -> None:
        """Point the connection to the snapshot, end the refresh and free the slot, at once.

        Raises:
            Superseded: the refresh was ended, or lost its slot, by someone else.
        """
        reasons = self._table.transact(
            [
                self._put_request(refresh, seen=seen),
                self._slot_request(
                    refresh,
                    "SET previous = if_not_exists(latest, :none), latest = :snapshot,"
                    " intervals = :intervals REMOVE running, running_until, next_allowed_at",
                    condition="running = :refresh AND attribute_not_exists(erasing)",
                    values={
                        "refresh": refresh.refresh_id,
                        "snapshot": to_text(snapshot),
                        "none": to_text(None),
                        "intervals": to_text(intervals),
                    },
                ),
                *self._event_requests(refresh),
            ]
        )
        if reasons is not None:
            raise Superseded

    def release(self, refresh: Refresh) -> None:
        """Free the slot if this refresh still has it."""
        self._update_slot(refresh, "REMOVE running, running_until")

    def hold(self, refresh: Refresh, *, until: float) -> None:
        """Keep the slot longer, if this refresh still has it."""
        self._update_slot(refresh, "SET running_until = :until", until=until)

    def forbid(self, failed: Refresh | Ticket, *, until: float) -> None:
        """Note until when the provider wants no refresh, if this one still has the slot."""
        self._update_slot(failed, "SET next_allowed_at = :until", until=until)

    def forget_webhooks(self, refresh_id: str) -> None:
        """Forget the webhooks so far, and the task that they would wake."""
        self._update_item(refresh_id, f"REMOVE {HINTED}, {WAKE}")

    def is_webhook_noted(self, refresh_id: str) -> bool:
        """True if a webhook came that is not forgotten."""
        return HINTED in (self._table.get({"refresh_id": refresh_id}) or {})

    def note_webhook(self, refresh_id: str, *, by: str) -> str | None:
        """Note a webhook or new credentials; return the task token of a state that waits for one.

        The state machine writes its token only where no webhook is noted, see
        ``infra.machines.refresh``: the second of the two writers finds the first. Writing the
        refresh anew forgets both, as a look came before that or follows at once. Only a webhook
        that comes while a trigger finds the user still missing waits for its next time; after
        such a write, ``core.refresh.trigger`` looks for new credentials by their version.

        Args:
            by: digest of the webhook's own token, or a name of the new credentials; what comes
                again is ignored.
        """
        hinted, item = self._update_item(
            refresh_id,
            f"SET {HINTED} = :yes ADD told_by :all",
            condition="attribute_exists(refresh_id) AND NOT contains(told_by, :one)",
            values={"yes": True, "all": {by}, "one": by},
        )
        return item.get(WAKE) if hinted else None

    # --- inside ----------------------------------------------------------------------------

    def _page(
        self, index: Index, owner: dict[str, str], *, limit: int, after: Place | None
    ) -> tuple[list[Refresh], Place | None]:
        items, following = self._table.query_newest(
            index, owner, key="refresh_id", limit=limit, after=after
        )
        return [_refresh(item) for item in items], following

    def _update_item(
        self,
        refresh_id: str,
        update: str,
        *,
        condition: str = "attribute_exists(refresh_id)",
        values: Item | None = None,
    ) -> Written:
        key = {"refresh_id": refresh_id}
        return self._table.write(
            self._table.update_request(key, update, condition=condition, values=values)
        )

    def _update_slot(self, refresh: Refresh | Ticket, update: str, **until: float) -> None:
        values = {"refresh": refresh.refresh_id, **until}
        self._connections.write(
            self._slot_request(refresh, update, condition="running = :refresh", values=values)
        )

    def _slot_request(
        self, refresh: Refresh | Ticket, update: str, *, condition: str, values: Item
    ) -> Request:
        key = {"connection_id": refresh.connection_id}
        return self._connections.update_request(key, update, condition=condition, values=values)

    def _event_requests(self, refresh: Refresh) -> list[Request]:
        return event_requests(event_of_refresh(refresh), table=self._events)

    def _put_request(
        self, refresh: Refresh, *, seen: int | None = None, condition: str = "version = :seen"
    ) -> Request:
        return self._table.put_request(
            {
                "refresh_id": refresh.refresh_id,
                "connection_id": refresh.connection_id,
                "tenant": refresh.tenant,
                "requested_at": iso(refresh.requested_at),
                "version": refresh.version,
                "document": to_text(refresh),
                "expires_at": int(refresh.requested_at) + REFRESH_DAYS * _DAY,
                **open_attributes(next_look(refresh, at=refresh.requested_at)),
            },
            condition=condition,
            values=None if seen is None else {"seen": seen},
        )


def _refresh(item: Item) -> Refresh:
    return msgspec.json.decode(item["document"], type=Refresh)
