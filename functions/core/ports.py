"""What the decisions and the connectors need from outside, as protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import IO, Protocol, TypeAlias

import msgspec

from functions.core.contract import Bookmark, Clock, Cursor, Job, Sleep
from functions.core.model import (
    Connection,
    Credentials,
    Part,
    StoredCredentials,
)

RecordKey: TypeAlias = tuple[str, str]
"""What a record is known by in its dataset: its part and its id there. Two accounts may give the
same id to different transactions."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a refresh wants of the provider.

    ``synchronous`` asks the provider to answer only when it is done, where it can. ``job`` is
    what the provider has taken already, where one job is several to it. ``losses`` is how often
    it has lost the refresh's job so far.
    """

    datasets: tuple[str, ...]
    synchronous: bool = False
    losses: int = 0
    job: Job | None = None


class Triggered(msgspec.Struct, frozen=True, kw_only=True):
    """The provider has taken the job.

    ``more`` says that it has taken a part only, and is to be asked again with that. ``webhooks``
    are webhooks that it was given: digests of their tokens, each with the name by which the
    provider will speak of this part of the job, see ``core.webhooks``.
    """

    job: Job
    more: bool = False
    webhooks: Mapping[str, str] = {}


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a look found.

    ``done`` says that the provider is ready to be fetched from, ``lost`` that it does not know
    the job. ``job`` replaces the ticket's. ``wait_seconds`` is when the provider wants to be
    asked again: 0 at once (it waits by itself), None when it does not say. ``at_deadline`` is the
    job with which to fetch what is ready, should this be the last look; None: nothing is by itself.
    """

    job: Job
    done: bool = False
    lost: bool = False
    wait_seconds: float | None = None
    at_deadline: Job | None = None


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


class ReadMode(msgspec.Struct, frozen=True, kw_only=True):
    """How a dataset is read in this refresh, decided once for the whole of it.

    ``incremental``: its records and deletions are added to the previous snapshot's; otherwise
    they replace them. ``bookmark`` is what the next refresh is given of it; None: it is read in
    full.
    """

    incremental: bool = False
    bookmark: Bookmark | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of one dataset's records from one part, and where the next page starts.

    ``cursor`` None means that this was the last page. ``parts`` is evidence of freshness: what
    a later page says of a part replaces what an earlier one said of it and the same datasets.
    ``quarantined`` is kept apart, for people to look at, and is not published. ``read_modes`` tells
    of datasets, by name, how they are read; told of none, a dataset is read in full, and so it
    is the next time. A later page may add to a bookmark.
    """

    dataset: str
    part: str = ""
    records: Sequence[Record] = ()
    deletions: Sequence[str] = ()
    parts: tuple[Part, ...] = ()
    quarantined: Sequence[Quarantined] = ()
    read_modes: Mapping[str, ReadMode] = {}
    cursor: Cursor | None = None


class PreviousSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a fetch may add to: datasets of the snapshot that ``refresh_id`` published.

    ``bookmarks`` are theirs, by name; a dataset that has none here must be read in full.
    ``revisions`` reads the revisions of a dataset's records, and takes its time.
    """

    refresh_id: str
    bookmarks: Mapping[str, Bookmark]
    revisions: Callable[[str], Mapping[RecordKey, str]]


class Connector(Protocol):
    """One provider. Plain values in and out, no state between calls, no AWS.

    Every method may raise the leaves of ``core.errors``.
    """

    def trigger(self, connection: Connection, order: Order, /) -> Triggered:
        """Start the job at the provider.

        Raises:
            InteractionRequired: there is none yet. Where it is ``awaited``, this is called again.
        """
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
        previous: PreviousSnapshot | None = None,
    ) -> Iterator[Page]:
        """Yield pages lazily, from the beginning or from where an earlier page pointed.

        With a base, a connector that can tells only what has changed since, and says so. It is
        given the same base with each cursor of a refresh.

        Raises:
            FetchWaits: the provider is at its job again; ask once more after a pause.
        """
        ...


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A connection begun at the provider: its subject there, and where the user goes on."""

    subject: str
    url: str


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What the end user chose at the provider, in its words; nothing yet: ``chosen`` is None.

    ``url`` is where the user chooses.
    """

    url: str
    chosen: msgspec.Raw | None = None


class Opener(Connector, Protocol):
    """A provider at which a connection is begun here, and configured there by its end user."""

    def open(self, connection: Connection, *, token: str) -> Opened:
        """Begin a connection that has no subject yet; ``token`` is for its webhooks."""
        ...

    def configuration(self, connection: Connection) -> Configuration:
        """What the end user has chosen so far."""
        ...


class CredentialStore(Protocol):
    """Where a connection's credentials are kept, one version after the other."""

    def load(self, connection_id: str, *, fresh: bool = True) -> StoredCredentials:
        """Read them with a consistent read.

        Args:
            fresh: otherwise they may be as they were when this call last read the connection.
        """
        ...

    def lease(self, connection_id: str, *, version: int, owner: str) -> bool:
        """Take the right to rotate this version, if nobody alive has it and it still stands."""
        ...

    def release_lease(self, connection_id: str, *, owner: str) -> None:
        """Give the right back: nothing came of it."""
        ...

    def rotate(self, connection_id: str, *, version: int, to: Credentials) -> None:
        """Put the successor of this version in its place; a repetition changes nothing."""
        ...

    def mark_dead(self, connection_id: str, *, version: int) -> None:
        """Mark this version dead: the user must sign in again."""
        ...


class Budget(Protocol):
    """What every request to a provider is asked of first."""

    def take(self) -> None:
        """Wait for this request's turn.

        Raises:
            RateLimited: it is too far away; nothing was sent.
        """
        ...

    def pause(self, seconds: float) -> None:
        """The provider has had too much (429): nobody asks it for so long."""
        ...


class ConnectorPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector is given.

    ``application`` reads the provider's own secret (JSON). ``seal`` and ``unseal`` encrypt
    and decrypt a short secret that has to travel in a job (a session key); only the same
    connection can open it. ``token`` makes an unguessable name. ``owner`` is the id of what the
    connector works for: a refresh, a push, a connection. ``budget`` is asked before every request
    to the provider; without one, nothing is. ``left`` tells how many seconds a call may take now.
    """

    application: Callable[[], bytes]
    credentials: CredentialStore
    seal: Callable[[Connection, str], str]
    unseal: Callable[[Connection, str], str]
    clock: Clock
    sleep: Sleep
    token: Callable[[], str]
    owner: str
    budget: Budget | None = None
    left: Callable[[], float] = lambda: inf
