"""Connections: list, read and change them, and let them be used again."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from functions.aws.tables.dynamodb import MAX_BATCH
from functions.connectors.registry import DATASETS, REGISTRY, check_params
from functions.core.contract import MAX_AGE_SECONDS
from functions.core.errors import (
    AnswerTooLarge,
    ConfigurationInvalid,
    ConnectionExists,
    InvalidRequest,
    NotFound,
    ProviderPaused,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
    Superseded,
    UnexpectedAnswer,
)
from functions.core.model import (
    CONNECTION_PREFIX,
    Connection,
    Coverage,
    Credentials,
    SnapshotPointer,
    iso,
    name_dataset,
    when,
)
from functions.rest import cursors
from functions.rest.body import ExternalId, Labels, Params, SessionKey, Token
from functions.rest.call import MAX_ID, Call, Reply, connection_of, opener
from functions.rest.calls.schedules import ScheduleOut, schedule_out
from functions.rest.route import Answer, Parameter, Route, Tag, boolean, limit, whole

LIMIT: Final = 50
MAX_LIMIT: Final = 200

MAX_PAGES: Final = 10
"""How many pages of ``MAX_LIMIT`` a filtered list reads in one call."""

NO_CREDENTIALS: Final = "This provider has no credentials of a user's own; leave them out."

ASKS_PROVIDER: Final = (
    AnswerTooLarge,
    ConfigurationInvalid,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    ProviderPaused,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)
"""What a call may answer that asks the provider."""


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


class SnapshotOut(msgspec.Struct, frozen=True, kw_only=True):
    """The published snapshot: its refresh, when it was published, and the age of its oldest part.

    ``newest_as_of`` is that of its youngest part, and ``coverage`` counts all its parts.
    ``max_age_seconds`` and ``older_than_seconds`` go by this ``as_of``, see ``DatasetsOut``.
    """

    refresh_id: str
    published_at: str
    as_of: str | None
    newest_as_of: str | None
    coverage: Coverage | None


class ConnectionOut(msgspec.Struct, frozen=True, kw_only=True):
    """A connection, without its credentials.

    ``datasets`` are the names that all calls take. Where a title at the provider cannot be a name,
    because it has blanks, for example, ``titles`` has the title.
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
    external_id: str | None
    labels: dict[str, str]
    paused: bool
    created_at: str
    running_refresh_id: str | None
    next_allowed_at: str | None
    reauth_required: bool
    snapshot: SnapshotOut | None
    schedule: ScheduleOut | None
    sign_in_url: str | UnsetType = UNSET


class ConfigurationOut(msgspec.Struct, frozen=True, kw_only=True):
    """The end user's choice at the provider, in its words, and the address to change it."""

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
    connection: Connection, *, at: float, sign_in_url: str | UnsetType = UNSET
) -> ConnectionOut:
    """Render a connection as it stands now."""
    return ConnectionOut(
        connection_id=connection.connection_id,
        provider=connection.provider,
        subject=connection.subject,
        settings=connection.settings,
        datasets=connection.datasets or DATASETS[connection.provider],
        titles=connection.titles,
        params=connection.params,
        external_id=connection.external_id or None,
        labels=connection.labels,
        paused=connection.paused,
        created_at=iso(connection.created_at),
        running_refresh_id=connection.running.refresh_id if connection.running else None,
        next_allowed_at=when(connection.next_allowed_at),
        reauth_required=connection.reauth_required,
        snapshot=_snapshot_out(connection.snapshot) if connection.snapshot else None,
        schedule=schedule_out(connection, at=at),
        sign_in_url=sign_in_url,
    )


def _snapshot_out(pointer: SnapshotPointer) -> SnapshotOut:
    return SnapshotOut(
        refresh_id=pointer.refresh_id,
        published_at=iso(pointer.published_at),
        as_of=when(pointer.as_of),
        newest_as_of=when(pointer.newest_as_of),
        coverage=pointer.coverage,
    )


def _read_cursor(text: str) -> str:
    if not (text.startswith(CONNECTION_PREFIX) and len(text) <= MAX_ID):
        raise InvalidRequest(cursors.REFUSED)
    return text


def _read_label(text: str) -> tuple[str, str]:
    name, found, value = text.partition(":")
    if not found:
        raise InvalidRequest("label must be a name, a colon and a value.")
    return name, value


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which connections of a tenant are meant; None means any."""

    external_id: str | None = None
    provider: str | None = None
    subject: str | None = None
    reauth_required: bool | None = None
    paused: bool | None = None
    as_of_before: float | None = None
    label: tuple[str, str] | None = None

    def takes(self, one: Connection) -> bool:
        """Whether a connection is meant."""
        as_of = one.snapshot.as_of if one.snapshot else 0
        return (
            self.external_id in {None, one.external_id}
            and self.provider in {None, one.provider}
            and self.subject in {None, one.subject}
            and self.reauth_required in {None, one.reauth_required}
            and self.paused in {None, one.paused}
            and (self.as_of_before is None or as_of < self.as_of_before)
            and (self.label is None or one.labels.get(self.label[0]) == self.label[1])
        )


@Route(
    "GET /v1/connections",
    Tag.CONNECTIONS,
    (Answer("A page of them.", ConnectionsOut),),
    query=(
        Parameter("external_id", "Only those of this user of yours.", "user-4711"),
        Parameter("provider", "Only those of this provider.", "banno"),
        Parameter("subject", "Only those on this login at its provider.", "u-ada"),
        boolean("reauth_required", "Only those whose user must sign in again, or must not."),
        boolean("paused", "Only those that are paused, or are not."),
        whole(
            "older_than_seconds",
            "Only those whose data is older than so much, or that have none.",
            example=86400,
            most=MAX_AGE_SECONDS,
        ),
        Parameter(
            "label",
            "Only those with this label: a name, a colon, a value.",
            "plan:pro",
            read=_read_label,
        ),
        limit(LIMIT, MAX_LIMIT),
        Parameter(
            "cursor",
            "The `next_cursor` of the page before.",
            "con_5d2c8a1f4e7b4c0d8a9b0c1d2e3f4a5b",
            type=Annotated[str, Meta(pattern=f"^{CONNECTION_PREFIX}")],
            read=_read_cursor,
        ),
    ),
)
def list_connections(  # noqa: PLR0913 - a filter each
    call: Call,
    *,
    external_id: str | None,
    provider: str | None,
    subject: str | None,
    reauth_required: bool | None,
    paused: bool | None,
    older_than_seconds: int | None,
    label: tuple[str, str] | None,
    limit: int,
    cursor: str | None,
) -> Reply:
    """List your connections.

    Filters are joined by AND. A page may be short, or empty: go on until `next_cursor` is null.
    """
    at = call.here.clock()
    before = None if older_than_seconds is None else at - older_than_seconds
    wanted = Filter(
        external_id=external_id,
        provider=provider,
        subject=subject,
        reauth_required=reauth_required,
        paused=paused,
        as_of_before=before,
        label=label,
    )
    found, following = _find(call, wanted, limit=limit, after=cursor)
    shown = [connection_out(one, at=at) for one in found]
    return Reply(ConnectionsOut(connections=shown, next_cursor=following))


def _find(
    call: Call, wanted: Filter, *, limit: int, after: str | None
) -> tuple[list[Connection], str | None]:
    """A page of the connections that are meant, and the id to go on after."""
    here = call.here
    if wanted.external_id is not None:
        ids = here.lookups.ids_of_external(call.tenant, wanted.external_id)
    elif wanted.subject is not None:
        providers = REGISTRY if wanted.provider is None else [wanted.provider]
        ids = sorted(
            id_ for one in providers for id_ in here.lookups.ids_of_subject(one, wanted.subject)
        )
    else:
        found, following = _scan(call, wanted, limit=limit, after=after)
        return _with_runs(call, found), following
    left = [id_ for id_ in ids if after is None or id_ > after]
    own: list[Connection] = []  # the login may be another tenant's too, whose ids are not told
    for begin in range(0, len(left), MAX_BATCH):
        read = here.connections.get_many(left[begin : begin + MAX_BATCH])
        own += [one for one in read if one.tenant == call.tenant]
        if len(own) > limit:
            break
    page = own[:limit]
    following = page[-1].connection_id if len(own) > limit else None
    return [one for one in page if wanted.takes(one)], following


def _with_runs(call: Call, found: list[Connection]) -> list[Connection]:
    """The connections with when their schedules ran, which the index of tenants has not."""
    ids = [one.connection_id for one in found if one.schedule]
    ran = {
        one.connection_id: one.scheduled_at
        for begin in range(0, len(ids), MAX_BATCH)
        for one in call.here.connections.get_many(ids[begin : begin + MAX_BATCH])
    }
    return [replace(one, scheduled_at=ran.get(one.connection_id, 0)) for one in found]


def _scan(
    call: Call, wanted: Filter, *, limit: int, after: str | None
) -> tuple[list[Connection], str | None]:
    """Read pages of the tenant's connections until ``limit`` are found or enough were read."""
    found: list[Connection] = []
    for _ in range(MAX_PAGES):
        page, after = call.here.connections.page(call.tenant, limit=MAX_LIMIT, after=after)
        for one in page:
            if wanted.takes(one):
                found.append(one)
                if len(found) == limit:
                    last = one.connection_id
                    is_end = after is None and one is page[-1]
                    return found, None if is_end else last
        if after is None:
            break
    return found, after


class ConnectionChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What to change of a connection; what is left out stays. ``external_id`` null has none."""

    external_id: ExternalId | UnsetType | None = UNSET
    labels: Labels | UnsetType = UNSET
    params: Params | UnsetType = UNSET
    paused: bool | UnsetType = UNSET


@Route(
    "PATCH /v1/connections/<connection_id>",
    Tag.CONNECTIONS,
    (Answer("The connection as it is now.", ConnectionOut),),
    body=ConnectionChange,
    problems=(ConnectionExists, Superseded),
)
def change_connection(call: Call, connection_id: str, *, body: ConnectionChange) -> Reply:
    """Change what you say of a connection, or pause it.

    While it is `paused`, each new refresh and push is 409; a running one goes on, and its data can
    be read. `labels` and `params` replace all that there were; the next refresh goes by the params.
    """
    connection = connection_of(call, connection_id)
    changes = {
        name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET
    }
    if "external_id" in changes:
        changes["external_id"] = changes["external_id"] or ""
    if body.params is not UNSET:
        params = {name_dataset(name): each for name, each in body.params.items()}
        entry = REGISTRY[connection.provider]
        check_params(entry, params, datasets=connection.datasets or entry.datasets)
        changes["params"] = params
    if changes:
        connection = call.here.connections.change(connection_id, **changes)
    return Reply(connection_out(connection, at=call.here.clock()))


@Route(
    "GET /v1/connections/<connection_id>",
    Tag.CONNECTIONS,
    (Answer("The connection.", ConnectionOut),),
)
def read_connection(call: Call, connection_id: str) -> Reply:
    """Read a connection."""
    connection = connection_of(call, connection_id)
    return Reply(connection_out(connection, at=call.here.clock()))


@Route(
    "GET /v1/connections/<connection_id>/configuration",
    Tag.CONNECTIONS,
    (Answer("The user's choice.", ConfigurationOut),),
    problems=ASKS_PROVIDER,
)
def read_configuration(call: Call, connection_id: str) -> Reply:
    """Read what the user has chosen at the provider.

    It is read there at each call. Only for a provider where Freshet can begin connections.
    """
    connection = connection_of(call, connection_id)
    if not REGISTRY[connection.provider].opens:
        raise NotFound
    found = opener(call, connection.provider, owner=connection_id).configuration(connection)
    return Reply(
        ConfigurationOut(
            configured=found.chosen is not None,
            sign_in_url=found.url,
            configuration=found.chosen,
        )
    )


@Route(
    "PUT /v1/connections/<connection_id>/credentials",
    Tag.CONNECTIONS,
    (Answer("They are in place.", status=204),),
    body=CredentialsIn,
    problems=(Superseded,),
)
def replace_credentials(call: Call, connection_id: str, *, body: CredentialsIn) -> Reply:
    """Replace the credentials.

    After the user has signed in at the provider again. A refresh that waits for its user goes on.
    """
    connection = connection_of(call, connection_id)
    if not REGISTRY[connection.provider].credentials:
        raise InvalidRequest(NO_CREDENTIALS)
    replaced = call.here.connections.replace(connection, credentials_of(body))
    call.here.resume(replaced, by=secrets.token_hex(16))
    return Reply(status=204)


@Route(
    "DELETE /v1/connections/<connection_id>/pause",
    Tag.CONNECTIONS,
    (Answer("There is no pause.", status=204),),
)
def lift_pause(call: Call, connection_id: str) -> Reply:
    """Let a connection be refreshed before its `next_allowed_at`.

    Its provider asked for a pause. Lift it where you know better: the next refresh asks the
    provider, which may ask for a pause again.
    """
    connection_of(call, connection_id)
    call.here.connections.allow(connection_id)
    return Reply(status=204)
