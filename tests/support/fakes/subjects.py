"""In-memory owners of subjects; ``support.fakes.stores.Connections`` takes the claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.core.model import Connection
    from tests.support.fakes.stores import Tables


class SubjectOwners:
    """Fake of ``functions.aws.tables.subjects.SubjectOwners``."""

    def __init__(self, tables: Tables) -> None:
        self._subjects, self._lock = tables.subjects, tables.lock

    def release(self, connection: Connection) -> None:
        subject = (connection.provider, connection.subject)
        with self._lock:
            _, claims = self._subjects.get(subject, ("", set()))
            claims.discard(connection.connection_id)
            if not claims:
                self._subjects.pop(subject, None)
