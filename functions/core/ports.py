"""What the decisions and the connectors need from outside, as protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import IO, Protocol, TypeAlias

import msgspec

from functions.core.contract import Cursor, Job
from functions.core.model import (
    Connection,
    Credentials,
    Dataset,
    Manifest,
    PartState,
    Progress,
    Refresh,
    SnapshotPointer,
    StoredCredentials,
)

Clock: TypeAlias = Callable[[], float]
"""Seconds since the epoch."""

Sleep: TypeAlias = Callable[[float], None]
"""Waits for so many seconds."""


class Triggered(msgspec.Struct, frozen=True, kw_only=True):
    """The provider has taken the job."""

    job: Job


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a look found.

    ``done`` says that the provider is ready to be fetched from, ``lost`` that it does not know
    the job. ``job`` replaces the ticket's. ``wait_seconds`` is when the provider wants to be
    asked again: 0 at once (it waits by itself), None when it does not say.
    """

    job: Job
    done: bool = False
    lost: bool = False
    wait_seconds: float | None = None


class Record(msgspec.Struct, frozen=True):
    """One item as the provider gave it: its id there, and its JSON, byte for byte.

    A record that comes twice in one part is written once, unless its ``revision`` differs.
    ``blob`` is content that is too large for a line of a file: an open file to read from its
    beginning. It is closed by whoever takes the record.
    """

    id: str
    data: msgspec.Raw
    revision: str = ""
    blob: IO[bytes] | None = None


class Quarantined(msgspec.Struct, frozen=True):
    """Something that the provider gave and that cannot be opened: its name there, and itself."""

    name: str
    content: bytes


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of one dataset's records from one part, and where the next page starts.

    ``cursor`` None means that this was the last page. ``parts`` is evidence of freshness: what
    a later page says of a part replaces what an earlier one said. ``quarantined`` is kept
    apart, for people to look at, and is not published.
    """

    dataset: str
    part: str = ""
    records: Sequence[Record] = ()
    deletions: Sequence[str] = ()
    parts: tuple[PartState, ...] = ()
    quarantined: Sequence[Quarantined] = ()
    cursor: Cursor | None = None


class Connector(Protocol):
    """One provider. Plain values in and out, no state between calls, no AWS.

    Every method may raise the leaves of ``core.errors``.
    """

    def trigger(self, connection: Connection) -> Triggered:
        """Start the job at the provider."""
        ...

    def check(self, connection: Connection, job: Job, *, hold_seconds: float) -> Looked:
        """Look once; hold the look open up to ``hold_seconds`` where the provider can."""
        ...

    def fetch(
        self,
        connection: Connection,
        job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
    ) -> Iterator[Page]:
        """Yield pages lazily, from the beginning or from where an earlier page pointed.

        Raises:
            FetchWaits: the provider is at its job again; ask once more after a pause.
        """
        ...


class CredentialStore(Protocol):
    """Where a connection's credentials are kept, one version after the other."""

    def load(self, connection_id: str) -> StoredCredentials:
        """Read them with a consistent read."""
        ...

    def lease(self, connection_id: str, *, version: int, owner: str) -> bool:
        """Take the right to rotate this version, if nobody alive has it and it still stands."""
        ...

    def unlease(self, connection_id: str, *, owner: str) -> None:
        """Give the right back: nothing came of it."""
        ...

    def rotate(self, connection_id: str, *, version: int, to: Credentials) -> None:
        """Put the successor of this version in its place; a repetition changes nothing."""
        ...

    def bury(self, connection_id: str, *, version: int) -> None:
        """Mark this version dead: the user must sign in again."""
        ...


class ConnectorPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector is given.

    ``application`` reads the provider's own secret (JSON). ``sealed`` and ``unsealed`` encrypt
    and decrypt a short secret that has to travel in a job (a session key); only the same
    connection can open it.
    """

    application: Callable[[], bytes]
    credentials: CredentialStore
    sealed: Callable[[Connection, str], str]
    unsealed: Callable[[Connection, str], str]
    clock: Clock
    sleep: Sleep
    owner: str


class Staging(Protocol):
    """Where a refresh's records are written before they are published."""

    progress: Progress

    def resume(self) -> None:
        """Go on from what an earlier call has put aside."""
        ...

    def put_aside(self) -> None:
        """Keep the progress for a later call."""
        ...

    def write(self, page: Page) -> None:
        """Add a page; a record that this part has had already is left out."""
        ...

    def datasets(self, *, refresh_id: str, as_of: float) -> dict[str, Dataset]:
        """What has been written, once there is no page to follow."""
        ...

    def seal(self, manifest: Manifest) -> tuple[str, str]:
        """Write the manifest; its key and version are the answer."""
        ...


class Connections(Protocol):
    """Where connections are kept."""

    def get(self, connection_id: str) -> Connection | None:
        """Read one with a consistent read; None when there is none."""
        ...


class Refreshes(Protocol):
    """Where refreshes are kept. Every write survives the loss of its own answer."""

    def get(self, refresh_id: str) -> Refresh | None:
        """Read one with a consistent read; None when there is none."""
        ...

    def admit(self, refresh: Refresh, *, until: float) -> str:
        """Give the connection's slot to this refresh, or answer whose it is.

        Returns:
            The id of the refresh that holds the slot: this one's, or another's.

        Raises:
            Superseded: the connection is gone.
        """
        ...

    def save(self, refresh: Refresh, *, seen: int) -> None:
        """Write the refresh where the stored version is still ``seen``.

        Raises:
            Superseded: another writer was faster.
        """
        ...

    def publish(self, refresh: Refresh, *, seen: int, snapshot: SnapshotPointer) -> None:
        """Point the connection to the snapshot, end the refresh and free the slot, at once.

        Raises:
            Superseded: the refresh was ended, or lost its slot, by someone else.
        """
        ...

    def release(self, refresh: Refresh) -> None:
        """Free the slot if this refresh still has it."""
        ...

    def hold(self, refresh: Refresh, *, until: float) -> None:
        """Keep the slot longer, if this refresh still has it."""
        ...


class Snapshots(Protocol):
    """Where published snapshots are kept."""

    def manifest(self, pointer: SnapshotPointer) -> Manifest:
        """The manifest that a connection points to.

        Raises:
            Gone: it is no longer there.
        """
        ...
