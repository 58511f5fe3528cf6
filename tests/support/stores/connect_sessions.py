"""Suite for stores of connect sessions; see ``stores.suite``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.connect import model as step
from functions.core.connect.model import SessionStatus
from functions.core.connect.ports import Purpose
from functions.core.errors import ConnectionExists, NotFound, Superseded
from functions.core.idempotency import Key
from tests.support.connect_harness import NEW, SESSION, a_session
from tests.support.scripted_connector import CONNECTION, TOKENS, a_connection

if TYPE_CHECKING:
    from functions.core.connect.model import ConnectSession
    from functions.core.model import Connection
    from tests.support.stores.suite import Stores

KEY = Key(name="f" * 64, digest="d1")
OPTIONS = {"service_id": msgspec.Raw(b"16"), "other": msgspec.Raw(b'["a", {"b": 1.50}]')}


def ended(stores: Stores, connection: Connection, session: ConnectSession) -> ConnectSession:
    return step.connect(session, connection, at=stores.clock())


class ConnectSessionBehaviour:
    """Connect sessions: a writer has seen the version before, and a connection comes with one."""

    def created(self, stores: Stores, **changes: object) -> ConnectSession:
        session = a_session(at=stores.clock(), **changes)
        stores.connect_sessions.create(session)
        return session

    def test_a_session_is_read_as_it_was_created(self, stores: Stores) -> None:
        assert stores.connect_sessions.get(SESSION) is None
        session = self.created(
            stores, options=OPTIONS, user_label="für ada", sealed_token=b"\0\xff"
        )
        assert stores.connect_sessions.get(SESSION) == session

    def test_a_session_notes_its_key(self, stores: Stores) -> None:
        session = a_session(at=stores.clock())
        stores.connect_sessions.create(session, key=KEY)
        claim = stores.keys.get(KEY.name, at=stores.clock())
        assert claim is not None
        assert claim.resource_id == SESSION
        other = replace(session, connect_session_id="cns_2")
        with pytest.raises(Superseded):
            stores.connect_sessions.create(other, key=KEY)
        assert stores.connect_sessions.get("cns_2") is None

    def test_the_second_of_two_writers_is_refused(self, stores: Stores) -> None:
        session = self.created(stores)
        one, other = (
            step.drop(session, status, at=stores.clock())
            for status in (SessionStatus.CANCELLED, SessionStatus.EXPIRED)
        )
        for _ in ("once", "its answer was lost"):
            stores.connect_sessions.save(one)
        with pytest.raises(Superseded):
            stores.connect_sessions.save(other)
        with pytest.raises(Superseded):
            stores.connect_sessions.save(replace(one, connect_session_id="cns_unknown"))
        assert stores.connect_sessions.get(SESSION) == one

    def test_a_connection_comes_with_its_session(self, stores: Stores) -> None:
        session = self.created(stores)
        connection = replace(session.connection, subject="user-1")
        done = ended(stores, connection, session)
        for _ in ("once", "its answer was lost"):
            stores.connect_sessions.connect(done, connection, TOKENS)
        assert stores.connect_sessions.get(SESSION) == done
        stored = replace(connection, credentials_at=connection.created_at)
        assert stores.connections.get(NEW) == stored
        assert stores.connections.load(NEW).credentials == TOKENS
        assert stores.lookups.ids_of_subject("banno", "user-1") == [NEW]

    @pytest.mark.parametrize("purpose", [Purpose.CONNECT, Purpose.RECONNECT])
    def test_nothing_comes_of_a_session_that_has_moved_on(
        self, stores: Stores, purpose: Purpose
    ) -> None:
        session = self.created(stores, purpose=purpose)
        stores.connections.create(a_connection(), TOKENS)
        stores.connect_sessions.save(step.drop(session, SessionStatus.CANCELLED, at=stores.clock()))
        new = purpose is Purpose.CONNECT
        connection = replace(session.connection, subject="u") if new else a_connection()
        with pytest.raises(Superseded):
            stores.connect_sessions.connect(
                ended(stores, connection, session), connection, replace(TOKENS, access_token="new")
            )
        assert stores.connections.get(NEW) is None
        assert stores.connections.load(CONNECTION).credentials == TOKENS

    def test_an_identity_that_exists_leaves_the_session_as_it_was(self, stores: Stores) -> None:
        session = self.created(stores)
        same = a_connection(external_id=session.connection.external_id)
        stores.connections.create(same, TOKENS)
        connection = replace(session.connection, subject=same.subject)
        with pytest.raises(ConnectionExists) as raised:
            stores.connect_sessions.connect(ended(stores, connection, session), connection, TOKENS)
        assert raised.value.connection_id == CONNECTION
        assert stores.connect_sessions.get(SESSION) == session

    def test_credentials_are_replaced_with_the_session(self, stores: Stores) -> None:
        connection = a_connection()
        session = self.created(stores, purpose=Purpose.RECONNECT, connection=connection)
        stores.connections.create(connection, TOKENS)
        new, done = replace(TOKENS, access_token="new"), ended(stores, connection, session)
        for _ in ("once", "its answer was lost"):
            stores.connect_sessions.connect(done, connection, new)
        kept = stores.connections.load(CONNECTION)
        assert (kept.credentials, kept.version) == (new, 2)

    def test_a_connection_that_is_being_erased_is_not_found(self, stores: Stores) -> None:
        connection = a_connection()
        session = self.created(stores, purpose=Purpose.RECONNECT, connection=connection)
        stores.connections.create(connection, TOKENS)
        stores.connections.begin_erasing(CONNECTION)
        with pytest.raises(NotFound):
            stores.connect_sessions.connect(ended(stores, connection, session), connection, TOKENS)
        assert stores.connect_sessions.get(SESSION) == session

    def test_one_without_credentials_of_its_own_ends_the_session_only(self, stores: Stores) -> None:
        connection = a_connection()
        session = self.created(stores, purpose=Purpose.EDIT, connection=connection)
        done = ended(stores, connection, session)
        stores.connect_sessions.connect(done, connection, None)
        assert stores.connect_sessions.get(SESSION) == done
