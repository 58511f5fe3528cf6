"""What the flow of connect sessions needs from outside, as protocols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from functions.core.connect.model import ConnectSession
from functions.core.connect.ports import SignIn
from functions.core.contract import Clock, Sleep
from functions.core.errors import FreshetError
from functions.core.model import Connection, Credentials

if TYPE_CHECKING:
    from functions.core.idempotency import Key


class Sessions(Protocol):
    """Stores connect sessions."""

    def get(self, connect_session_id: str) -> ConnectSession | None:
        """Read one with a consistent read."""

    def create(self, session: ConnectSession, *, key: Key | None = None) -> None:
        """Store a new one, and note the key as answered by it in the same write.

        Raises:
            Superseded: the key is noted already.
        """

    def save(self, session: ConnectSession) -> None:
        """Write it where the version before it is stored; a repetition changes nothing.

        Raises:
            Superseded: another version is stored.
        """

    def connect(
        self, session: ConnectSession, connection: Connection, credentials: Credentials | None
    ) -> None:
        """Write it as ``save`` does, and its connection, all or nothing.

        A connection that was there before has its credentials replaced, see
        ``ConnectSession.is_new``; any other is created.

        Raises:
            Superseded: another version is stored.
            NotFound: the connection that was there has been erased.
            ConnectionExists: another has this identity.
            ProviderRefusesConnection: its subject is another tenant's.
            InvalidRequest: there are too many of its external id or its login.
        """


class FlowPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the flow needs from outside.

    Attributes:
        connection: reads a connection with a consistent read.
        add_datasets: adds datasets of these titles to a connection that is there; ``NotFound`` if
            it is no longer.
        sign_in: the provider of a connection; every call to it is bounded in time.
        sealer: makes a key for one value of a connection, and gives what seals under it.
        unseal: opens what was sealed for this connection.
        revoke: ends a consent that is not kept, unless a connection stands on the same login.
            Returns False if the provider may be asked again.
        resume: starts the first refresh if the session wants one, and wakes one that waits for
            its user. Returns the id of the first. It may be repeated.
        report: tells the operator of an error; the user sees only its name.
        token: makes an unguessable text of 43 characters.
    """

    sessions: Sessions
    connection: Callable[[str], Connection | None]
    add_datasets: Callable[[Connection, Sequence[str]], object]
    sign_in: Callable[[Connection], SignIn]
    sealer: Callable[[Connection], Callable[[bytes], bytes]]
    unseal: Callable[[Connection, bytes], bytes]
    revoke: Callable[[Connection, Credentials | None], bool]
    resume: Callable[[ConnectSession], str]
    report: Callable[[FreshetError], None]
    token: Callable[[], str]
    clock: Clock
    sleep: Sleep
