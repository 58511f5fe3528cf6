"""In-memory lookups of connections; ``support.fakes.stores.Connections`` writes them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

from functions.core.errors import ConnectionExists, ProviderRefusesConnection

if TYPE_CHECKING:
    from functions.core.model import Connection

Place: TypeAlias = tuple[object, ...]


class Lookups:
    """Fake of ``functions.aws.tables.lookups.Lookups``."""

    def __init__(self) -> None:
        self.holders: dict[Place, str] = {}
        self.ids: dict[Place, set[str]] = defaultdict(set)
        self.owners: dict[Place, str] = {}

    @property
    def empty(self) -> bool:
        return not (self.holders or self.owners or any(self.ids.values()))

    def ids_of_external(self, tenant: str, external_id: str) -> list[str]:
        return sorted(self.ids.get((tenant, external_id), ()))

    def ids_of_subject(self, provider: str, subject: str) -> list[str]:
        return sorted(self.ids.get(("subject", provider, subject), ()))

    def add(self, connection: Connection, *, owned: bool) -> None:
        subject = _subject(connection)
        if owned and self.owners.get(subject, connection.tenant) != connection.tenant:
            raise ProviderRefusesConnection
        self._require_free(connection)
        self.ids[subject].add(connection.connection_id)
        if owned:
            self.owners[subject] = connection.tenant
        self._name(connection)

    def rename(self, before: Connection, after: Connection) -> None:
        if before.external_id != after.external_id:
            self._require_free(after)
            self._drop_name(before)
            self._name(after)

    def release(self, connection: Connection) -> None:
        self._drop_name(connection)
        subject = _subject(connection)
        self.ids[subject].discard(connection.connection_id)
        if not self.ids[subject]:
            self.owners.pop(subject, None)

    def _require_free(self, connection: Connection) -> None:
        holder = self.holders.get(_identity(connection), connection.connection_id)
        if holder != connection.connection_id:
            raise ConnectionExists(holder)

    def _name(self, connection: Connection) -> None:
        self.holders[_identity(connection)] = connection.connection_id
        if connection.external_id:
            self.ids[connection.tenant, connection.external_id].add(connection.connection_id)

    def _drop_name(self, connection: Connection) -> None:
        if self.holders.get(_identity(connection)) == connection.connection_id:
            del self.holders[_identity(connection)]
        if connection.external_id:
            self.ids[connection.tenant, connection.external_id].discard(connection.connection_id)


def _subject(connection: Connection) -> Place:
    return "subject", connection.provider, connection.subject


def _identity(connection: Connection) -> Place:
    return (
        connection.tenant,
        connection.provider,
        tuple(sorted(connection.settings.items())),
        connection.subject,
        connection.external_id,
    )
