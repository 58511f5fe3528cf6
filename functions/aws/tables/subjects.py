"""Which tenant owns each subject of a provider that asks for no credentials of a user's own.

Any caller can name a subject there, so the first connection makes it its tenant's. It stays so
until the tenant has erased the last one. A connection and its ownership are written at once: an
ownership without a connection could never be erased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.aws.tables.dynamodb import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.tables.dynamodb import Request
    from functions.core.model import Connection


def ownership_request(connection: Connection, *, table: Table) -> Request:
    """The write that makes the connection's subject its tenant's; refused if it is another's."""
    return table.update_request(
        _key(connection),
        "SET tenant_of = :tenant ADD claims :id",
        condition="attribute_not_exists(tenant_of) OR tenant_of = :tenant",
        values={"tenant": connection.tenant, "id": {connection.connection_id}},
    )


class SubjectOwners:
    """Items of the connections' table, under keys of their own."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the connections' table."""
        self._table = Table(dynamodb, table)

    def release(self, connection: Connection) -> None:
        """Give the subject up, once no other connection has it."""
        owned, item = self._table.write(
            self._table.update_request(
                _key(connection),
                "DELETE claims :id",
                condition="attribute_exists(tenant_of)",
                values={"id": {connection.connection_id}},
            )
        )
        if owned and "claims" not in item:
            self._table.write(
                self._table.delete_request(
                    _key(connection), condition="attribute_not_exists(claims)"
                )
            )


def _key(connection: Connection) -> dict[str, str]:
    return {"connection_id": f"subject#{connection.provider}#{connection.subject}"}
