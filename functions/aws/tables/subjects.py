"""Whose a subject is, at a provider that asks for no credentials of a user's own.

Who names a subject there could be anybody, so the first connection makes it its tenant's, and it
stays so until the tenant has erased the last one. A connection and its claim are written at once:
a claim without a connection could never be erased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.tables.dynamodb import settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from functions.core.model import Connection

    Item = Mapping[str, Any]


def claiming(connection: Connection, *, table: str) -> TransactWriteItemTypeDef:
    """The write that makes the connection's subject its tenant's; refused if it is another's."""
    return {
        "Update": {
            "TableName": table,
            "Key": _key(connection),
            "UpdateExpression": "SET tenant_of = :tenant ADD claims :id",
            "ConditionExpression": "attribute_not_exists(tenant_of) OR tenant_of = :tenant",
            "ExpressionAttributeValues": {
                ":tenant": {"S": connection.tenant},
                ":id": {"SS": [connection.connection_id]},
            },
        }
    }


class SubjectOwners:
    """Items of the connections' table, under keys of their own."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the connections' table."""
        self._dynamodb, self._table = dynamodb, table

    def release(self, connection: Connection) -> None:
        """Leave the subject to whoever comes, once no other connection claims it."""
        item = self._without(connection)
        if item is not None and "claims" not in item:
            self._delete_unclaimed(connection)

    def _delete_unclaimed(self, connection: Connection) -> None:
        try:
            settled(
                lambda: self._dynamodb.delete_item(
                    TableName=self._table,
                    Key=_key(connection),
                    ConditionExpression="attribute_not_exists(claims)",
                )
            )
        except ClientError as error:
            _require_refusal(error)

    def _without(self, connection: Connection) -> Item | None:
        """The item once this connection's claim is off it; None where there is none."""
        try:
            answer = settled(
                lambda: self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(connection),
                    UpdateExpression="DELETE claims :id",
                    ConditionExpression="attribute_exists(tenant_of)",
                    ExpressionAttributeValues={":id": {"SS": [connection.connection_id]}},
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
