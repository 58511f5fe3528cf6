"""Whose a subject is, at a provider that asks for no credentials of a user's own.

Who names a subject there could be anybody, so the first connection makes it its tenant's, and it
stays so until the tenant has erased the last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.conflicts import settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.core.model import Connection

    Item = Mapping[str, Any]


class Claims:
    """Items of the connections' table, under keys of their own."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the connections' table."""
        self._dynamodb, self._table = dynamodb, table

    def claim(self, connection: Connection) -> bool:
        """Whether the connection's subject is its tenant's; asked first, it becomes so."""
        item = self._updated(
            connection,
            "SET tenant_of = :tenant ADD claims :id",
            condition="attribute_not_exists(tenant_of) OR tenant_of = :tenant",
            values={":tenant": {"S": connection.tenant}},
        )
        return item is not None

    def disclaim(self, connection: Connection) -> None:
        """Leave the subject to whoever comes, once no other connection claims it."""
        item = self._updated(
            connection, "DELETE claims :id", condition="attribute_exists(tenant_of)", values={}
        )
        if item is not None and "claims" not in item:
            self._delete_unclaimed(connection)

    def _delete_unclaimed(self, connection: Connection) -> None:
        try:
            self._dynamodb.delete_item(
                TableName=self._table,
                Key=_key(connection),
                ConditionExpression="attribute_not_exists(claims)",
            )
        except ClientError as error:
            _require_refusal(error)

    def _updated(
        self, connection: Connection, update: str, *, condition: str, values: Item
    ) -> Item | None:
        """The item as it is after the update, or None where the condition was not met."""
        try:
            answer = settled(
                lambda: self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(connection),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues={
                        ":id": {"SS": [connection.connection_id]},
                        **values,
                    },
                    ReturnValues="ALL_NEW",
                )
            )
        except ClientError as error:
            _require_refusal(error)
            return None
        return answer["Attributes"]


def _key(connection: Connection) -> dict[str, Any]:
    return {"connection_id": {"S": f"subject#{connection.provider}#{connection.subject}"}}


def _require_refusal(error: ClientError) -> None:
    if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
        raise error
