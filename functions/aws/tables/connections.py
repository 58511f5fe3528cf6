"""Connections in DynamoDB, with their credentials sealed beside them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from msgspec import UNSET, UnsetType

from functions.aws.tables.connection_items import SCHEDULED_AT, connection_of, item_of
from functions.aws.tables.dynamodb import Table, endless_gaps, to_text
from functions.aws.tables.idempotency import answer_requests
from functions.aws.tables.lookups import Lookups, refusal
from functions.aws.tables.outbox import event_requests
from functions.core.contract import Index
from functions.core.errors import Superseded
from functions.core.events.model import EventType, event_of_connection
from functions.core.model import Connection, Credentials, StoredCredentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.objects.successors import Successors
    from functions.aws.tables.dynamodb import CancellationReason, Item, Request, Written
    from functions.aws.vault import DataKey, Vault
    from functions.core.contract import Clock, Schedule, Sleep
    from functions.core.events.model import OutboxEvent
    from functions.core.idempotency import Key

LEASE_SECONDS: Final = 420
"""A lease to rotate a token lasts longer than any function may run."""

ROTATION_SECONDS: Final = 8
"""An erasure waits for so long for a rotation that is under way, to revoke what comes of it."""

ASIDE_SECONDS: Final = 10
"""The table is tried for so long with a successor that lies in the bucket meanwhile."""

RECENT_SECONDS: Final = 2
"""An item that was read serves for so long: a function reads a connection as it begins, and its
credentials soon after."""

_NOTHING: Final[tuple[str, float, Item]] = ("", 0, {})
_FAULTS: Final = (BotoCoreError, ClientError)


class ConnectionTable:
    """Implements ``core.refresh.ports.Connections`` and ``core.ports.CredentialStore``."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        *,
        table: str,
        keys: str,
        events: str,
        vault: Vault,
        clock: Clock,
        sleep: Sleep,
        successors: Successors,
    ) -> None:
        """Take the names of the tables: its own, that of the idempotency keys, that of events.

        The vault is for credentials, the time for leases and events.
        """
        self._table, self._key_table = Table(dynamodb, table), Table(dynamodb, keys)
        self._events = Table(dynamodb, events)
        self._vault, self._clock, self._sleep = vault, clock, sleep
        self._successors = successors
        self._lookups = Lookups(dynamodb, table=table)
        self._keys: dict[str, DataKey] = {}
        self._recent = _NOTHING

    def get(self, connection_id: str, *, fresh: bool = True) -> Connection | None:
        """Read one with a consistent read; None when it is absent or being erased.

        Args:
            fresh: otherwise it may be as this call has last read it.
        """
        item = self._item(connection_id, fresh=fresh)
        return connection_of(item) if "document" in item and "erasing" not in item else None

    def create(
        self,
        connection: Connection,
        credentials: Credentials | None,
        *,
        key: Key | None = None,
        also: Sequence[Request] = (),
    ) -> None:
        """Store a new connection; its id must be new.

        With credentials they are stored beside it; without, its tenant owns its subject at once.

        Args:
            key: is noted as answered by this connection, in the same write.
            also: other writes that are made with it, or not at all.

        Raises:
            Superseded: the key is noted already, or one of the other writes is refused.
            ConnectionExists: its tenant has this connection under another id.
            ProviderRefusesConnection: its subject is another tenant's.
            InvalidRequest: there are too many of its external id or its login.
        """
        id_, at = connection.connection_id, connection.created_at
        sealed = (
            self._vault.data_key(connection).seal(_encode(credentials)) if credentials else None
        )
        first = [*answer_requests(key, id_, table=self._key_table, at=at), *also]
        put = self._table.put_request(item_of(connection, sealed=sealed))
        found = self._lookups.requests(connection, owned=credentials is None)
        told = self._event_requests(
            connection, EventType.CONNECTION_CONNECTED, version=1 if sealed else 0
        )
        reasons = self._table.transact([*first, put, *found, *told])
        if reasons is None:
            return
        if any(reason.unmet for reason in reasons[: len(first)]):
            raise Superseded
        raise refusal(reasons, connection)

    def change(self, connection_id: str, **changes: object) -> Connection:
        """Change what its application says of it: external id, labels, params, pause.

        Raises:
            Superseded: it was changed or erased meanwhile.
            ConnectionExists: its tenant has another connection of the new external id.
        """
        item = self._item(connection_id)
        if "document" not in item or "erasing" in item:
            raise Superseded
        before = msgspec.json.decode(item["document"], type=Connection)
        after = msgspec.structs.replace(before, **changes)
        update = self._table.update_request(
            {"connection_id": connection_id},
            "SET document = :after",
            condition="document = :before AND attribute_not_exists(erasing)",
            values={"before": item["document"], "after": to_text(after)},
        )
        self._recent = _NOTHING
        reasons = self._table.transact([update, *self._lookups.rename_requests(before, after)])
        if reasons is None:
            if after.external_id != before.external_id:
                self._lookups.tidy(before)
            return connection_of({**item, "document": to_text(after)})
        if reasons[0].unmet:
            raise Superseded
        raise refusal(reasons, after)

    def get_many(self, ids: Sequence[str]) -> list[Connection]:
        """Read connections, 100 at most, in the order of their ids; not those being erased."""
        found = self._table.get_many([{"connection_id": id_} for id_ in ids], consistent=True)
        there = [item for item in found if "document" in item and "erasing" not in item]
        return sorted(map(connection_of, there), key=lambda one: one.connection_id)

    def page(
        self, tenant: str, *, limit: int, after: str | None
    ) -> tuple[list[Connection], str | None]:
        """Read a tenant's connections in the order of their ids, and the id to go on after."""
        items, last = self._table.query(
            "tenant = :tenant AND connection_id > :after",
            {"tenant": tenant, "after": after or " "},
            index=Index.BY_TENANT,
            where="attribute_not_exists(erasing)",
            limit=limit,
        )
        return [connection_of(item) for item in items], last["connection_id"] if last else None

    def of_tenant(self, tenant: str | None) -> Iterator[Connection]:
        """List a tenant's connections, or all, one by one; not those that are being erased."""
        items = self._table.query_all(
            None if tenant is None else "tenant = :tenant",
            {} if tenant is None else {"tenant": tenant},
            index=Index.BY_TENANT,
            where="attribute_not_exists(erasing)",
        )
        return map(connection_of, items)

    def begin_erasing(self, connection_id: str) -> str | None:
        """Make it absent for all, before its data is deleted; see also ``load_erasing``.

        Returns:
            The id of the refresh that had the slot: so young that no index may list it yet.
        """
        _, item = self._update(
            connection_id,
            "SET erasing = :yes, revoking = if_not_exists(credentials, :none)"
            " REMOVE credentials, running, running_until",
            condition="attribute_exists(connection_id) AND attribute_not_exists(erasing)",
            old=True,
            yes=True,
            none=b"",
        )
        running: str | None = item.get("running")
        return running

    def erasing(self, connection_id: str) -> Connection | None:
        """Read a connection that is being erased; None for any other."""
        item = self._item(connection_id)
        return connection_of(item) if "erasing" in item else None

    def delete(self, connection_id: str, *, event: OutboxEvent) -> None:
        """Remove what is left of it, with an event; a repetition writes none."""
        delete = self._table.delete_request(
            {"connection_id": connection_id}, condition="attribute_exists(connection_id)"
        )
        self._table.write_with(delete, event_requests(event, table=self._events))

    def schedule(
        self,
        connection_id: str,
        schedule: Schedule | None,
        *,
        seen: Schedule | UnsetType | None = UNSET,
    ) -> bool:
        """Write its schedule down, and forget when the one before ran.

        See ``core.schedules.Scheduled``.
        """
        condition = "attribute_exists(connection_id) AND attribute_not_exists(erasing)"
        values: dict[str, Any] = {"new": to_text(schedule)}
        if seen is not UNSET:
            never = "attribute_not_exists(schedule) OR " if seen is None else ""
            condition += f" AND ({never}schedule = :seen)"
            values["seen"] = to_text(seen)
        return self._update(
            connection_id,
            f"SET schedule = :new REMOVE {SCHEDULED_AT}",
            condition=condition,
            **values,
        ).done

    def allow(self, connection_id: str) -> None:
        """Forget until when its provider wants no refresh."""
        self._update(
            connection_id, "REMOVE next_allowed_at", condition="next_allowed_at > :never", never=0
        )

    # --- credentials -----------------------------------------------------------------------

    def load(self, connection_id: str, *, fresh: bool = True) -> StoredCredentials:
        """Open the credentials, after a rotation that broke off has been brought to its end.

        Raises:
            Superseded: the connection has been erased.
        """
        item = self._item(connection_id, fresh=fresh)
        if "credentials" not in item:
            raise Superseded
        version = item["credentials_version"]
        if "lease_owner" in item:
            successor = self._successors.find(connection_id, version)
            if successor is not None:
                with suppress(Superseded):  # whatever came first is loaded below
                    self._put_in_place(connection_id, version=version, sealed=successor)
                self._successors.drop(connection_id, version)
                return self.load(connection_id)
        return StoredCredentials(
            credentials=self._open(item, "credentials"),
            version=version,
            dead="credentials_dead" in item,
        )

    def load_erasing(self, connection_id: str) -> Credentials:
        """Open the credentials of a connection that is being erased, to revoke them.

        A rotation that is under way is waited for.

        Raises:
            Superseded: there are none.
        """
        item, until = self._item(connection_id), self._clock() + ROTATION_SECONDS
        while self._clock() < min(item.get("lease_until", 0), until):
            self._sleep(1)
            item = self._item(connection_id)
        if not item.get("revoking"):
            raise Superseded
        return self._open(item, "revoking")

    def lease(self, connection_id: str, *, version: int, owner: str) -> bool:
        """Take or keep the right to rotate this version.

        The key that will seal the successor is made here, so that nothing but one write stands
        between the provider's answer and its being kept.
        """
        now = self._clock()
        leased, item = self._update(
            connection_id,
            "SET lease_owner = :owner, lease_until = :until",
            condition="credentials_version = :version AND (attribute_not_exists(lease_owner)"
            " OR lease_owner = :owner OR lease_until < :now)",
            version=version,
            owner=owner,
            until=now + LEASE_SECONDS,
            now=now,
        )
        if not leased:
            return False
        try:
            self._keys[connection_id] = self._vault.data_key(connection_of(item))
        except _FAULTS:
            self.release_lease(connection_id, owner=owner)
            raise
        return True

    def release_lease(self, connection_id: str, *, owner: str) -> None:
        """Give the right to rotate back."""
        self._update(
            connection_id,
            "REMOVE lease_owner, lease_until",
            condition="lease_owner = :owner",
            owner=owner,
        )

    def rotate(self, connection_id: str, *, version: int, to: Credentials) -> None:
        """Store the successor, as it is the only one, even if the lease looks lost.

        Raises:
            Superseded: the version has moved on, the connection is gone, or it was not leased.
        """
        key = self._keys.pop(connection_id, None)
        if key is None:
            raise Superseded
        sealed = key.seal(_encode(to))
        try:
            self._put_in_place(connection_id, version=version, sealed=sealed)
        except _FAULTS:
            self._put_somewhere(connection_id, version=version, sealed=sealed)

    def replace(
        self,
        connection: Connection,
        credentials: Credentials,
        *,
        also: Sequence[Request] = (),
    ) -> Connection:
        """Put new credentials in the place of whatever is there: the user has signed in again.

        Args:
            also: other writes that are made with it, or not at all.

        Returns:
            The connection as it is now, with the refresh that runs.

        Raises:
            Superseded: the connection has been erased, or one of the other writes is refused.
        """
        id_ = connection.connection_id
        sealed = self._vault.data_key(connection).seal(_encode(credentials))
        item = self._item(id_)
        while "document" in item and "erasing" not in item:
            reasons = self._replace(item, sealed, also=also)
            if reasons is None:
                break
            if any(reason.unmet for reason in reasons[1:]):
                raise Superseded
            item = reasons[0].item  # another version has come first
        replaced = self.get(id_)
        if replaced is None:
            raise Superseded
        return replaced

    def mark_dead(self, connection_id: str, *, version: int) -> None:
        """Mark this version dead; one that has moved on, or is dead, is left alone."""
        item = self._item(connection_id, fresh=False)
        if "document" not in item:
            return
        told = self._event_requests(
            connection_of(item), EventType.CONNECTION_REAUTH_REQUIRED, version=version
        )
        mark = self._table.update_request(
            {"connection_id": connection_id},
            "SET credentials_dead = :yes",
            condition="credentials_version = :version AND attribute_not_exists(credentials_dead)"
            " AND attribute_not_exists(erasing)",
            values={"version": version, "yes": True},
        )
        self._recent = _NOTHING
        self._table.write_with(mark, told)

    # --- inside ----------------------------------------------------------------------------

    def _replace(
        self, item: Item, sealed: bytes, *, also: Sequence[Request]
    ) -> list[CancellationReason] | None:
        """Write the version after that of the item, where it is still the stored one."""
        version = item.get("credentials_version", 0)
        update = self._table.update_request(
            {"connection_id": item["connection_id"]},
            "SET credentials = :new, credentials_at = :now, credentials_version = :next"
            " REMOVE lease_owner, lease_until, credentials_dead",
            condition="attribute_exists(connection_id) AND attribute_not_exists(erasing) AND"
            " (credentials_version = :version OR attribute_not_exists(credentials_version))",
            values={"new": sealed, "now": self._clock(), "version": version, "next": version + 1},
        )
        told = self._event_requests(
            connection_of(item), EventType.CONNECTION_RECONNECTED, version=version + 1
        )
        self._recent = _NOTHING
        return self._table.transact([update, *told, *also])

    def _event_requests(
        self, connection: Connection, type_: EventType, *, version: int
    ) -> list[Request]:
        event = event_of_connection(connection, type_, version=version, at=self._clock())
        return event_requests(event, table=self._events)

    def _put_in_place(self, connection_id: str, *, version: int, sealed: bytes) -> None:
        """Write the successor of this version; once more changes nothing.

        Raises:
            Superseded: another has come first, or the connection is gone.
        """
        done, stored = self._update(
            connection_id,
            "SET credentials = :new, credentials_version = :next, credentials_at = :now"
            " REMOVE lease_owner, lease_until, credentials_dead",
            condition="attribute_not_exists(erasing) AND credentials_version = :version",
            version=version,
            next=version + 1,
            new=sealed,
            now=self._clock(),
        )
        if not done and stored.get("credentials") != sealed:
            if "erasing" in stored:  # which revokes it
                self._update(
                    connection_id,
                    "SET revoking = :new REMOVE lease_owner, lease_until",
                    condition="attribute_exists(erasing) AND credentials_version = :version",
                    version=version,
                    new=sealed,
                )
            raise Superseded

    def _put_somewhere(self, connection_id: str, *, version: int, sealed: bytes) -> None:
        """Try the bucket and the table until one has the successor.

        The next ``load`` finds it in the bucket. The table is tried for some seconds after that;
        while neither has it, for as long as the lease, which is longer than any door may run.
        """
        until, aside = self._clock() + LEASE_SECONDS, False
        for gap in endless_gaps():
            if not aside and self._successors.put(connection_id, version, sealed):
                until, aside = self._clock() + ASIDE_SECONDS, True
            self._sleep(gap)
            try:
                self._put_in_place(connection_id, version=version, sealed=sealed)
            except _FAULTS:
                if self._clock() < until:
                    continue
                if not aside:
                    raise
                return
            except Superseded:
                self._successors.drop(connection_id, version)
                raise
            self._successors.drop(connection_id, version)
            return

    def _open(self, item: Item, name: str) -> Credentials:
        id_ = item["connection_id"]
        plain = self._vault.open(item[name], tenant=item["tenant"], connection_id=id_)
        return msgspec.json.decode(plain, type=Credentials)

    def _item(self, connection_id: str, *, fresh: bool = True) -> Item:
        id_, until, item = self._recent
        if fresh or id_ != connection_id or self._clock() > until:
            item = self._table.get({"connection_id": connection_id}) or {}
            self._recent = connection_id, self._clock() + RECENT_SECONDS, item
        return item

    def _update(
        self,
        connection_id: str,
        update: str,
        *,
        condition: str,
        old: bool = False,
        **values: str | float | bytes,
    ) -> Written:
        self._recent = _NOTHING
        key = {"connection_id": connection_id}
        return self._table.write(
            self._table.update_request(key, update, condition=condition, values=values), old=old
        )


def _encode(credentials: Credentials) -> bytes:
    return msgspec.json.encode(credentials)
