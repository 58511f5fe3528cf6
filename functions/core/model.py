"""The stored values: connections, refreshes, snapshots.

Instants are seconds since the epoch (float); the API renders them as RFC 3339. Ids are random and
global, and say nothing about a person.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import force_setattr, replace

from functions.core.contract import Bookmark, Job, Reason, Scalar, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable

CONNECTION_PREFIX: Final = "con_"
REFRESH_PREFIX: Final = "ref_"


def iso(instant: float) -> str:
    """An instant as RFC 3339 in UTC with milliseconds and ``Z``."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def when(instant: float) -> str | None:
    """The same; None for 0, which stands for an instant that is not known, or not there."""
    return iso(instant) if instant else None


def instant(text: str) -> float:
    """The instant that an RFC 3339 text with an offset names.

    Raises:
        ValueError: it is no such text, has no offset, or lies outside the years 1 to 9999.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("an instant needs an offset")
    try:
        return moment.astimezone(UTC).timestamp()
    except OverflowError:
        raise ValueError("an instant outside the calendar") from None


AHEAD_SECONDS: Final = 60
"""How far a provider's clock may be ahead of ours until its instants prove nothing. Synchronised
clocks differ by seconds."""

EARLIEST: Final = datetime(2002, 1, 1, tzinfo=UTC).timestamp()
"""Instants before this stand for a missing value: the year 1, and the zeros of Excel, Unix and
Apple (1900, 1970, 2001)."""


def read_instant(value: object) -> float:
    """The instant in a provider's field; 0 where it is no RFC 3339 text."""
    try:
        return instant(value) if isinstance(value, str) else 0
    except ValueError:
        return 0


def clamp_as_of(instant: float, *, now: float) -> float:
    """A provider's ``as_of``, at most ``now``, our own clock.

    It is 0, unknown, where the instant proves nothing: it is over ``AHEAD_SECONDS`` in the future,
    or before ``EARLIEST``.
    """
    return min(instant, now) if EARLIEST <= instant <= now + AHEAD_SECONDS else 0


_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def name_dataset(title: str) -> str:
    """The name of a dataset with this title: what can be in an address and an object's key.

    A title that can is its own name. Any other becomes its words and its digest.
    """
    if _NAME.fullmatch(title):
        return title
    words = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:40]
    return f"{words or 'dataset'}-{sha256(title.encode()).hexdigest()[:16]}"


# --- connections -------------------------------------------------------------------------------


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """The refresh that holds a connection's slot, and until when at the latest."""

    refresh_id: str
    until: float


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many parts are fresh, stale, incomplete, gone or failed.

    Stale: the provider has only older data. Incomplete: it could not give some of the part's
    records. Failed: it gave nothing, or nothing readable.
    """

    fresh: int = 0
    stale: int = 0
    incomplete: int = 0
    gone: int = 0
    failed: int = 0


class SnapshotPointer(msgspec.Struct, frozen=True, kw_only=True):
    """Location of the published manifest, its datasets, and the oldest ``as_of``, also by dataset.

    ``newest_as_of`` is that of its youngest part, and ``coverage`` counts its parts; 0 and None in
    one of an earlier version. No ``as_of`` is later than the publication.
    """

    refresh_id: str
    key: str
    version_id: str
    published_at: float
    as_of: float
    datasets: tuple[str, ...] = ()
    as_of_by_dataset: dict[str, float] = msgspec.field(name="ages", default_factory=dict)
    newest_as_of: float = 0
    coverage: Coverage | None = None

    def __post_init__(self) -> None:
        """Drop instants that prove nothing."""
        now = self.published_at
        each = {name: clamp_as_of(as_of, now=now) for name, as_of in self.as_of_by_dataset.items()}
        force_setattr(self, "as_of", clamp_as_of(self.as_of, now=now))
        force_setattr(self, "as_of_by_dataset", each)


class Interval(msgspec.Struct, frozen=True, array_like=True):
    """A job ended more than ``after`` and at most ``by`` seconds after its trigger.

    ``day`` is when that was, in days since the epoch.
    """

    after: float
    by: float
    day: int


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One end user at one provider, for one tenant. Its credentials are stored apart, encrypted.

    ``subject`` is the user's id at the provider. ``datasets`` are the connection's own, where
    its provider has no fixed ones; ``titles`` are the provider's names of those that have another,
    and ``params`` narrow them down, by dataset, in the provider's words.
    ``external_id`` and ``labels`` are the application's own; the id names its user. A connection
    that is ``paused`` is not refreshed.
    ``webhook`` is the digest of the token of the webhooks about this connection.
    ``previous`` is the snapshot before the published one, kept for readers who are paging through
    it. Before ``next_allowed_at`` its provider wants no refresh. ``scheduled_at`` is when the last
    refresh was requested that its schedule has begun; 0: not known, or none since it was set.
    ``intervals`` say how long its latest jobs took, the newest last. ``reauth_required`` says that
    its credentials are dead: the user must sign in again. ``credentials_at`` is when those that it
    has were stored; 0: not known.
    """

    connection_id: str
    tenant: str
    provider: str
    subject: str
    settings: dict[str, str]
    created_at: float
    datasets: tuple[str, ...] = ()
    titles: dict[str, str] = {}
    params: dict[str, dict[str, Any]] = {}
    external_id: str = ""
    labels: dict[str, str] = {}
    paused: bool = False
    webhook: str = msgspec.field(name="hook", default="")
    running: Running | None = None
    snapshot: SnapshotPointer | None = None
    previous: SnapshotPointer | None = None
    next_allowed_at: float = 0
    schedule: Schedule | None = None
    scheduled_at: float = 0
    intervals: tuple[Interval, ...] = ()
    reauth_required: bool = False
    credentials_at: float = 0

    def title(self, dataset: str) -> str:
        """The provider's name of a dataset."""
        return self.titles.get(dataset, dataset)

    def add_datasets(self, titles: Iterable[str]) -> Connection:
        """The connection with datasets of these titles, too."""
        names = {name_dataset(title): title for title in titles}
        added = {name: title for name, title in names.items() if name != title}
        return replace(
            self,
            datasets=tuple(dict.fromkeys((*self.datasets, *names))),
            titles={**self.titles, **added},
        )


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """An OAuth token pair. ``expires_at`` 0 means unknown: used until refused.

    ``access_token`` "" means that only the refresh token is known. ``obtained_at`` is when the
    tokens were requested, 0 where that or their end is not known. ``session_key`` came with
    digi.me's consent.
    """

    access_token: str
    refresh_token: str | None = None
    expires_at: float = 0
    obtained_at: float = 0
    session_key: str | None = None


class StoredCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials with their version, and whether they are dead."""

    credentials: Credentials
    version: int
    dead: bool = False


# --- refreshes ---------------------------------------------------------------------------------


class Status(StrEnum):
    """Where a refresh is. ``partial`` is published too: its coverage says what is not fresh."""

    ADMITTED = "admitted"
    RUNNING = "running"
    PUBLISHED = "published"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to the refresh."""
        return self not in {Status.ADMITTED, Status.RUNNING}

    @property
    def is_unpublished(self) -> bool:
        """Whether it ended without a publication."""
        return self in {Status.FAILED, Status.CANCELLED}


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened to a refresh; ``version`` counts from 1.

    ``facts`` are counts, instants and names, never the provider's data.
    """

    version: int
    type: str
    at: float
    facts: dict[str, Scalar] = {}


class PartState(StrEnum):
    """How fresh one part (an account, a file) of a snapshot is."""

    FRESH = "fresh"
    STALE = "stale"
    INCOMPLETE = "incomplete"
    GONE = "gone"
    FAILED = "failed"


class Evidence(StrEnum):
    """What the ``as_of`` of a part rests on.

    ``dated``: the provider itself dates the part's data. ``completed``: it dates nothing, but says
    that the job that the refresh triggered has ended for this part; ``as_of`` is the trigger.
    """

    NONE = "none"
    DATED = "dated"
    COMPLETED = "completed"


class Verdict(StrEnum):
    """Whether data are fresh.

    ``fresh``: every part is. ``partly_fresh``: some are. ``stale``: none is. ``unknown``: no part
    has an age, or there is none.
    """

    FRESH = "fresh"
    PARTLY_FRESH = "partly_fresh"
    STALE = "stale"
    UNKNOWN = "unknown"


class Refresh(msgspec.Struct, frozen=True, kw_only=True):
    """One trigger, wait and fetch for a connection. Its version is the number of its events.

    ``full`` asks for everything to be read again, not only what has changed. ``wait_for_user``
    asks to wait for a user who must act before the job can begin. ``job_complete`` is false while
    the provider has taken only a part of the ``job``. ``webhooks`` maps the digests of their tokens
    to the provider's names for the job, see ``core.webhooks``. ``records_read``, by dataset,
    are what it has brought, ``records_total`` what the snapshot has. They, ``coverage``, ``as_of``
    and ``verdict`` are of its ``datasets``. ``changes_since`` is the refresh of the one before.
    ``looks`` are seconds after ``triggered_at`` at which it was planned to look, until it ends.
    ``requested_by`` is the caller of the API, and may be a person: only the tenant is shown it.
    """

    refresh_id: str
    connection_id: str
    tenant: str
    provider: str
    status: Status
    reason: Reason
    requested_at: float
    deadline: float
    datasets: tuple[str, ...] = ()
    synchronous: bool = False
    full: bool = False
    wait_for_user: bool = False
    attempts: int = 0
    job: Job | None = None
    job_complete: bool = msgspec.field(name="whole", default=True)
    webhooks: dict[str, str] = msgspec.field(name="hooks", default_factory=dict)
    triggered_at: float = 0
    looks: tuple[float, ...] = ()
    records_read: dict[str, int] = msgspec.field(name="records", default_factory=dict)
    records_total: dict[str, int] = {}
    coverage: Coverage | None = None
    as_of: float = 0
    verdict: Verdict | None = None
    changes_since: str = ""
    requested_by: str = ""
    error: str | None = None
    events: tuple[Event, ...] = ()

    @property
    def version(self) -> int:
        """How many events there are; a writer must have seen the last of them."""
        return len(self.events)

    @property
    def told_at(self) -> float:
        """When its last event was: its end, if it has ended."""
        return self.events[-1].at


# --- snapshots ---------------------------------------------------------------------------------


BLOCK_LINES: Final = 500
"""How many lines of a file a gzip member holds. Stored files are read by it: it must not change."""


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One gzip file of JSON Lines; ``version_id`` pins its bytes whatever is written later.

    ``blocks`` are the offsets, in bytes, of its gzip members after the first, each with
    ``BLOCK_LINES`` lines; files of earlier versions are one member. ``index`` is a file of the
    same lines without their data, where the records have revisions.
    """

    key: str
    version_id: str
    sha256: str
    bytes: int
    lines: int
    blocks: tuple[int, ...] = ()
    index: File | None = None


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """A record's content in a gzip file of its own.

    The record is identified by ``part`` and ``id``. ``refresh_id`` is set only where an
    incremental refresh has added it.
    """

    id: str
    file: File
    part: str = ""
    refresh_id: str = ""


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """What one refresh has added to a dataset: so many files, with so many records."""

    refresh_id: str
    files: int = 0
    records: int = 0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one refresh has changed in a dataset: the lines of these files make the new of the old.

    ``uncertain`` says that there are uncertain deletions among them. It is not older than ``at``.
    """

    refresh_id: str
    files: tuple[File, ...] = ()
    at: float = 0
    uncertain: bool = False


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset's files in order, what they hold, and the refresh that fetched the last of them.

    ``records`` and ``deletions`` count lines: a record that was read again counts twice until the
    next full read. The ``history`` says which refresh has added which files: it begins with the
    last full read, at ``full_read_at``, and has each refresh since; where it is empty, it is not
    known. The ``bookmark`` is where a connector continues; without one it reads everything.
    ``changes`` are those up to the last full read; ``history`` has those after it. What the first
    has changed is not known. They are empty where what the full read has changed is not known.
    """

    refresh_id: str
    as_of: float
    records: int
    deletions: int
    files: tuple[File, ...]
    blobs: tuple[Blob, ...] = ()
    history: tuple[Contribution, ...] = msgspec.field(name="chain", default=())
    full_read_at: float = msgspec.field(name="whole_at", default=0)
    bookmark: Bookmark | None = None
    changes: tuple[Change, ...] = ()


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one part's freshness; ``as_of`` 0 means unknown, ``evidence`` is for it.

    ``datasets`` are those that this is about; without any, all that its refresh fetches. ``why``
    is a name (of an error, of a provider's code), never the provider's own prose. ``failures``
    counts the part's records that could not be read. ``reauth`` says that the end user has to sign
    in again at this part's source; ``retry_at`` is when the provider allows the next request about
    it, 0 where it does not say. ``label`` is what the provider calls it towards its user. It may be
    personal: it is in the manifest, and nowhere else.
    """

    part: str
    state: PartState
    as_of: float = 0
    evidence: Evidence = Evidence.NONE
    why: str = ""
    failures: int = 0
    reauth: bool = False
    retry_at: float = 0
    datasets: tuple[str, ...] = ()
    label: str = ""

    def clamp(self, *, now: float) -> Part:
        """The same with ``clamp_as_of``; a part whose ``as_of`` proves nothing is not fresh.

        Args:
            now: our own clock when the part was fetched or later.
        """
        as_of = clamp_as_of(self.as_of, now=now)
        state = PartState.STALE if self.state is PartState.FRESH and not as_of else self.state
        evidence = self.evidence if as_of else Evidence.NONE
        return replace(self, as_of=as_of, state=state, evidence=evidence)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What one refresh has published for a connection. No ``as_of`` is later than its fetch."""

    v: int
    refresh_id: str
    connection_id: str
    provider: str
    triggered_at: float
    fetched_at: float
    as_of: float
    datasets: dict[str, Dataset]
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        """Drop instants that prove nothing."""
        now = self.fetched_at
        datasets = {
            name: replace(dataset, as_of=clamp_as_of(dataset.as_of, now=now))
            for name, dataset in self.datasets.items()
        }
        force_setattr(self, "as_of", clamp_as_of(self.as_of, now=now))
        force_setattr(self, "datasets", datasets)
        force_setattr(self, "parts", tuple(part.clamp(now=now) for part in self.parts))

    @property
    def coverage(self) -> Coverage:
        """The parts, counted by state."""
        return Coverage(**Counter(part.state.value for part in self.parts))
