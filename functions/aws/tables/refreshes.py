"""Refreshes in DynamoDB, and the two writes that touch a connection's slot with them.

A refresh is stored whole with the version that its writer had seen as the condition. The
client's own retries may repeat a write whose answer was lost; a repetition finds what it wrote.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from botocore.exceptions import ClientError

from functions.aws.tables.dynamodb import read_batch, settled, transacted
from functions.aws.tables.idempotency import answering
from functions.aws.tables.open_items import opened
from functions.core.contract import REFRESH_DAYS, Index
from functions.core.errors import Superseded
from functions.core.model import Refresh, SnapshotPointer, iso
from functions.core.refresh.history import Place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from functions.core.contract import Ticket
    from functions.core.idempotency import Key
    from functions.core.refresh.history import Line

    Item = Mapping[str, Any]

_BY: Final = {Index.BY_TENANT: "tenant", Index.BY_CONNECTION: "connection_id"}


class RefreshHistory:
    """Refreshes, newest first. One that is a moment old may be missing still."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the refreshes' table."""
        self._dynamodb, self._table = dynamodb, table

    def of_tenant(self, tenant: str) -> Line:
        """All of a tenant's."""
        return partial(self._page, Index.BY_TENANT, tenant)

    def of_connection(self, connection_id: str) -> Line:
        """All of a connection's."""
        return partial(self._page, Index.BY_CONNECTION, connection_id)

    def _page(
        self, index: Index, owner: str, *, limit: int, after: Place | None
    ) -> tuple[list[Refresh], Place | None]:
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": index,
            "KeyConditionExpression": f"{_BY[index]} = :owner",
            "ExpressionAttributeValues": {":owner": {"S": owner}},
            "ScanIndexForward": False,
            "Limit": limit,
        }
        if after is not None:
            place = {"requested_at": after.requested_at, "refresh_id": after.refresh_id}
            place |= {_BY[index]: owner}
            query["ExclusiveStartKey"] = {name: {"S": value} for name, value in place.items()}
        answer = self._dynamodb.query(**query)
        last = answer.get("LastEvaluatedKey")
        found = self._read([item["refresh_id"]["S"] for item in answer["Items"]])
        return found, Place(last["requested_at"]["S"], last["refresh_id"]["S"]) if last else None

    def _read(self, ids: Sequence[str]) -> list[Refresh]:
        """Those that are still there, in this order."""
        keys = [{"refresh_id": {"S": id_}} for id_ in ids]
        items = read_batch(self._dynamodb, table=self._table, keys=keys)
        found = {item["refresh_id"]["S"]: refresh_of(item) for item in items}
        return [found[id_] for id_ in ids if id_ in found]


_DAY: Final = 24 * 60 * 60


class RefreshTable:
    """Implements ``core.refresh.stores.Refreshes``."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str, connections: str) -> None:
        """Take the names of the refreshes' and the connections' tables."""
        self._dynamodb, self._table, self._connections = dynamodb, table, connections

    def get(self, refresh_id: str) -> Refresh | None:
        """Read one with a consistent read; what else the table holds is none."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={"refresh_id": {"S": refresh_id}}, ConsistentRead=True
        )
        item = answer.get("Item", {})
        return refresh_of(item) if "document" in item else None

    def several(self, ids: Collection[str]) -> list[Refresh]:
        """Those of these ids, 100 at most, that are there, in no order, with a consistent read."""
        keys = [{"refresh_id": {"S": id_}} for id_ in ids]
        found = read_batch(self._dynamodb, table=self._table, keys=keys, consistent=True)
        return [refresh_of(item) for item in found]

    def ids(self, connection_id: str) -> Iterator[str]:
        """The ids of a connection's refreshes, oldest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=Index.BY_CONNECTION,
            KeyConditionExpression="connection_id = :id",
            ExpressionAttributeValues={":id": {"S": connection_id}},
        )
        for page in pages:
            yield from (item["refresh_id"]["S"] for item in page["Items"])

    def delete(self, refresh_id: str) -> None:
        """Forget one."""
        key = {"refresh_id": {"S": refresh_id}}
        settled(lambda: self._dynamodb.delete_item(TableName=self._table, Key=key))

    def admit(self, refresh: Refresh, *, until: float, key: Key | None = None) -> str:
        """Write the refresh, take the slot and note the key, all in one transaction.

        Or say who holds the slot.
        """
        refused = transacted(
            self._dynamodb,
            [
                self._put(refresh, condition="attribute_not_exists(refresh_id)"),
                self._on_connection(
                    refresh,
                    "SET running = :refresh, running_until = :until",
                    condition="attribute_exists(connection_id) AND attribute_not_exists(erasing)"
                    " AND (attribute_not_exists(running) OR running_until < :now)",
                    values={":until": {"N": str(until)}, ":now": {"N": str(refresh.requested_at)}},
                ),
                *([self._answering(refresh, key)] if key else []),
            ],
        )
        if refused is None:
            return refresh.refresh_id
        holder: str | None = refused[1].get("Item", {}).get("running", {}).get("S")
        if holder is None:
            raise Superseded
        return holder

    def save(self, refresh: Refresh, *, seen: int) -> None:
        """Write the refresh where the stored version is still ``seen``."""
        put = self._put(refresh, condition="version = :seen")["Put"]
        try:
            settled(
                lambda: self._dynamodb.put_item(
                    **put | {"ExpressionAttributeValues": {":seen": {"N": str(seen)}}}
                )
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            stored: Item | None = cast("Any", error.response).get("Item")
            if stored is None or refresh_of(stored) != refresh:
                raise Superseded from None

    def publish(self, refresh: Refresh, *, seen: int, snapshot: SnapshotPointer) -> None:
        """Point the connection to the snapshot, end the refresh and free the slot, at once.

        Raises:
            Superseded: the refresh was ended, or lost its slot, by someone else.
        """
        put = self._put(refresh, condition="version = :seen")
        put["Put"]["ExpressionAttributeValues"] = {":seen": {"N": str(seen)}}
        refused = transacted(
            self._dynamodb,
            [
                put,
                self._on_connection(
                    refresh,
                    "SET previous = if_not_exists(latest, :none), latest = :snapshot"
                    " REMOVE running, running_until, next_allowed_at",
                    condition="running = :refresh AND attribute_not_exists(erasing)",
                    values={
                        ":snapshot": {"S": msgspec.json.encode(snapshot).decode()},
                        ":none": {"S": "null"},
                    },
                ),
            ],
        )
        if refused is not None:
            raise Superseded

    def release(self, refresh: Refresh) -> None:
        """Free the slot if this refresh still has it."""
        self._on_slot(refresh, "REMOVE running, running_until", values={})

    def hold(self, refresh: Refresh, *, until: float) -> None:
        """Keep the slot longer, if this refresh still has it."""
        self._on_slot(refresh, "SET running_until = :until", values={":until": {"N": str(until)}})

    def forbid(self, failed: Refresh | Ticket, *, until: float) -> None:
        """Note until when the provider wants no refresh, if this one still has the slot."""
        self._on_slot(failed, "SET next_allowed_at = :until", values={":until": {"N": str(until)}})

    def listen(self, refresh_id: str) -> None:
        """Forget the hints so far, and whom they would wake."""
        self._told(
            refresh_id, "REMOVE hinted, wake", condition="attribute_exists(refresh_id)", values={}
        )

    def hint(self, refresh_id: str, *, by: str) -> str | None:
        """Note that there is something to look at: the task token of whoever waits for that.

        ``by`` is the digest of the hint's own token: one that comes again is not heard.

        The state machine writes its token only where no hint is noted, see
        ``infra.machines.refresh``; so a hint is found by the one who comes second. Writing the
        refresh anew forgets both: there was a look before that, or one will follow at once. Only
        what is hinted at while a trigger finds the user still missing waits for its next time.
        """
        attributes = self._told(
            refresh_id,
            "SET hinted = :yes ADD told_by :all",
            condition="attribute_exists(refresh_id) AND NOT contains(told_by, :one)",
            values={":yes": {"BOOL": True}, ":all": {"SS": [by]}, ":one": {"S": by}},
        )
        wake: str | None = attributes.get("wake", {}).get("S")
        return wake

    # --- inside ----------------------------------------------------------------------------

    def _told(self, refresh_id: str, update: str, *, condition: str, values: Item) -> Item:
        """The refresh's attributes after an update; none where the condition was not met."""
        given = {"ExpressionAttributeValues": values} if values else {}
        write = {
            "TableName": self._table,
            "Key": {"refresh_id": {"S": refresh_id}},
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ReturnValues": "ALL_NEW",
            **given,
        }
        try:
            return settled(lambda: self._dynamodb.update_item(**cast("Any", write)))["Attributes"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return {}

    def _on_slot(self, refresh: Refresh | Ticket, update: str, *, values: Item) -> None:
        write = self._on_connection(refresh, update, condition="running = :refresh", values=values)[
            "Update"
        ]
        try:
            settled(lambda: self._dynamodb.update_item(**cast("Any", write)))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def _put(self, refresh: Refresh, *, condition: str) -> Any:  # noqa: ANN401 - boto3's shape
        return {
            "Put": {
                "TableName": self._table,
                "Item": {
                    "refresh_id": {"S": refresh.refresh_id},
                    "connection_id": {"S": refresh.connection_id},
                    "tenant": {"S": refresh.tenant},
                    "requested_at": {"S": iso(refresh.requested_at)},
                    "version": {"N": str(refresh.version)},
                    "document": {"S": msgspec.json.encode(refresh).decode()},
                    "expires_at": {"N": str(int(refresh.requested_at) + REFRESH_DAYS * _DAY)},
                    **opened(refresh, at=refresh.requested_at),
                },
                "ConditionExpression": condition,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _answering(self, refresh: Refresh, key: Key) -> Any:  # noqa: ANN401 - boto3's shape
        return answering(key, refresh.refresh_id, table=self._table, at=refresh.requested_at)

    def _on_connection(
        self, refresh: Refresh | Ticket, update: str, *, condition: str, values: Item
    ) -> TransactWriteItemTypeDef:
        used = {":refresh": {"S": refresh.refresh_id}, **values}
        named = {name: value for name, value in used.items() if name in update + condition}
        return {
            "Update": {
                "TableName": self._connections,
                "Key": {"connection_id": {"S": refresh.connection_id}},
                "UpdateExpression": update,
                "ConditionExpression": condition,
                "ExpressionAttributeValues": named,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }


def refresh_of(item: Item) -> Refresh:
    """The refresh that an item holds."""
    return msgspec.json.decode(item["document"]["S"], type=Refresh)
