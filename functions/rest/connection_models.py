"""The API's bodies about connections."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from functions.connectors.registry import DATASETS
from functions.core.contract import Schedule
from functions.core.model import Connection, Credentials, SnapshotPointer, iso
from functions.rest.models import when
from functions.rest.texts import SessionKey, Subject, Text, Token


class CredentialsIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OAuth token pair. It is written only; no call gives it back.

    ``session_key`` is digi.me's, where the caller holds one from the user's consent.
    """

    access_token: Token
    refresh_token: Token | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    session_key: SessionKey | None = None

    def __post_init__(self) -> None:
        """Turn ``expires_at`` to UTC, so that one instant has one notation."""
        if self.expires_at is None:
            return
        try:
            msgspec.structs.force_setattr(self, "expires_at", self.expires_at.astimezone(UTC))
        except OverflowError:
            raise ValueError("expires_at must be an instant from year 1 to 9999") from None


class ConnectionIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connection to register.

    ``subject`` is the user's id at the provider; where that is Endgrate, a session, and one is
    begun if none is given. ``datasets`` are for a provider that has no fixed ones, in its own
    words; ``params`` narrow them down.
    """

    provider: Text
    subject: Subject | None = None
    settings: dict[Text, Text] = {}
    datasets: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=20)] | None = None
    params: dict[Text, dict[Text, Any]] = {}
    credentials: CredentialsIn | None = None


class SnapshotOut(msgspec.Struct, frozen=True, kw_only=True):
    """What is published: by which refresh, when, and how old its oldest part is.

    ``max_age_seconds`` and ``older_than_seconds`` go by this ``as_of``, see ``DatasetsOut``.
    """

    refresh_id: str
    published_at: str
    as_of: str | None


class ConnectionOut(msgspec.Struct, frozen=True, kw_only=True):
    """A connection, without its credentials.

    ``datasets`` are the names that all calls take. Of one whose title at the provider cannot be its
    name, as it has blanks, say, ``titles`` has the title.
    Before ``next_allowed_at`` its provider wants no refresh; an instant that is over means nothing.
    ``reauth_required``: its credentials are dead, and every refresh fails until they are replaced;
    never so at a provider where a connection has none of its own.
    ``sign_in_url`` stands only in the answer that began the connection at its provider: where
    the end user goes to choose and to sign in.
    """

    connection_id: str
    provider: str
    subject: str
    settings: dict[str, str]
    datasets: tuple[str, ...]
    titles: dict[str, str]
    params: dict[str, dict[str, Any]]
    created_at: str
    running_refresh_id: str | None
    next_allowed_at: str | None
    reauth_required: bool
    snapshot: SnapshotOut | None
    schedule: Schedule | None
    sign_in_url: str | msgspec.UnsetType = msgspec.UNSET


class ConfigurationOut(msgspec.Struct, frozen=True, kw_only=True):
    """What the end user has chosen at the provider, in its words, and where that is done."""

    configured: bool
    sign_in_url: str
    configuration: msgspec.Raw | None


class ConnectionsOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of connections; ``next_cursor`` null on the last."""

    connections: list[ConnectionOut]
    next_cursor: str | None


def credentials_of(given: CredentialsIn) -> Credentials:
    """The credentials that a caller gave."""
    return Credentials(
        access_token=given.access_token,
        refresh_token=given.refresh_token,
        expires_at=given.expires_at.timestamp() if given.expires_at else 0,
        session_key=given.session_key,
    )


def connection_out(
    connection: Connection, *, sign_in_url: str | msgspec.UnsetType = msgspec.UNSET
) -> ConnectionOut:
    """Render a connection."""
    return ConnectionOut(
        connection_id=connection.connection_id,
        provider=connection.provider,
        subject=connection.subject,
        settings=connection.settings,
        datasets=connection.datasets or DATASETS[connection.provider],
        titles=connection.titles,
        params=connection.params,
        created_at=iso(connection.created_at),
        running_refresh_id=connection.running.refresh_id if connection.running else None,
        next_allowed_at=when(connection.next_allowed_at),
        reauth_required=connection.reauth_required,
        snapshot=_snapshot_out(connection.snapshot) if connection.snapshot else None,
        schedule=connection.schedule,
        sign_in_url=sign_in_url,
    )


def _snapshot_out(pointer: SnapshotPointer) -> SnapshotOut:
    return SnapshotOut(
        refresh_id=pointer.refresh_id,
        published_at=iso(pointer.published_at),
        as_of=when(pointer.as_of),
    )
