"""The route on which connections are registered.

A connection and the key of its request are written at once, so that nothing has to be mended:
whoever dies before that leaves nothing here, and the key is free. What a provider has opened for
it by then is nobody's, and does no harm.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from functions.connectors.registry import REGISTRY, Entry, check_settings
from functions.core import webhooks
from functions.core.errors import (
    ConfigurationInvalid,
    Gone,
    InvalidRequest,
    ProviderRefusesConnection,
)
from functions.core.model import CONNECTION_PREFIX, Connection, name_dataset
from functions.rest import headers
from functions.rest.connection_models import ConnectionIn, connection_out, credentials_of
from functions.rest.models import body
from functions.rest.service import Call, Reply, once, only, opener

if TYPE_CHECKING:
    from functions.core.idempotency import Key

NO_CREDENTIALS: Final = "This provider has no credentials of a user's own; leave them out."
ERASED: Final = (
    "The connection of this Idempotency-Key has been erased. Register it anew under another key."
)


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A connection, and where its user goes on."""

    connection: Connection
    url: str | UnsetType = UNSET


def create(call: Call) -> Reply:
    """Register a connection with its credentials, or begin one at a provider that lets us."""
    only(call)
    given = body(call.body, ConnectionIn)
    key = headers.idempotency_key(call, given)
    found, replayed = once(
        call,
        key,
        create=lambda: _new(call, given, key=key),
        replay=lambda claim: _again(call, given, connection_id=claim.resource_id),
    )
    return Reply(
        status=HTTPStatus.CREATED,
        model=connection_out(found.connection, sign_in_url=found.url),
        headers={"Location": f"/v1/connections/{found.connection.connection_id}"}
        | headers.replayed(known=replayed),
    )


def _new(call: Call, given: ConnectionIn, *, key: Key | None) -> Registered:
    _check(call, given)
    names = {title: name_dataset(title) for title in given.datasets or ()}
    connection = Connection(
        connection_id=CONNECTION_PREFIX + secrets.token_hex(16),
        tenant=call.tenant,
        provider=given.provider,
        subject=given.subject or "",
        settings=given.settings,
        datasets=tuple(names.values()),
        titles={name: title for title, name in names.items() if name != title},
        params={names[title]: params for title, params in given.params.items()},
        created_at=call.here.clock(),
    )
    url: str | UnsetType = UNSET
    if given.subject is None:
        connection, url = _begun(call, connection)
    credentials = credentials_of(given.credentials) if given.credentials else None
    if not call.here.connections.create(connection, credentials, key=key):
        raise ProviderRefusesConnection
    return Registered(connection=connection, url=url)


def _again(call: Call, given: ConnectionIn, *, connection_id: str) -> Registered:
    """The connection that an earlier request registered, as it is now."""
    connection = call.here.connections.get(connection_id)
    if connection is None:
        raise Gone(ERASED)
    url: str | UnsetType = UNSET
    if given.subject is None:
        url = opener(call, connection.provider, owner=connection_id).configuration(connection).url
    return Registered(connection=connection, url=url)


def _begun(call: Call, connection: Connection) -> tuple[Connection, str]:
    """The connection with the subject that its provider gave it, and where its user goes on."""
    id_ = connection.connection_id
    token = webhooks.token(id_, rest=secrets.token_urlsafe(32))
    opened = opener(call, connection.provider, owner=id_).open(connection, token=token)
    return replace(connection, subject=opened.subject, webhook=webhooks.digest(token)), opened.url


def _check(call: Call, given: ConnectionIn) -> None:
    """Refuse what does not fit the provider."""
    entry = REGISTRY.get(given.provider)
    if entry is None:
        raise InvalidRequest(f"No such provider. There are: {', '.join(REGISTRY)}.")
    if given.settings.keys() != entry.settings:
        needed = ", ".join(sorted(entry.settings)) or "none"
        raise InvalidRequest(f"This provider's settings are: {needed}.")
    if given.subject is None and not entry.opens:
        raise InvalidRequest("This provider needs the subject: the user's id there.")
    if entry.credentials and given.credentials is None:
        raise InvalidRequest("This provider needs credentials: the user's tokens.")
    if not entry.credentials and given.credentials is not None:
        raise InvalidRequest(NO_CREDENTIALS)
    _check_datasets(given, fixed=entry.datasets)
    if entry.settings:
        # Without a secret nobody can say. What its user has just consented to is kept then.
        with suppress(ConfigurationInvalid):
            _check_settings(call, given, entry)


def _check_settings(call: Call, given: ConnectionIn, entry: Entry) -> None:
    """Hold settings against the secret, which is read anew before any are refused."""
    kept, provider = call.here.secrets, given.provider
    try:
        check_settings(entry, given.settings, application=kept.read(provider))
    except (ConfigurationInvalid, InvalidRequest):
        kept.forget(provider)
        check_settings(entry, given.settings, application=kept.read(provider))


def _check_datasets(given: ConnectionIn, *, fixed: tuple[str, ...]) -> None:
    wanted = given.datasets or ()
    if fixed and (wanted or given.params):
        raise InvalidRequest(f"This provider's datasets are always: {', '.join(fixed)}.")
    if not fixed and not wanted:
        raise InvalidRequest("This provider needs datasets: the names of what to fetch there.")
    if len(set(map(name_dataset, wanted))) < len(wanted):
        raise InvalidRequest("A dataset is named twice.")
    if unknown := set(given.params) - set(wanted):
        raise InvalidRequest(f"params are for datasets of the connection, not: {min(unknown)}.")
