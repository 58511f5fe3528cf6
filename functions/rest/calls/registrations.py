"""The call that registers a connection.

A connection and the key of its request are written at once, so that nothing has to be mended: a
request that dies before that leaves nothing here, and its key is free. A session that a provider
has opened for it by then stays unused.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from functions.connectors import registry
from functions.connectors.registry import REGISTRY, Entry
from functions.core import webhooks
from functions.core.errors import (
    ConfigurationInvalid,
    ConnectionExists,
    Gone,
    InvalidRequest,
    KeyReused,
)
from functions.core.model import CONNECTION_PREFIX, Connection, name_dataset
from functions.rest.body import ExternalId, Labels, Params, Subject, Text
from functions.rest.call import Call, Reply, once, opener
from functions.rest.calls.connections import (
    ASKS_PROVIDER,
    NO_CREDENTIALS,
    ConnectionOut,
    CredentialsIn,
    connection_out,
    credentials_of,
)
from functions.rest.headers import idempotency_key
from functions.rest.route import LOCATION, REPLAYED, Answer, Route, Tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.idempotency import Key

ERASED: Final = (
    "The connection of this Idempotency-Key has been erased. Register it anew under another key."
)


DatasetTitles = Annotated[tuple[Text, ...], Meta(min_length=1, max_length=20)]


class NewConnection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be connected."""

    provider: Text
    settings: dict[Text, Text] = {}
    datasets: DatasetTitles | None = None
    params: Params = {}
    external_id: ExternalId | None = None
    labels: Labels = {}


class ConnectionIn(NewConnection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connection to register.

    ``subject`` is the user's id at the provider; where that is Endgrate, a session, and one is
    begun if none is given. ``datasets`` are for a provider that has no fixed ones, in its own
    words; ``params`` narrow datasets down. ``external_id`` is your own id of your user, never an
    address or a name; with the rest it makes the connection one: a second is 409. ``labels`` are
    yours to filter by.
    """

    subject: Subject | None = None
    credentials: CredentialsIn | None = None


@Route(
    "POST /v1/connections",
    Tag.CONNECTIONS,
    (Answer("It is registered.", ConnectionOut, (LOCATION, REPLAYED), status=201),),
    body=ConnectionIn,
    headers=(
        idempotency_key(
            "Your own name for this connection. The same body under the same key is the same"
            " connection, for a day.",
            example="sign-in-4711",
        ),
    ),
    problems=(*ASKS_PROVIDER, ConnectionExists, Gone, KeyReused),
)
def create_connection(call: Call, *, body: ConnectionIn, idempotency_key: str | None) -> Reply:
    """Register a connection.

    Its credentials are written only. Where the provider lets Freshet begin a connection, leave out
    the `subject`: the answer says where the user signs in. Repeat a request whose answer was lost
    under its `Idempotency-Key`; once its connection has been erased, that key answers 410.
    """
    connection, replayed = once(
        call,
        idempotency_key,
        body,
        create=lambda key: _register(call, body, key=key),
        replay=lambda claim: _read_again(call, body, connection_id=claim.resource_id),
    )
    return Reply(
        connection,
        201,
        location=f"/v1/connections/{connection.connection_id}",
        replayed=replayed,
    )


def _register(call: Call, given: ConnectionIn, *, key: Key | None) -> ConnectionOut:
    _check(call, given)
    connection = to_connection(call, given)
    url: str | UnsetType = UNSET
    if given.subject is None:
        connection, url = open_at_provider(call, connection)
    else:
        connection = replace(connection, subject=given.subject)
    credentials = credentials_of(given.credentials) if given.credentials else None
    call.here.connections.create(connection, credentials, key=key)
    return connection_out(connection, at=call.here.clock(), sign_in_url=url)


def to_connection(call: Call, given: NewConnection) -> Connection:
    """A connection under a new id, which has no subject yet."""
    return Connection(
        connection_id=CONNECTION_PREFIX + secrets.token_hex(16),
        tenant=call.tenant,
        provider=given.provider,
        subject="",
        settings=given.settings,
        params={name_dataset(title): params for title, params in given.params.items()},
        external_id=given.external_id or "",
        labels=given.labels,
        created_at=call.here.clock(),
    ).add_datasets(given.datasets or ())


def _read_again(call: Call, given: ConnectionIn, *, connection_id: str) -> ConnectionOut:
    """The connection that an earlier request registered, as it is now."""
    connection = call.here.connections.get(connection_id)
    if connection is None:
        raise Gone(ERASED)
    url: str | UnsetType = UNSET
    if given.subject is None:
        url = opener(call, connection.provider, owner=connection_id).configuration(connection).url
    return connection_out(connection, at=call.here.clock(), sign_in_url=url)


def open_at_provider(
    call: Call,
    connection: Connection,
    *,
    redirect_url: str = "",
    options: Mapping[str, msgspec.Raw] | None = None,
) -> tuple[Connection, str]:
    """The connection with the subject that its provider gave it, and the sign-in address.

    Args:
        redirect_url: as ``core.ports.Opener`` takes it, with ``options``.
    """
    id_ = connection.connection_id
    token = webhooks.token(id_, rest=secrets.token_urlsafe(32))
    opened = opener(call, connection.provider, owner=id_).open(
        connection, token=token, redirect_url=redirect_url, options=options
    )
    return replace(connection, subject=opened.subject, webhook=webhooks.digest(token)), opened.url


def _check(call: Call, given: ConnectionIn) -> None:
    """Refuse what does not fit the provider."""
    entry = require_entry(given)
    if given.subject is None and not entry.opens:
        raise InvalidRequest("This provider needs the subject: the user's id there.")
    if entry.credentials and given.credentials is None:
        raise InvalidRequest("This provider needs credentials: the user's tokens.")
    if not entry.credentials and given.credentials is not None:
        raise InvalidRequest(NO_CREDENTIALS)
    check_datasets(given, entry)
    # Without a secret they cannot be checked. The user's fresh consent is kept then.
    with suppress(ConfigurationInvalid):
        check_settings(call, given, entry)


def require_entry(given: NewConnection) -> Entry:
    """The provider's entry, whose settings are given.

    Raises:
        InvalidRequest: there is none, or its settings are others.
    """
    entry = REGISTRY.get(given.provider)
    if entry is None:
        raise InvalidRequest(f"No such provider. There are: {', '.join(REGISTRY)}.")
    if given.settings.keys() != entry.settings:
        needed = ", ".join(sorted(entry.settings)) or "none"
        raise InvalidRequest(f"This provider's settings are: {needed}.")
    return entry


def check_settings(call: Call, given: NewConnection, entry: Entry) -> None:
    """Hold settings against the secret.

    Raises:
        InvalidRequest: the secret does not know one.
        ConfigurationInvalid: there is no secret, or it is malformed.
    """
    if not entry.settings:
        return
    check = partial(registry.check_settings, entry, given.settings)
    call.here.secrets.use(given.provider, check)


def check_datasets(given: NewConnection, entry: Entry) -> None:
    """Refuse datasets that the provider does not have, and params that are not for them.

    Raises:
        InvalidRequest: the text names them.
    """
    wanted, fixed = given.datasets or (), entry.datasets
    if fixed and wanted:
        raise InvalidRequest(f"This provider's datasets are always: {', '.join(fixed)}.")
    if not fixed and not wanted:
        raise InvalidRequest("This provider needs datasets: the names of what to fetch there.")
    if len(set(map(name_dataset, wanted))) < len(wanted):
        raise InvalidRequest("A dataset is named twice.")
    registry.check_params(entry, given.params, datasets=fixed or wanted)
