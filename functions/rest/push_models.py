"""The API's bodies about pushes."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from functions.core.contract import (
    MAX_DEADLINE_SECONDS,
    MAX_PUSH_RECORDS,
    MIN_DEADLINE_SECONDS,
)
from functions.core.model import iso
from functions.core.push.model import Failure, Push, PushStatus, Result
from functions.rest.models import ErrorOut, EventOut, error_out, events_out, when
from functions.rest.texts import Text


class RecordIn(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A record to push.

    ``id`` is the provider's name for a record that it has, ``internal_id`` the caller's own.
    ``data`` goes to the provider as it is, and ``associations`` are ids by type.
    """

    id: Text | None = None
    internal_id: Text | None = None
    data: dict[str, msgspec.Raw]
    associations: dict[Text, tuple[Text, ...]] | None = None


class PushIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records to push to a dataset of a connection.

    ``synchronous`` is passed on to a provider that can hold its answer until it is done.
    ``deadline_seconds`` is how long the provider may take.
    """

    connection_id: Annotated[str, Meta(min_length=1, max_length=64)]
    dataset: Text
    records: Annotated[tuple[RecordIn, ...], Meta(min_length=1, max_length=MAX_PUSH_RECORDS)]
    synchronous: bool = False
    deadline_seconds: (
        Annotated[int, Meta(ge=MIN_DEADLINE_SECONDS, le=MAX_DEADLINE_SECONDS)] | None
    ) = None

    @property
    def content(self) -> bytes:
        """The records as they are kept and sent, a JSON array."""
        return msgspec.json.encode(self.records)


class PushOut(msgspec.Struct, frozen=True, kw_only=True):
    """A push. ``records`` is how many were sent, ``failed`` how many the provider refused.

    ``results`` are the records that it took, by their ids there, as far as it tells of them.
    ``index`` and ``internal_id`` say which one of the request it is, where that is known.
    """

    push_id: str
    connection_id: str
    provider: str
    dataset: str
    status: PushStatus
    records: int
    failed: int
    failures: tuple[Failure, ...]
    results: tuple[Result, ...]
    requested_at: str
    deadline: str
    ended_at: str | None
    version: int
    attempts: int
    events: tuple[EventOut, ...]
    error: ErrorOut | None


def push_out(push: Push) -> PushOut:
    """Render a push."""
    return PushOut(
        push_id=push.push_id,
        connection_id=push.connection_id,
        provider=push.provider,
        dataset=push.dataset,
        status=push.status,
        records=push.records,
        failed=push.failed,
        failures=push.failures,
        results=push.results,
        requested_at=iso(push.requested_at),
        deadline=iso(push.deadline),
        ended_at=when(push.ended_at),
        version=push.version,
        attempts=push.attempts,
        events=events_out(push.events),
        error=error_out(push.error),
    )
