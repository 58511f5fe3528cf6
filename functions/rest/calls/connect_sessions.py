"""Connect sessions: links at which end users sign in, so that connections come to be."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from functions.connectors.registry import REGISTRY
from functions.core import webhooks
from functions.core.connect.addresses import link
from functions.core.connect.model import (
    DEFAULT_SECONDS,
    MAX_SECONDS,
    MIN_SECONDS,
    SESSION_PREFIX,
    ConnectSession,
    SessionStatus,
)
from functions.core.connect.ports import Purpose, SignInError
from functions.core.connect.return_urls import MAX_LENGTH
from functions.core.errors import (
    ConnectCodeInvalid,
    ConnectSessionEnded,
    ConnectUserMismatch,
    InvalidRequest,
    KeyReused,
    ProviderRefusesConnection,
    ReauthRequired,
)
from functions.core.model import iso, when
from functions.rest.body import VISIBLE, ExternalId, Labels, Params, Text, UserLabel
from functions.rest.call import Call, Reply, connect_flow, connection_of, hold, once, own
from functions.rest.calls.connections import ASKS_PROVIDER, ConnectionOut, connection_out
from functions.rest.calls.registrations import (
    DatasetTitles,
    NewConnection,
    check_datasets,
    check_settings,
    open_at_provider,
    require_entry,
    to_connection,
)
from functions.rest.headers import idempotency_key
from functions.rest.route import LOCATION, REPLAYED, WAITING, Answer, Route, Tag

if TYPE_CHECKING:
    from functions.core.connect.flow import Flow
    from functions.core.idempotency import Key
    from functions.core.model import Connection

ConnectionId = Annotated[str, Meta(min_length=1, max_length=64)]
ReturnUrl = Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH)]
Code = Annotated[str, Meta(min_length=1, max_length=200, pattern=VISIBLE)]


class ConnectSessionIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sign-in that an application wants of its user.

    For a new connection it says what is to be connected as a registration does; ``external_id`` is
    needed. ``connection_id`` is for an existing one, and comes without those. ``purpose`` is
    ``connect``, or with ``connection_id`` ``reconnect``, unless it is given. ``options`` are of
    the provider. ``return_url`` is one of those that your operator has entered; without one the
    user stays on a last page of ours, and is connected without a code. ``user_label`` is shown to
    the user. ``refresh`` starts the first refresh as soon as the user is connected.
    """

    provider: Text | None = None
    settings: dict[Text, Text] = {}
    datasets: DatasetTitles | None = None
    params: Params = {}
    external_id: ExternalId | None = None
    labels: Labels = {}
    connection_id: ConnectionId | None = None
    purpose: Purpose | None = None
    options: dict[Text, msgspec.Raw] = {}
    return_url: ReturnUrl | None = None
    user_label: UserLabel | None = None
    expires_in_seconds: Annotated[int, Meta(ge=MIN_SECONDS, le=MAX_SECONDS)] = DEFAULT_SECONDS
    refresh: bool = False


class CompletionIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code that a user's browser brought back, and your id of the user who is signed in now."""

    code: Code
    external_id: ExternalId


class LastErrorOut(msgspec.Struct, frozen=True, kw_only=True):
    """Why the last attempt to sign in failed, and when. The user may try again."""

    name: SignInError
    at: str


class ConnectSessionOut(msgspec.Struct, frozen=True, kw_only=True):
    """A connect session.

    It ends as ``connected``, ``expired`` or ``cancelled``. While it is ``authorized`` it waits
    until ``complete_by`` for you to redeem the code. ``connection_id`` is null until a new
    connection is there; where it is ``reused`` your user had it already. ``refresh_id`` is the
    first refresh, if you wanted one. ``connect_url``, where the user signs in, stands only in the
    answer to the request that created the session. ``connection`` stands in the answer to the
    request that redeemed the code.
    """

    connect_session_id: str
    status: SessionStatus
    purpose: Purpose
    provider: str
    settings: dict[str, str]
    external_id: str | None
    labels: dict[str, str]
    created_at: str
    expires_at: str
    complete_by: str | None
    attempts: int
    version: int
    connection_id: str | None
    reused: bool
    refresh_id: str | None
    last_error: LastErrorOut | None
    connect_url: str | UnsetType = UNSET
    connection: ConnectionOut | UnsetType = UNSET


def session_out(session: ConnectSession, **more: Any) -> ConnectSessionOut:  # noqa: ANN401 - fields
    """Render a session."""
    connection, error = session.connection, session.last_error
    known = "" if session.purpose is Purpose.CONNECT else connection.connection_id
    return ConnectSessionOut(
        connect_session_id=session.connect_session_id,
        status=session.status,
        purpose=session.purpose,
        provider=connection.provider,
        settings=connection.settings,
        external_id=connection.external_id or None,
        labels=connection.labels,
        created_at=iso(session.created_at),
        expires_at=iso(session.expires_at),
        complete_by=when(session.complete_by),
        attempts=session.attempts,
        version=session.version,
        connection_id=session.connection_id or known or None,
        reused=session.reused,
        refresh_id=session.refresh_id or None,
        last_error=LastErrorOut(name=error.name, at=iso(error.at)) if error else None,
        **more,
    )


@Route(
    "POST /v1/connect-sessions",
    Tag.CONNECT_SESSIONS,
    (Answer("The link is good now.", ConnectSessionOut, (LOCATION, REPLAYED), status=201),),
    body=ConnectSessionIn,
    headers=(
        idempotency_key(
            "Your own name for this session. The same body under the same key is the same session,"
            " for a day.",
            example="sign-in-4711-1",
        ),
    ),
    problems=(*ASKS_PROVIDER, KeyReused, ReauthRequired),
)
def create_connect_session(
    call: Call, *, body: ConnectSessionIn, idempotency_key: str | None
) -> Reply:
    """Have a user sign in at a provider.

    Send the user's browser to the `connect_url`. Give it to no other user: a sign-in is bound to
    the `external_id`. With a `return_url` the browser comes back with a code, which you redeem.
    """
    flow = connect_flow(call)
    (session, url), replayed = once(
        call,
        idempotency_key,
        body,
        create=lambda key: _create(call, body, flow, key=key),
        replay=lambda claim: _read_again(call, claim.resource_id, flow),
    )
    return Reply(
        session_out(session, connect_url=url),
        201,
        location=f"/v1/connect-sessions/{session.connect_session_id}",
        replayed=replayed,
    )


@Route(
    "GET /v1/connect-sessions/<connect_session_id>",
    Tag.CONNECT_SESSIONS,
    (Answer("The session.", ConnectSessionOut),),
    query=WAITING,
)
def read_connect_session(
    call: Call, connect_session_id: str, *, wait: int, since_version: int | None
) -> Reply:
    """See how a sign-in stands.

    With a `wait` the answer is held until the session is past the version that you know, or has
    ended. It is known for 7 days after that.
    """
    session = _read(call, connect_session_id)
    until = call.here.clock() + wait
    look = partial(_read, call, connect_session_id)
    return Reply(session_out(hold(call, session, look, until=until, since=since_version)))


@Route(
    "POST /v1/connect-sessions/<connect_session_id>/complete",
    Tag.CONNECT_SESSIONS,
    (Answer("The user is connected.", ConnectSessionOut),),
    body=CompletionIn,
    problems=(
        ConnectCodeInvalid,
        ConnectSessionEnded,
        ConnectUserMismatch,
        ProviderRefusesConnection,
    ),
)
def complete_connect_session(call: Call, connect_session_id: str, *, body: CompletionIn) -> Reply:
    """Redeem the code with which a user came back.

    Take `connect_session_id` from your user's own web session, never from the address, and
    `external_id` from the user who is signed in there now: it proves that this user has signed in
    at the provider, and no other. The same code gives the same answer again.
    """
    session = _own(call, connect_session_id)
    done = connect_flow(call).complete(session, code=body.code, external_id=body.external_id)
    connection = connection_of(call, done.connection_id)
    shown = connection_out(connection, at=call.here.clock())
    return Reply(session_out(done, connection=shown))


@Route(
    "POST /v1/connect-sessions/<connect_session_id>/cancel",
    Tag.CONNECT_SESSIONS,
    (Answer("The session as it has ended.", ConnectSessionOut),),
)
def cancel_connect_session(call: Call, connect_session_id: str) -> Reply:
    """End a sign-in.

    Its link is good no longer. What the provider has given already is revoked. A session that has
    ended stays as it is.
    """
    session = _own(call, connect_session_id)
    return Reply(session_out(connect_flow(call).cancel(session)))


def _create(
    call: Call, given: ConnectSessionIn, flow: Flow, *, key: Key | None
) -> tuple[ConnectSession, str]:
    """A new session, and its link."""
    here, ports, id_ = call.here, flow.ports, SESSION_PREFIX + secrets.token_hex(16)
    purpose, connection = _choose(call, given)
    return_url = given.return_url or ""
    here.application(call.tenant, return_url=return_url)  # or it is refused
    entry = REGISTRY[connection.provider]
    if purpose not in entry.signs_in:
        there = ", ".join(sorted(entry.signs_in)) or "none"
        raise InvalidRequest(f"This provider's purposes are: {there}.")
    sign_in = ports.sign_in(connection)
    sign_in.check_options(purpose, given.options)
    redirect_uri = sign_in.redirect_uri(connection.settings)
    token, at = webhooks.token(id_, rest=ports.token()), here.clock()
    url = link(redirect_uri, connection, token)  # or nothing is opened
    if entry.opens and purpose is Purpose.CONNECT:
        connection, _ = open_at_provider(
            call,
            connection,
            redirect_url=f"{redirect_uri}?session={id_}",
            options=given.options,
        )
    session = ConnectSession(
        connect_session_id=id_,
        tenant=call.tenant,
        purpose=purpose,
        connection=connection,
        options=given.options,
        return_url=return_url,
        user_label=given.user_label or "",
        refresh=given.refresh,
        created_at=at,
        expires_at=at + given.expires_in_seconds,
        token_digest=webhooks.digest(token),
        sealed_token=ports.sealer(connection)(token.encode()),
    )
    here.connect_sessions.create(session, key=key)
    return session, url


def _read_again(
    call: Call, connect_session_id: str, flow: Flow
) -> tuple[ConnectSession, str | UnsetType]:
    """The session that an earlier request created, and its link while it is good."""
    session = _read(call, connect_session_id)
    if session.status.has_ended or not session.sealed_token:
        return session, UNSET
    token = flow.ports.unseal(session.connection, session.sealed_token).decode()
    return session, flow.address(session, token)


def _own(call: Call, connect_session_id: str) -> ConnectSession:
    return own(call, connect_session_id, lambda here: here.connect_sessions.get(connect_session_id))


def _read(call: Call, connect_session_id: str) -> ConnectSession:
    """Read a session. One whose time is over is shown as expired before that is stored.

    One that may still be connected is not: a caller never sees a session leave its end.
    """
    session = _own(call, connect_session_id)
    is_over = session.is_over(at=call.here.clock())
    if is_over and not (session.status.has_ended or session.may_connect):
        return replace(session, status=SessionStatus.EXPIRED)
    return session


def _choose(call: Call, given: ConnectSessionIn) -> tuple[Purpose, Connection]:
    """The purpose, and the connection: a new one, or one that is there."""
    if given.connection_id is not None:
        new = (given.provider, given.external_id, given.datasets)
        if any(one is not None for one in new) or given.settings or given.params or given.labels:
            raise InvalidRequest("With connection_id, leave out what a new connection would be.")
        if given.purpose is Purpose.CONNECT:
            raise InvalidRequest("purpose connect makes a new connection: leave connection_id out.")
        connection = connection_of(call, given.connection_id)
        if given.purpose is Purpose.ADD_SOURCE and connection.reauth_required:
            raise ReauthRequired  # a source is added with the user's tokens
        return given.purpose or Purpose.RECONNECT, connection
    if given.provider is None or given.external_id is None:
        raise InvalidRequest("A new connection needs provider and external_id; else connection_id.")
    if given.purpose not in {None, Purpose.CONNECT}:
        raise InvalidRequest(f"purpose {given.purpose} needs connection_id.")
    wanted = NewConnection(
        provider=given.provider,
        settings=given.settings,
        datasets=given.datasets,
        params=given.params,
        external_id=given.external_id,
        labels=given.labels,
    )
    entry = require_entry(wanted)
    check_datasets(wanted, entry)
    check_settings(call, wanted, entry)
    return Purpose.CONNECT, to_connection(call, wanted)
