"""The API's bodies. What comes in is strict: unknown fields and wrong types are refused."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from functions.core.contract import Outcome, Reason, Scalar
from functions.core.error_names import named
from functions.core.errors import InvalidRequest
from functions.core.model import (
    Coverage,
    Event,
    Manifest,
    Refresh,
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
        raw.decode()  # a Raw part is not looked into, and would keep any bytes
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid: {error}.") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None


# --- out ---------------------------------------------------------------------------------------


class ErrorOut(msgspec.Struct, frozen=True, kw_only=True):
    """Why something failed and who has to act: retry, user, caller, operator or defect."""

    name: str
    acts: str
    detail: str


class EventOut(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a refresh or a push."""

    version: int
    type: str
    at: str
    facts: dict[str, Scalar]


class RefreshOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refresh.

    ``outcome`` stands only in the answer to the request that asked for it, ``events`` not in a
    list of refreshes.
    """

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
    events: tuple[EventOut, ...] = ()
    coverage: Coverage | None = None
    as_of: str | None = None
    error: ErrorOut | None = None
    outcome: Outcome | None = None


class RefreshesOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of refreshes, newest first; ``next_cursor`` null on the last."""

    refreshes: list[RefreshOut]
    next_cursor: str | None


class DatasetOut(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset of the published snapshot.

    ``records`` and ``deletions`` count lines: a record that has changed since the last full read
    counts again each time.
    """

    name: str
    records: int
    deletions: int
    files: int
    as_of: str | None


class PartOut(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh one part (an account, a file, a dataset) is, and why it is not.

    ``failures``: how many of its records could not be had. ``reauth``: the end user has to sign
    in again at this part's source. ``retry_at``: when the provider wants to be asked again
    about it.
    """

    part: str
    state: str
    as_of: str | None
    why: str | None
    failures: int
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
    """A page of a dataset's files, in order, then of contents that have files of their own."""

    refresh_id: str
    dataset: str
    files: list[FileOut]
    blobs: list[BlobOut]
    expires_in_seconds: int
    next_cursor: str | None


class RecordsOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records. A later record replaces an earlier one of the same id.

    Whoever has read all pages can ask for what comes later ``since`` this ``refresh_id``.
    """

    refresh_id: str
    dataset: str
    as_of: str | None
    records: list[msgspec.Raw]
    next_cursor: str | None


def when(instant: float) -> str | None:
    """An instant for the API; null for one that is unknown."""
    return iso(instant) if instant else None


def refresh_out(
    refresh: Refresh, *, outcome: Outcome | None = None, events: bool = True
) -> RefreshOut:
    """Render a refresh, with its events or without them."""
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
        events=events_out(refresh.events) if events else (),
        coverage=refresh.coverage,
        as_of=when(refresh.as_of),
        error=error_out(refresh.error),
        outcome=outcome,
    )


def events_out(events: tuple[Event, ...]) -> tuple[EventOut, ...]:
    """Render what happened to a refresh or a push."""
    return tuple(
        EventOut(version=event.version, type=event.type, at=iso(event.at), facts=event.facts)
        for event in events
    )


def error_out(name: str | None) -> ErrorOut | None:
    """Render the error of this name, if there is one."""
    if name is None:
        return None
    error = named(name)
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
                failures=part.failures,
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
