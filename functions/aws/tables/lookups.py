"""Items of the connections' table by which connections are found.

They are items and not indexes, as they are read consistently, at once after their write. They are
written in one transaction with their connection: without one they could never be erased.

- ``identity#…``: the one connection of a tenant, provider, settings, subject and external id.
- ``external#…``: a tenant's connections of one external id. Both keys are digests, as an external
  id may name a person.
- ``subject#…``: the connections on one login at a provider, over all tenants. Where a provider asks
  for no credentials of a user's own, any caller can name a subject: the first connection makes it
  its tenant's, until that has erased the last one.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.tables.dynamodb import Table
from functions.core.errors import ConnectionExists, InvalidRequest, ProviderRefusesConnection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.tables.dynamodb import CancellationReason, Item, Request
    from functions.core.errors import FreshetError
    from functions.core.model import Connection

MAX_SHARED: Final = 1000
"""How many connections one external id, or one login, may have."""

MAX_KEY_BYTES: Final = 2048
"""DynamoDB has no longer key, and refuses to look for one."""

TOO_MANY: Final = f"There are {MAX_SHARED} connections of this external_id or subject already."


class Lookups:
    """Reads the items, and makes the requests that write them."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str) -> None:
        """Take the connections' table."""
        self._table = Table(dynamodb, table)

    def ids_of_external(self, tenant: str, external_id: str) -> list[str]:
        """The ids of a tenant's connections of this external id, in order."""
        return self._ids(_external_key(tenant, external_id))

    def ids_of_subject(self, provider: str, subject: str) -> list[str]:
        """The ids of the connections on this login, of any tenant, in order."""
        return self._ids(_subject_key(provider, subject))

    def requests(self, connection: Connection, *, owned: bool) -> list[Request]:
        """The writes that make a new connection found; ``refusal`` tells why they were refused.

        Args:
            connection: the new connection.
            owned: whether the tenant owns the subject.
        """
        id_, table = connection.connection_id, self._table
        mine = "(attribute_not_exists(tenant_of) OR tenant_of = :tenant) AND " if owned else ""
        subject = table.update_request(
            _subject_key(connection.provider, connection.subject),
            f"{'SET tenant_of = :tenant ' if owned else ''}ADD claims :id",
            condition=f"{mine}(attribute_not_exists(claims) OR size(claims) < :most)",
            values=(
                {"id": {id_}, "most": MAX_SHARED} | ({"tenant": connection.tenant} if owned else {})
            ),
        )
        return [subject, *self._name_requests(connection)]

    def _name_requests(self, connection: Connection) -> list[Request]:
        """The writes for the name by which its application knows it."""
        id_, table = connection.connection_id, self._table
        requests = [
            table.put_request(
                {**_identity_key(connection), "holder": id_},
                condition="attribute_not_exists(connection_id) OR holder = :id",
                values={"id": id_},
            )
        ]
        if connection.external_id:
            requests.append(
                table.update_request(
                    _external_key(connection.tenant, connection.external_id),
                    "ADD claims :id",
                    condition="attribute_not_exists(claims) OR size(claims) < :most",
                    values={"id": {id_}, "most": MAX_SHARED},
                )
            )
        return requests

    def rename_requests(self, before: Connection, after: Connection) -> list[Request]:
        """The writes that make a connection found under another external id."""
        if before.external_id == after.external_id:
            return []
        return [*self._drop_requests(before), *self._name_requests(after)]

    def _drop_requests(self, connection: Connection) -> list[Request]:
        id_, table = connection.connection_id, self._table
        requests = [
            table.delete_request(
                _identity_key(connection),
                condition="attribute_not_exists(connection_id) OR holder = :id",
                values={"id": id_},
            )
        ]
        if connection.external_id:
            key = _external_key(connection.tenant, connection.external_id)
            requests.append(table.update_request(key, "DELETE claims :id", values={"id": {id_}}))
        return requests

    def release(self, connection: Connection) -> None:
        """Let the connection be found no more, and give its subject up once no other has it."""
        for request in self._drop_requests(connection):
            self._table.write(request)
        self.tidy(connection)
        key = _subject_key(connection.provider, connection.subject)
        self._table.write(
            self._table.update_request(
                key,
                "DELETE claims :id",
                condition="attribute_exists(claims)",
                values={"id": {connection.connection_id}},
            )
        )
        self._delete_empty(key)

    def tidy(self, connection: Connection) -> None:
        """Leave no item of an external id that no connection has any more."""
        if connection.external_id:
            self._delete_empty(_external_key(connection.tenant, connection.external_id))

    def _delete_empty(self, key: Item) -> None:
        self._table.write(self._table.delete_request(key, condition="attribute_not_exists(claims)"))

    def _ids(self, key: dict[str, str]) -> list[str]:
        if len(key["connection_id"].encode()) > MAX_KEY_BYTES:  # a provider may name any subject
            return []
        found = self._table.get(key) or {}
        return sorted(found.get("claims", ()))


def refusal(reasons: Sequence[CancellationReason], connection: Connection) -> FreshetError:
    """Why a transaction with the writes of ``Lookups`` was refused.

    ``ConnectionExists``: the application has this connection already.
    ``ProviderRefusesConnection``: the subject is another tenant's. ``InvalidRequest``: there are
    too many connections of the external id or the login.
    """
    for unmet, item in reasons:
        if unmet and item.get("holder"):
            return ConnectionExists(item["holder"])
        if unmet and item.get("tenant_of", connection.tenant) != connection.tenant:
            return ProviderRefusesConnection()
    return InvalidRequest(TOO_MANY)


def _identity_key(connection: Connection) -> dict[str, str]:
    one = (
        connection.tenant,
        connection.provider,
        sorted(connection.settings.items()),
        connection.subject,
        connection.external_id,
    )
    return {"connection_id": f"identity#{_digest(one)}"}


def _external_key(tenant: str, external_id: str) -> dict[str, str]:
    return {"connection_id": f"external#{_digest((tenant, external_id))}"}


def _subject_key(provider: str, subject: str) -> dict[str, str]:
    return {"connection_id": f"subject#{provider}#{subject}"}


def _digest(parts: object) -> str:
    return sha256(msgspec.json.encode(parts)).hexdigest()
