"""Connect sessions in DynamoDB, and the write that makes a connection of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from functions.aws.tables.dynamodb import Table, is_passing, to_text
from functions.aws.tables.idempotency import answer_requests
from functions.aws.tables.open_items import open_attributes
from functions.core.connect.model import KEEP_SECONDS, ConnectSession
from functions.core.errors import NotFound, Superseded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.tables.connections import ConnectionTable
    from functions.aws.tables.dynamodb import Request
    from functions.core.idempotency import Key
    from functions.core.model import Connection, Credentials


class ConnectSessionTable:
    """Implements ``core.connect.flow_ports.Sessions``. The time to live forgets them."""

    def __init__(
        self, dynamodb: DynamoDBClient, *, table: str, keys: str, connections: ConnectionTable
    ) -> None:
        """Take the names of the table and of the one that the idempotency keys are in."""
        self._table, self._keys = Table(dynamodb, table), Table(dynamodb, keys)
        self._connections = connections

    def get(self, connect_session_id: str) -> ConnectSession | None:
        """Read one with a consistent read."""
        item = self._table.get({"connect_session_id": connect_session_id})
        return msgspec.json.decode(item["document"], type=ConnectSession) if item else None

    def create(self, session: ConnectSession, *, key: Key | None = None) -> None:
        """Store a new one; see ``Sessions.create``."""
        id_, at = session.connect_session_id, session.created_at
        noted = answer_requests(key, id_, table=self._keys, at=at)
        put = self._put_request(session, condition="attribute_not_exists(connect_session_id)")
        if self._table.transact([put, *noted]) is not None:
            raise Superseded

    def save(self, session: ConnectSession) -> None:
        """Write it where the version before it is stored; see ``Sessions.save``."""
        # It may be all that keeps a consent, and can be repeated: tried for some seconds.
        if not self._table.write(self._put_request(session), again=is_passing).done:
            self._require_written(session)

    def connect(
        self, session: ConnectSession, connection: Connection, credentials: Credentials | None
    ) -> None:
        """Write it and its connection in one transaction; see ``Sessions.connect``."""
        also = [self._put_request(session)]
        try:
            if session.is_new:
                self._connections.create(connection, credentials, also=also)
            elif credentials is not None:
                self._connections.replace(connection, credentials, also=also)
            else:
                self.save(session)
        except Superseded:
            self._require_written(session)

    def _require_written(self, session: ConnectSession) -> None:
        """Find what was to be written by a write that was refused: its answer was lost before."""
        stored = self.get(session.connect_session_id)
        if stored == session:
            return
        # Where the version before it is stored, it was the connection that is not there.
        raise NotFound if stored and stored.version == session.version - 1 else Superseded

    def _put_request(
        self, session: ConnectSession, *, condition: str = "version = :before"
    ) -> Request:
        end = session.ended_at or session.due_at or 0
        seen = {"before": session.version - 1} if session.version > 1 else None
        return self._table.put_request(
            {
                "connect_session_id": session.connect_session_id,
                "version": session.version,
                "document": to_text(session),
                "forget_at": int(end) + KEEP_SECONDS,
                **open_attributes(session.due_at),
            },
            condition=condition,
            values=seen,
        )
