"""Events: each tells an application that something of a connection has ended or begun.

An event is written in the transaction that makes it true. Its id follows from its subject, the
subject's version and its type, so that a write that is repeated writes the same event. Its document
is a CloudEvent 1.0 in JSON (https://cloudevents.io): ids, counts and instants, never a record, a
user's id at the provider or a provider's prose. The log, the bus and all endpoints give the same
bytes.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from functions.core.contract import Reason
from functions.core.errors import Action, find_error
from functions.core.model import Coverage, Status, Verdict, iso, when
from functions.core.push.model import PushStatus

if TYPE_CHECKING:
    from functions.core.model import Connection, Refresh
    from functions.core.push.model import Push

EVENT_PREFIX: Final = "evt_"

SOURCE: Final = "urn:freshet:events"

KEEP_SECONDS: Final = 30 * 24 * 60 * 60
"""How long an event can be read, and delivered again."""


class EventType(StrEnum):
    """What an event tells. A type's meaning never changes; one that must change gets a new name."""

    REFRESH_PUBLISHED = "refresh.published"
    REFRESH_PARTIAL = "refresh.partial"
    REFRESH_FAILED = "refresh.failed"
    REFRESH_CANCELLED = "refresh.cancelled"
    PUSH_DONE = "push.done"
    PUSH_INCOMPLETE = "push.incomplete"
    PUSH_FAILED = "push.failed"
    PUSH_UNKNOWN_OUTCOME = "push.unknown_outcome"
    CONNECTION_CONNECTED = "connection.connected"
    CONNECTION_RECONNECTED = "connection.reconnected"
    CONNECTION_REAUTH_REQUIRED = "connection.reauth_required"
    CONNECTION_ERASED = "connection.erased"
    FRESHNESS_BREACHED = "freshness.breached"
    FRESHNESS_RESTORED = "freshness.restored"
    ENDPOINT_DISABLED = "endpoint.disabled"
    ENDPOINT_PING = "endpoint.ping"


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as others get it: CloudEvents 1.0 in JSON, the same bytes wherever it is read.

    ``id`` is the same however often it comes. ``subject`` is the id of what it is about, ``time``
    when that happened. ``data`` is by the ``type``; a field may be added to it at any time.
    """

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = SOURCE
    type: EventType
    subject: str
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str
    tenant: str
    data: Any


class RefreshData(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells of a refresh that has ended.

    ``records_read``, by dataset, are what it has brought, ``records_total`` what the snapshot has.
    ``changes_since`` is what to give as `since` to read what it has changed; null where there was
    no snapshot before. ``error`` and ``action`` say why it has failed and what to do about it.
    ``url`` leads to all of it.
    """

    refresh_id: str
    connection_id: str
    provider: str
    status: Status
    reason: Reason
    version: int
    requested_at: str
    triggered_at: str | None
    ended_at: str
    as_of: str | None
    verdict: Verdict | None
    coverage: Coverage | None
    records_read: dict[str, int]
    records_total: dict[str, int]
    changes_since: str | None
    error: str | None
    action: Action | None
    url: str


class PushData(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells of a push that has ended.

    ``failed`` counts the records that the provider could not take; ``url`` leads to which.
    """

    push_id: str
    connection_id: str
    provider: str
    dataset: str
    status: PushStatus
    version: int
    requested_at: str
    ended_at: str
    records: int
    failed: int
    error: str | None
    action: Action | None
    url: str


class ConnectionData(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells of a connection.

    ``credentials_version`` counts its credentials, 0 where it has none.
    """

    connection_id: str
    provider: str
    credentials_version: int
    url: str


class EndpointData(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells of an endpoint; ``why`` it was disabled, null in a ping.

    ``failing_since``: since when it has taken nothing.
    """

    endpoint_id: str
    why: str | None = None
    failing_since: str | None = None
    url: str


class OutboxEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is stored. ``document`` is the whole CloudEvent.

    ``connection_id`` and ``provider`` are empty where it is about no connection.
    """

    event_id: str
    tenant: str
    type: EventType
    at: float
    document: bytes
    connection_id: str = ""
    provider: str = ""


def build_event(
    type_: EventType,
    *,
    tenant: str,
    subject: str,
    version: object,
    at: float,
    data: object,
    connection_id: str = "",
    provider: str = "",
) -> OutboxEvent:
    """Build an event about a subject, which has one event of each type in each version."""
    seed = f"{subject}\0{version}\0{type_}"
    event_id = EVENT_PREFIX + sha256(seed.encode()).hexdigest()[:32]
    document = CloudEvent(
        id=event_id,
        type=type_,
        subject=subject,
        time=iso(at),
        dataschema=f"urn:freshet:event:{type_.partition('.')[0]}:1",
        tenant=tenant,
        data=data,
    )
    return OutboxEvent(
        event_id=event_id,
        tenant=tenant,
        type=type_,
        at=at,
        document=msgspec.json.encode(document),
        connection_id=connection_id,
        provider=provider,
    )


def event_of_refresh(refresh: Refresh) -> OutboxEvent | None:
    """The event of a refresh that has ended; None of one that runs."""
    if not refresh.status.has_ended:
        return None
    error = refresh.error
    return build_event(
        EventType(f"refresh.{refresh.status}"),
        tenant=refresh.tenant,
        subject=refresh.refresh_id,
        version=refresh.version,
        at=refresh.told_at,
        connection_id=refresh.connection_id,
        provider=refresh.provider,
        data=RefreshData(
            refresh_id=refresh.refresh_id,
            connection_id=refresh.connection_id,
            provider=refresh.provider,
            status=refresh.status,
            reason=refresh.reason,
            version=refresh.version,
            requested_at=iso(refresh.requested_at),
            triggered_at=when(refresh.triggered_at),
            ended_at=iso(refresh.told_at),
            as_of=when(refresh.as_of),
            verdict=refresh.verdict,
            coverage=refresh.coverage,
            records_read=refresh.records_read,
            records_total=refresh.records_total,
            changes_since=refresh.changes_since or None,
            error=error,
            action=find_error(error).action if error else None,
            url=f"/v1/refreshes/{refresh.refresh_id}",
        ),
    )


def event_of_push(push: Push) -> OutboxEvent | None:
    """The event of a push that has ended; None of one that goes on.

    One whose outcome was unknown may end again, in a later version.
    """
    if not push.status.has_ended:
        return None
    return build_event(
        EventType(f"push.{push.status}"),
        tenant=push.tenant,
        subject=push.push_id,
        version=push.version,
        at=push.changed_at,
        connection_id=push.connection_id,
        provider=push.provider,
        data=PushData(
            push_id=push.push_id,
            connection_id=push.connection_id,
            provider=push.provider,
            dataset=push.dataset,
            status=push.status,
            version=push.version,
            requested_at=iso(push.requested_at),
            ended_at=iso(push.changed_at),
            records=push.records,
            failed=push.failed,
            error=push.error,
            action=push.action,
            url=f"/v1/pushes/{push.push_id}",
        ),
    )


def event_of_connection(
    connection: Connection, type_: EventType, *, version: int, at: float
) -> OutboxEvent:
    """An event about a connection.

    Args:
        version: of its credentials; 0 where it has none.
    """
    return build_event(
        type_,
        tenant=connection.tenant,
        subject=connection.connection_id,
        version=version,
        at=at,
        connection_id=connection.connection_id,
        provider=connection.provider,
        data=ConnectionData(
            connection_id=connection.connection_id,
            provider=connection.provider,
            credentials_version=version,
            url=f"/v1/connections/{connection.connection_id}",
        ),
    )
