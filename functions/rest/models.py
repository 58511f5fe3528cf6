"""The API's bodies. What comes in is strict: unknown fields and wrong types are refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from functions.core.contract import Outcome, Reason, Scalar
from functions.core.errors import FreshetError, InvalidRequest, named
from functions.core.model import (
    Connection,
    Coverage,
    Manifest,
    Refresh,
    SnapshotPointer,
    Status,
    iso,
)

T = TypeVar("T")

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Token = Annotated[str, Meta(min_length=1, max_length=16_000, pattern=r"^[!-~]+$(?!\n)")]
"""What can stand in an Authorization header: visible ASCII, no blanks, no line ends."""


def body(raw: bytes, shape: type[T]) -> T:
    """A request's body in this shape.

    Raises:
        InvalidRequest: it is not JSON or has another shape; the text says where and why.
    """
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid: {error}.") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None


# --- in ----------------------------------------------------------------------------------------


class CredentialsIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OAuth token pair. It is written only; no call gives it back.

    ``session_key`` is digi.me's, where the caller holds one from the user's consent.
    """

    access_token: Token
    refresh_token: Token | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    session_key: Token | None = None


class ConnectionIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connection to register. ``subject`` is the user's id at the provider."""

    provider: Text
    subject: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^(?!\.{1,2}$)")]
    settings: dict[Text, Text] = {}
    credentials: CredentialsIn


# --- out ---------------------------------------------------------------------------------------


class SnapshotOut(msgspec.Struct, frozen=True, kw_only=True):
    """What is published: by which refresh, when, and how old its oldest part is."""

    refresh_id: str
    published_at: str
    as_of: str | None


class ConnectionOut(msgspec.Struct, frozen=True, kw_only=True):
    """A connection, without its credentials."""

    connection_id: str
    provider: str
    subject: str
    settings: dict[str, str]
    created_at: str
    running_refresh_id: str | None
    snapshot: SnapshotOut | None


class ErrorOut(msgspec.Struct, frozen=True, kw_only=True):
    """Why a refresh failed and who has to act: retry, user, caller, operator or defect."""

    name: str
    acts: str
    detail: str


class EventOut(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a refresh."""

    version: int
    type: str
    at: str
    facts: dict[str, Scalar]


class RefreshOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refresh. ``outcome`` stands only in the answer to the request that asked for it."""

    refresh_id: str
    connection_id: str
    provider: str
    status: Status
    reason: Reason
    requested_at: str
    deadline: str
    datasets: tuple[str, ...]
    version: int
    attempts: int
    records: dict[str, int]
    events: tuple[EventOut, ...]
    coverage: Coverage | None = None
    as_of: str | None = None
    error: ErrorOut | None = None
    outcome: Outcome | None = None


class DatasetOut(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset of the published snapshot."""

    name: str
    records: int
    deletions: int
    files: int
    as_of: str | None


class PartOut(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh one part (an account, a file) is, and why it is not.

    ``reauth``: the end user has to sign in again at this part's source. ``retry_at``: when the
    provider wants to be asked again about it.
    """

    part: str
    state: str
    as_of: str | None
    why: str | None
    reauth: bool
    retry_at: str | None


class DatasetsOut(msgspec.Struct, frozen=True, kw_only=True):
    """The published snapshot in one look."""

    refresh_id: str
    as_of: str | None
    fetched_at: str
    coverage: Coverage
    parts: list[PartOut]
    datasets: list[DatasetOut]


class ConnectionsOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of connections; ``next_cursor`` null on the last."""

    connections: list[ConnectionOut]
    next_cursor: str | None


class FileOut(msgspec.Struct, frozen=True, kw_only=True):
    """A gzip file of JSON Lines, with an address that is good for some minutes."""

    url: str
    sha256: str
    bytes: int
    lines: int


class BlobOut(msgspec.Struct, frozen=True, kw_only=True):
    """A record's content that is too large for a line: the record's id, and its gzip file."""

    id: str
    url: str
    sha256: str
    bytes: int


class FilesOut(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset's files, in order, and the contents that have files of their own."""

    refresh_id: str
    dataset: str
    files: list[FileOut]
    blobs: list[BlobOut]
    expires_in_seconds: int


class RecordsOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records. A later record replaces an earlier one of the same id."""

    refresh_id: str
    dataset: str
    as_of: str | None
    records: list[msgspec.Raw]
    next_cursor: str | None


def when(instant: float) -> str | None:
    """An instant for the API; null for one that is unknown."""
    return iso(instant) if instant else None


def connection_out(connection: Connection) -> ConnectionOut:
    """Render a connection."""
    return ConnectionOut(
        connection_id=connection.connection_id,
        provider=connection.provider,
        subject=connection.subject,
        settings=connection.settings,
        created_at=iso(connection.created_at),
        running_refresh_id=connection.running.refresh_id if connection.running else None,
        snapshot=_snapshot_out(connection.snapshot) if connection.snapshot else None,
    )


def _snapshot_out(pointer: SnapshotPointer) -> SnapshotOut:
    return SnapshotOut(
        refresh_id=pointer.refresh_id,
        published_at=iso(pointer.published_at),
        as_of=when(pointer.as_of),
    )


def refresh_out(refresh: Refresh, *, outcome: Outcome | None = None) -> RefreshOut:
    """Render a refresh."""
    return RefreshOut(
        refresh_id=refresh.refresh_id,
        connection_id=refresh.connection_id,
        provider=refresh.provider,
        status=refresh.status,
        reason=refresh.reason,
        requested_at=iso(refresh.requested_at),
        deadline=iso(refresh.deadline),
        datasets=refresh.datasets,
        version=refresh.version,
        attempts=refresh.attempts,
        records=refresh.records,
        events=tuple(
            EventOut(version=event.version, type=event.type, at=iso(event.at), facts=event.facts)
            for event in refresh.events
        ),
        coverage=refresh.coverage,
        as_of=when(refresh.as_of),
        error=_error_out(named(refresh.error)) if refresh.error else None,
        outcome=outcome,
    )


def _error_out(error: type[FreshetError]) -> ErrorOut:
    return ErrorOut(name=error.name(), acts=error.acts, detail=error.text)


def datasets_out(manifest: Manifest) -> DatasetsOut:
    """Render a manifest."""
    return DatasetsOut(
        refresh_id=manifest.refresh_id,
        as_of=when(manifest.as_of),
        fetched_at=iso(manifest.fetched_at),
        coverage=manifest.coverage,
        parts=[
            PartOut(
                part=part.part,
                state=part.state,
                as_of=when(part.as_of),
                why=part.why or None,
                reauth=part.reauth,
                retry_at=when(part.retry_at),
            )
            for part in manifest.parts
        ],
        datasets=[
            DatasetOut(
                name=name,
                records=dataset.records,
                deletions=dataset.deletions,
                files=len(dataset.files),
                as_of=when(dataset.as_of),
            )
            for name, dataset in manifest.datasets.items()
        ],
    )
