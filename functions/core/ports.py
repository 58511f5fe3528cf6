"""What the decisions and the connectors need from outside, as protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from math import inf
from typing import IO, Protocol, TypeAlias

import msgspec

from functions.core.contract import Bookmark, Clock, Cursor, Job, Sleep
from functions.core.model import Connection, Credentials, Part, StoredCredentials

RecordKey: TypeAlias = tuple[str, str]
"""What identifies a record in its dataset: its part and its id there. Two accounts may give the
same id to different transactions."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a refresh wants of the provider.

    ``synchronous`` asks the provider to answer only when it is done, where it can. ``job`` is
    the part that the provider has taken already, where it takes a job in parts. ``losses`` is how
    often it has lost the refresh's job so far.
    """

    datasets: tuple[str, ...]
    synchronous: bool = False
    losses: int = 0
    job: Job | None = None


class Triggered(msgspec.Struct, frozen=True, kw_only=True):
    """The job that the provider has taken.

    ``more`` says that it has taken a part only, and has to be triggered again with that job.
    ``webhooks`` maps the digests of the webhooks' tokens to the provider's names for this part of
    the job, see ``core.webhooks``. ``dataset`` is what this part of the job is for, where it is for
    one only.
    """

    job: Job
    more: bool = False
    dataset: str = ""
    webhooks: Mapping[str, str] = {}


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a look found.

    ``done`` says that the job can be fetched, ``lost`` that the provider does not know it. ``job``
    replaces the ticket's. ``wait_seconds`` is when the provider wants the next look: 0 at once (it
    holds a look open), None where it does not say. ``at_deadline`` is the job with which to fetch
    what is ready, if this is the last look; None where nothing is.
    """

    job: Job
    done: bool = False
    lost: bool = False
    wait_seconds: float | None = None
    at_deadline: Job | None = None


class Record(msgspec.Struct, frozen=True):
    """One item as the provider gave it: its id there, and its JSON, byte for byte.

    A record that comes again soon in one part is written once, unless its ``revision`` differs.
    ``blob`` is content that is too large for a line of a file: an open file to read from its
    beginning. The staging closes it.
    """

    id: str
    data: msgspec.Raw
    revision: str = ""
    blob: IO[bytes] | None = None


class Quarantined(msgspec.Struct, frozen=True):
    """A file of the provider that cannot be opened: its name there, and its content."""

    name: str
    content: bytes


class ReadMode(msgspec.Struct, frozen=True, kw_only=True):
    """How a dataset is read in a refresh.

    ``incremental``: its records and deletions are added to the previous snapshot's; otherwise
    they replace them. ``bookmark`` is for the next refresh; without one, that reads everything.
    """

    incremental: bool = False
    bookmark: Bookmark | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of one dataset's records from one part, and where the next page starts.

    ``cursor`` None means that this was the last page. ``parts`` is evidence of freshness; a later
    page's replaces an earlier one's about the same part and datasets. ``quarantined`` is stored
    for people to look at, and not published. ``read_modes`` are by dataset; one without is read in
    full, now and the next time. A later page may add to a bookmark. ``labels`` are what the
    provider calls parts towards its user.
    """

    dataset: str
    part: str = ""
    records: Sequence[Record] = ()
    deletions: Sequence[str] = ()
    parts: tuple[Part, ...] = ()
    quarantined: Sequence[Quarantined] = ()
    read_modes: Mapping[str, ReadMode] = {}
    labels: Mapping[str, str] = {}
    cursor: Cursor | None = None


class PreviousSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot that ``refresh_id`` published, for a fetch that may add to it.

    ``bookmarks`` are by dataset; a dataset without one must be read in full. ``revisions`` reads
    the revisions of a dataset's records, which is slow.
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

    def check(self, connection: Connection, job: Job, *, hold_seconds: float) -> Looked:
        """Look once; hold the look open up to ``hold_seconds`` where the provider can."""

    def fetch(
        self,
        connection: Connection,
        job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
        previous: PreviousSnapshot | None = None,
    ) -> Iterator[Page]:
        """Yield pages lazily, from the beginning or from an earlier page's cursor.

        With a previous snapshot, a connector may read only what has changed since, and says so in
        its pages. Each cursor of a refresh comes with the same previous snapshot.

        Raises:
            FetchWaits: the provider has begun its job anew; fetch again after a pause.
        """


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A connection begun at the provider: its subject, and the address where the user goes on."""

    subject: str
    url: str


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What the end user has chosen at the provider, in its words; None where nothing yet.

    ``url`` is where the user chooses.
    """

    url: str
    chosen: msgspec.Raw | None = None


class IntegrationType(msgspec.Struct, frozen=True, kw_only=True):
    """A type of record that Endgrate can pull from an integration, or push there."""

    endgrate_type: str
    title: str
    pulls: bool
    pushes: bool


class Integration(msgspec.Struct, frozen=True, kw_only=True):
    """A system that Endgrate integrates, by Endgrate's name, and the types that it has."""

    integration_provider: str
    title: str
    types: list[IntegrationType]


class ListedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group of digi.me's services, such as social networks."""

    id: int
    title: str


class ListedService(msgspec.Struct, frozen=True, kw_only=True):
    """A service that digi.me collects data from.

    ``groups`` are ids; ``countries`` are codes, and none where digi.me says nothing of them.
    """

    id: int
    title: str
    groups: list[int]
    countries: list[str]


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """The services that users of digi.me's contract can add."""

    services: list[ListedService]
    groups: list[ListedGroup]


class Catalogue(Connector, Protocol):
    """A provider that lists what connections to it can have."""

    def catalogue(self) -> list[Integration] | Services:
        """Read the list: Endgrate's integrations, or digi.me's services."""


class Opener(Connector, Protocol):
    """A provider at which Freshet begins connections, and end users configure them."""

    def open(
        self,
        connection: Connection,
        *,
        token: str,
        redirect_url: str = "",
        options: Mapping[str, msgspec.Raw] | None = None,
    ) -> Opened:
        """Begin a connection that has no subject yet.

        Args:
            connection: with the datasets that are wanted.
            token: for its webhooks.
            redirect_url: where the provider sends the user's browser at the end.
            options: of this provider, from the request for a connect session.

        Raises:
            InvalidRequest: the options are not valid; the text says which.
            ProviderRefusesConnection: the provider does not have what is wanted.
        """

    def configuration(self, connection: Connection) -> Configuration:
        """Read what the end user has chosen so far."""


class Revoke(StrEnum):
    """What erasing a connection does at its provider.

    ``true``: revoke, once; the connection is erased also where that fails. ``false``: nothing.
    ``required``: revoke first; where that fails, nothing is erased. ``library``: as ``required``,
    and delete the user's library, which other applications may use.
    """

    TRUE = "true"
    FALSE = "false"
    REQUIRED = "required"
    LIBRARY = "library"


class Revoked(StrEnum):
    """What has become of a connection at its provider.

    ``done``: it is revoked. ``already``: the provider did not know it any more. ``shared``: another
    connection stands on the same login, so nothing was done. ``skipped``: nothing was to be done.
    ``unsupported``: the provider cannot. ``failed``: it may still be alive there.
    """

    DONE = "done"
    ALREADY = "already"
    SHARED = "shared"
    SKIPPED = "skipped"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


class Revoker(Connector, Protocol):
    """A provider at which a connection can be ended."""

    def revoke(
        self, connection: Connection, credentials: Credentials | None, *, wish: Revoke
    ) -> Revoked:
        """End what the connection stands on, once; None where it has no credentials of its own."""


class Renewer(Connector, Protocol):
    """A provider whose refresh tokens can be kept alive."""

    def renew(self, connection: Connection, /) -> None:
        """Exchange the connection's refresh token, if it has one.

        Raises:
            ReauthRequired: the provider does not take it any more.
        """


class CredentialStore(Protocol):
    """Stores the credentials of connections, in versions."""

    def load(self, connection_id: str, *, fresh: bool = True) -> StoredCredentials:
        """Read them with a consistent read.

        Args:
            fresh: otherwise they may be as they were when this call last read the connection.
        """

    def lease(self, connection_id: str, *, version: int, owner: str) -> bool:
        """Take the right to rotate this version, if it is the current one and not leased."""

    def release_lease(self, connection_id: str, *, owner: str) -> None:
        """Give the right back without a rotation."""

    def rotate(self, connection_id: str, *, version: int, to: Credentials) -> None:
        """Replace this version by its successor; a repetition changes nothing."""

    def mark_dead(self, connection_id: str, *, version: int) -> None:
        """Mark this version dead: the user must sign in again."""


class Budget(Protocol):
    """Bounds the rate of requests to a provider."""

    def take(self, *, at_once: bool = False) -> None:
        """Wait for this request's turn.

        Raises:
            RateLimited: it is too far away, or not ``at_once``; nothing was sent.
        """

    def pause(self, seconds: float) -> None:
        """Stop all requests for so long, after a 429."""


class ConnectorPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector is given.

    ``application`` reads the provider's application secret (JSON). ``seal`` and ``unseal`` encrypt
    and decrypt a short secret that travels in a job (a session key); only the same connection can
    open it. ``token`` makes an unguessable name. ``owner`` is the id of the refresh, push or
    connection for which the connector works. ``budget`` bounds the requests; without one they are
    not bounded. ``left`` returns how many seconds a call may take now. ``note_deprecation`` tells
    the operator that the provider's API is about to end, in the provider's word for it.
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
    note_deprecation: Callable[[str], None] = lambda _status: None
