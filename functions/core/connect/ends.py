"""The ends of a connect session: the connection is stored, or what the provider gave is revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.core.connect import model
from functions.core.connect.model import ConnectSession, SessionStatus
from functions.core.connect.ports import Consent, Purpose
from functions.core.errors import (
    ConnectCodeInvalid,
    ConnectionExists,
    ConnectSessionEnded,
    FreshetError,
    NotFound,
    Superseded,
)

if TYPE_CHECKING:
    from functions.core.connect.flow_ports import FlowPorts
    from functions.core.model import Connection

RETRY_SECONDS: Final = 60 * 60
"""How long after its time a session waits for a provider, to connect or to revoke."""


class Ends:
    """Connects sessions, ends others, and does what is left to be done of either."""

    def __init__(self, ports: FlowPorts) -> None:
        """Take what the steps need."""
        self._ports, self._sessions, self._clock = ports, ports.sessions, ports.clock

    def connect(self, session: ConnectSession) -> ConnectSession:
        """Store the connection and end the session at once. A repetition finds it done.

        Raises:
            ConnectSessionEnded: something else has ended the session.
            ConnectCodeInvalid: a newer code was given out since.
            FreshetError: the connection cannot be stored; the session has ended for that.
        """
        plain = self._ports.unseal(session.connection, session.sealed_consent)
        try:
            ended = self._store(session, msgspec.json.decode(plain, type=Consent))
        except Superseded:
            ended = self.read(session)
            if ended.status is not SessionStatus.CONNECTED:
                has_ended = ended.status.has_ended
                raise (ConnectSessionEnded if has_ended else ConnectCodeInvalid) from None
        except FreshetError:
            self.end(session, SessionStatus.CANCELLED)
            raise
        return self.settle(ended)

    def _store(self, session: ConnectSession, consent: Consent) -> ConnectSession:
        at, credentials = self._clock(), consent.credentials
        connection = replace(session.connection, subject=consent.subject)
        reused = False
        if session.purpose is Purpose.CONNECT:
            connection = replace(connection, created_at=at).add_datasets(consent.datasets)
            ended = model.connect(session, connection, at=at)
            try:
                self._sessions.connect(ended, connection, credentials)
            except ConnectionExists as known:
                connection, reused = self._require(known.connection_id, session), True
            else:
                return ended
        else:
            connection = self._require(connection.connection_id, session)
        if consent.datasets:
            self._ports.add_datasets(connection, consent.datasets)
        ended = model.connect(session, connection, reused=reused, at=at)
        self._sessions.connect(ended, connection, credentials)
        return ended

    def _require(self, connection_id: str, session: ConnectSession) -> Connection:
        connection = self._ports.connection(connection_id)
        if connection is None or connection.tenant != session.tenant:
            raise NotFound
        return connection

    def end(self, session: ConnectSession, status: SessionStatus) -> ConnectSession:
        """End the session as it stands by now, and do what is left to be done."""
        while not session.status.has_ended:
            ended = model.drop(session, status, at=self._clock())
            try:
                self._sessions.save(ended)
            except Superseded:
                session = self.read(session)
            else:
                session = ended
        return self.settle(session)

    def settle(self, session: ConnectSession) -> ConnectSession:
        """Do what is left to be done of a session that has ended."""
        if not session.pending:
            return session
        refresh_id, retry_until = "", session.ended_at + RETRY_SECONDS
        if session.status is SessionStatus.CONNECTED:
            refresh_id = self._ports.resume(session)
        elif not self.revoke(session, self._open_consent(session)) and self._clock() < retry_until:
            return session
        settled = model.settle(session, refresh_id=refresh_id)
        try:
            self._sessions.save(settled)
        except Superseded:
            return self.read(session)
        return settled

    def _open_consent(self, session: ConnectSession) -> Consent:
        """The consent of a session; where there is none, one with the subject only."""
        connection, sealed = session.connection, session.sealed_consent
        if not sealed:
            return Consent(subject=connection.subject)
        return msgspec.json.decode(self._ports.unseal(connection, sealed), type=Consent)

    def revoke(self, session: ConnectSession, consent: Consent) -> bool:
        """Revoke a consent. The session's id makes the connection count as another on the login."""
        dropped = replace(
            session.connection,
            connection_id=session.connect_session_id,
            subject=consent.subject,
        )
        return self._ports.revoke(dropped, consent.credentials)

    def read(self, session: ConnectSession) -> ConnectSession:
        """The session as it stands by now.

        Raises:
            ConnectSessionEnded: it is forgotten.
        """
        found = self._sessions.get(session.connect_session_id)
        if found is None:
            raise ConnectSessionEnded
        return found
