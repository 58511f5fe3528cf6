"""Models: events. ``make tables`` writes them from the OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec

from freshet_client.models.shared import Coverage


class EventsOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events, oldest first.

    ``next_cursor`` leads on to what comes after them, also where that is still to come; null where
    nothing has come yet. ``more``: there may be more already.
    """

    events: list[CloudEvent]
    next_cursor: str | None = None
    more: bool


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as others get it: CloudEvents 1.0 in JSON, the same bytes wherever it is read.

    ``id`` is the same however often it comes. ``subject`` is the id of what it is about, ``time``
    when that happened. ``data`` is by the ``type``; a field may be added to it at any time.
    """

    specversion: str = "1.0"
    id: str
    source: str = "urn:freshet:events"
    type: str
    subject: str
    time: str
    datacontenttype: str = "application/json"
    dataschema: str
    tenant: str
    data: Any


class RefreshData(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells of a refresh that has ended.

    ``records_read``, by dataset, are what it has brought, ``records_total`` what the snapshot has.
    ``changes_since`` is what to give as ``since`` to read what it has changed; null where there was
    no snapshot before. ``error`` and ``action`` say why it has failed and what to do about it.
    ``url`` leads to all of it.
    """

    refresh_id: str
    connection_id: str
    provider: str
    status: str
    reason: str
    version: int
    requested_at: str
    triggered_at: str | None = None
    ended_at: str
    as_of: str | None = None
    verdict: str | None = None
    coverage: Coverage | None = None
    records_read: dict[str, int]
    records_total: dict[str, int]
    changes_since: str | None = None
    error: str | None = None
    action: str | None = None
    url: str


class PushData(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells of a push that has ended.

    ``failed`` counts the records that the provider could not take; ``url`` leads to which.
    """

    push_id: str
    connection_id: str
    provider: str
    dataset: str
    status: str
    version: int
    requested_at: str
    ended_at: str
    records: int
    failed: int
    error: str | None = None
    action: str | None = None
    url: str


class ConnectionData(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells of a connection.

    ``credentials_version`` counts its credentials, 0 where it has none.
    """

    connection_id: str
    provider: str
    credentials_version: int
    url: str


class FreshnessData(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells of a breach, or of its end.

    ``as_of`` is null where the age is not known or nothing is published. ``restored_at`` is null
    in a breach; ``cause`` and ``action`` are null in its end, or where nothing is to be done.
    """

    connection_id: str
    provider: str
    max_age_seconds: int
    of: str
    as_of: str | None = None
    breached_at: str
    restored_at: str | None = None
    cause: str | None = None
    action: str | None = None
    url: str


class EndpointData(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells of an endpoint; ``why`` it was disabled, null in a ping.

    ``failing_since``: since when it has taken nothing.
    """

    endpoint_id: str
    why: str | None = None
    failing_since: str | None = None
    url: str
