"""In-memory connect sessions, under the conditions of their table."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import msgspec

from functions.aws.secrets import ProviderSecrets
from functions.core.connect.return_urls import read_application
from functions.core.errors import NotFound, Superseded
from functions.core.idempotency import Claim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.connect.model import ConnectSession
    from functions.core.connect.return_urls import Application
    from functions.core.contract import Clock
    from functions.core.idempotency import Key
    from functions.core.model import Connection, Credentials
    from tests.support.fakes.stores import Connections, Tables


class Sessions:
    """Fake of ``ConnectSessionTable``."""

    def __init__(self, tables: Tables, connections: Connections) -> None:
        self.kept: dict[str, ConnectSession] = {}
        self._tables, self._connections = tables, connections

    def get(self, connect_session_id: str) -> ConnectSession | None:
        return self.kept.get(connect_session_id)

    def create(self, session: ConnectSession, *, key: Key | None = None) -> None:
        if key:
            if self._tables.claim(key.name, at=session.created_at):
                raise Superseded
            claim = Claim(digest=key.digest, resource_id=session.connect_session_id)
            self._tables.keep(key.name, claim, at=session.created_at)
        self.kept[session.connect_session_id] = session

    def save(self, session: ConnectSession) -> None:
        if self._is_next(session):
            self.kept[session.connect_session_id] = session

    def connect(
        self, session: ConnectSession, connection: Connection, credentials: Credentials | None
    ) -> None:
        if not self._is_next(session):
            return
        if session.is_new:
            self._connections.create(connection, credentials)
        elif credentials is not None:
            try:
                self._connections.replace(connection, credentials)
            except Superseded:
                raise NotFound from None
        self.kept[session.connect_session_id] = session

    def _is_next(self, session: ConnectSession) -> bool:
        """Whether it is to be written; not where it is already."""
        stored = self.kept.get(session.connect_session_id)
        if stored is None or (stored != session and stored.version != session.version - 1):
            raise Superseded
        return stored != session


class Applications:
    """The applications that an operator has entered, and the secret that they are read from."""

    def __init__(self, clock: Clock, **entries: Application) -> None:
        self.entries: Mapping[str, Application] = entries
        self.reads = 0
        self._applications = ProviderSecrets(cast("Any", self), prefix="", clock=clock)

    def get_secret_value(self, **_: str) -> dict[str, str]:
        self.reads += 1
        return {"SecretString": msgspec.json.encode(self.entries).decode()}

    def application(self, tenant: str, *, return_url: str = "") -> Application:
        read = partial(read_application, tenant=tenant, return_url=return_url)
        return self._applications.use("applications", read)
