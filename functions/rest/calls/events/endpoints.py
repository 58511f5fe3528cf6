"""Webhook endpoints: addresses of an application at which it is told of events."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import asdict, replace

from functions.connectors.registry import REGISTRY
from functions.core.delivery.endpoints import (
    DEFAULT_OVERLAP_SECONDS,
    MAX_OVERLAP_SECONDS,
    forgive,
    move,
    rotate,
    signs_until,
)
from functions.core.delivery.model import (
    ENDPOINT_PREFIX,
    MAX_IN_FLIGHT,
    Endpoint,
    EndpointState,
    Health,
    SealedSecret,
)
from functions.core.delivery.ports import StoredEndpoint
from functions.core.errors import (
    EndpointRefused,
    Gone,
    InvalidRequest,
    KeyReused,
    SecretRotating,
    Superseded,
    TooManyEndpoints,
)
from functions.core.events.model import EventType
from functions.core.model import iso, when
from functions.outbound.sign import make_keys
from functions.rest.body import CONNECTION_ID, Text
from functions.rest.call import Call, Reply, once, own
from functions.rest.headers import idempotency_key
from functions.rest.route import LOCATION, REPLAYED, Answer, Route, Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.core.idempotency import Key

MAX_URL: Final = 2000
MAX_NAMED: Final = 100

TRIES: Final = 5
"""How often an endpoint is read and written that others write, too."""

DELETED: Final = "This endpoint has been deleted since. Use a new key for a new one."
CHANGING: Final = "Others are changing this endpoint at the same time. Try again later."

TYPES: Final = {*EventType, *(f"{type_.partition('.')[0]}.*" for type_ in EventType)}
"""What an endpoint can choose by."""

Url = Annotated[str, Meta(min_length=1, max_length=MAX_URL)]
Types = Annotated[tuple[Text, ...], Meta(max_length=len(TYPES))]
ConnectionIds = Annotated[
    tuple[Annotated[str, Meta(max_length=64, pattern=CONNECTION_ID)], ...],
    Meta(max_length=MAX_NAMED),
]
InFlight = Annotated[int, Meta(ge=1, le=MAX_IN_FLIGHT)]
Secret = Annotated[str, Meta(min_length=1, max_length=100)]


class EndpointIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address to tell of events.

    It is called by https, at a public host. ``types`` are types of events, or all of a kind, such
    as ``refresh.*``; with none it gets every type. ``provider`` and ``connection_ids`` narrow them
    down. ``secret`` is one of your own, `whsec_` and the base64 of 24 to 64 random bytes; left out,
    one is made. With ``asymmetric`` each delivery carries a signature more, which a `public_key`
    verifies. ``max_in_flight`` is how many deliveries may be under way at once.
    """

    url: Url
    types: Types = ()
    provider: Text | None = None
    connection_ids: ConnectionIds = ()
    secret: Secret | None = None
    asymmetric: bool = False
    max_in_flight: InFlight = 8


class EndpointChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What to change of an endpoint; what is left out stays. ``provider`` null means any.

    An endpoint that is not ``enabled`` gets nothing, and its deliveries wait. They are sent once it
    is enabled, also where it was failing or disabled.
    """

    url: Url | UnsetType = UNSET
    types: Types | UnsetType = UNSET
    provider: Text | UnsetType | None = UNSET
    connection_ids: ConnectionIds | UnsetType = UNSET
    max_in_flight: InFlight | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class RotationIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new secret, and for how long the old one signs beside it.

    ``overlap_seconds`` 0 is for a secret that others know: it signs nothing more. ``secret`` is one
    of your own, as for a new endpoint; left out, one is made.
    """

    overlap_seconds: Annotated[int, Meta(ge=0, le=MAX_OVERLAP_SECONDS)] = DEFAULT_OVERLAP_SECONDS
    secret: Secret | None = None


class EndpointOut(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint.

    ``state``: it is ``failing`` where its last deliveries failed; one of those that wait is tried
    now and then. ``disabled``, and ``why``: it has taken nothing for days, or has said that it is
    gone. While it is ``paused`` or ``disabled`` its deliveries wait, up to 30 days, for you to
    enable it. Before ``blocked_until`` nothing is sent to it. ``previous_secret_until`` is how long
    the secret before the newest signs, too. ``secret`` stands only in the answer to the request
    that created the endpoint. What verifies the asymmetric signature is ``public_key``.
    """

    endpoint_id: str
    url: str
    types: tuple[str, ...]
    provider: str | None
    connection_ids: tuple[str, ...]
    max_in_flight: int
    state: EndpointState
    why: str | None
    failing_since: str | None
    blocked_until: str | None
    last_success_at: str | None
    last_status: int | None
    created_at: str
    public_key: str | None
    previous_secret_until: str | None
    secret: str | UnsetType = UNSET


class EndpointsOut(msgspec.Struct, frozen=True, kw_only=True):
    """Your endpoints, the oldest first."""

    endpoints: list[EndpointOut]


class RotatedOut(msgspec.Struct, frozen=True, kw_only=True):
    """The newest secret, and until when the one before it signs; null where it does not."""

    secret: str
    public_key: str | None
    previous_secret_until: str | None


def endpoint_out(
    stored: StoredEndpoint, *, at: float, secret: str | UnsetType = UNSET
) -> EndpointOut:
    """Render an endpoint as it stands at this time."""
    endpoint, health = stored.endpoint, stored.health
    return EndpointOut(
        endpoint_id=endpoint.endpoint_id,
        url=endpoint.url,
        types=endpoint.types,
        provider=endpoint.provider or None,
        connection_ids=endpoint.connection_ids,
        max_in_flight=endpoint.max_in_flight,
        state=stored.state,
        why=health.why or None,
        failing_since=when(health.failing_since),
        blocked_until=when(health.blocked_until if health.blocked_until > at else 0),
        last_success_at=when(health.last_success_at),
        last_status=health.last_status or None,
        created_at=iso(endpoint.created_at),
        public_key=endpoint.public_key or None,
        previous_secret_until=when(signs_until(endpoint, at=at)),
        secret=secret,
    )


@Route(
    "POST /v1/endpoints",
    Tag.ENDPOINTS,
    (Answer("It is told from now on.", EndpointOut, (LOCATION, REPLAYED), status=201),),
    body=EndpointIn,
    headers=(
        idempotency_key(
            "Your own name for this endpoint. The same body under the same key is the same"
            " endpoint, for a day.",
            example="production-events",
        ),
    ),
    problems=(EndpointRefused, Gone, KeyReused, TooManyEndpoints),
)
def create_endpoint(call: Call, *, body: EndpointIn, idempotency_key: str | None) -> Reply:
    """Have an address told of events.

    Each event that ends from now on is sent to it by POST, signed as Standard Webhooks 1.0 says,
    at least once and in no order. Keep the `secret`: no other call tells it.
    """
    (stored, secret), replayed = once(
        call,
        idempotency_key,
        body,
        create=lambda key: _create(call, body, key=key),
        replay=lambda claim: _read_again(call, claim.resource_id),
    )
    return Reply(
        endpoint_out(stored, at=call.here.clock(), secret=secret),
        201,
        location=f"/v1/endpoints/{stored.endpoint.endpoint_id}",
        replayed=replayed,
    )


@Route("GET /v1/endpoints", Tag.ENDPOINTS, (Answer("All of them.", EndpointsOut),))
def list_endpoints(call: Call) -> Reply:
    """List your endpoints."""
    at = call.here.clock()
    found = call.here.endpoints.of_tenant(call.tenant)
    return Reply(EndpointsOut(endpoints=[endpoint_out(each, at=at) for each in found]))


@Route("GET /v1/endpoints/<endpoint_id>", Tag.ENDPOINTS, (Answer("The endpoint.", EndpointOut),))
def read_endpoint(call: Call, endpoint_id: str) -> Reply:
    """See how an endpoint stands."""
    return Reply(endpoint_out(endpoint_of(call, endpoint_id), at=call.here.clock()))


@Route(
    "PATCH /v1/endpoints/<endpoint_id>",
    Tag.ENDPOINTS,
    (Answer("The endpoint as it is now.", EndpointOut),),
    body=EndpointChange,
    problems=(EndpointRefused, Superseded),
)
def change_endpoint(call: Call, endpoint_id: str, *, body: EndpointChange) -> Reply:
    """Change an endpoint, pause it, or enable it again.

    What waits for it goes to the address that it has when it is sent. At another address, what has
    failed before counts no longer.
    """
    given = {name: value for name, value in asdict(body).items() if value is not UNSET}
    enabled = given.pop("enabled", None)
    if enabled is not None:
        given["paused"] = not enabled
    if "provider" in given:
        given["provider"] = given["provider"] or ""
    endpoint_of(call, endpoint_id)
    _check(call, given)
    stored = _save(
        call,
        endpoint_id,
        lambda endpoint: replace(endpoint, version=endpoint.version + 1, **given),
        mend=forgive if enabled else move if "url" in given else None,
    )
    if stored.state in {EndpointState.ENABLED, EndpointState.FAILING}:
        call.here.lanes.send(endpoint_id, reason=f"version-{stored.endpoint.version}")
    return Reply(endpoint_out(stored, at=call.here.clock()))


@Route(
    "DELETE /v1/endpoints/<endpoint_id>",
    Tag.ENDPOINTS,
    (Answer("There is no such endpoint any longer.", status=204),),
)
def delete_endpoint(call: Call, endpoint_id: str) -> Reply:
    """Delete an endpoint, and what waits for it.

    A delivery that is under way may still arrive.
    """
    endpoint_of(call, endpoint_id)
    call.here.endpoints.delete(endpoint_id, tenant=call.tenant)
    return Reply(status=204)


@Route(
    "POST /v1/endpoints/<endpoint_id>/secret",
    Tag.ENDPOINTS,
    (Answer("Deliveries are signed by this secret from now on.", RotatedOut),),
    body=RotationIn,
    problems=(SecretRotating, Superseded),
)
def rotate_secret(call: Call, endpoint_id: str, *, body: RotationIn) -> Reply:
    """Replace an endpoint's secret.

    As long as both sign, each delivery carries both signatures, and a receiver that knows one of
    the secrets takes it. An asymmetric key is replaced together with its secret.
    """
    here, at = call.here, call.here.clock()
    endpoint = endpoint_of(call, endpoint_id).endpoint
    keys = make_keys(asymmetric=endpoint.asymmetric, secret=body.secret)
    sealed = here.keyring.seal(keys, tenant=call.tenant, endpoint_id=endpoint_id)
    stored = _save(
        call,
        endpoint_id,
        lambda endpoint: rotate(
            endpoint,
            SealedSecret(sealed=sealed),
            public_key=keys.public_key,
            at=at,
            overlap_seconds=body.overlap_seconds,
        ),
    )
    return Reply(
        RotatedOut(
            secret=keys.shared_secret,
            public_key=keys.public_key or None,
            previous_secret_until=when(signs_until(stored.endpoint, at=at)),
        )
    )


def endpoint_of(call: Call, endpoint_id: str) -> StoredEndpoint:
    """The tenant's endpoint.

    Raises:
        NotFound: there is none, or it is another tenant's.
    """
    return own(call, endpoint_id, lambda here: here.endpoints.get(endpoint_id))


def _create(call: Call, given: EndpointIn, *, key: Key | None) -> tuple[StoredEndpoint, str]:
    """A new endpoint, and its secret.

    Raises:
        TooManyEndpoints: the tenant has as many as it may have.
    """
    here, id_ = call.here, ENDPOINT_PREFIX + secrets.token_hex(16)
    keys = make_keys(asymmetric=given.asymmetric, secret=given.secret)
    _check(call, asdict(given))
    sealed = here.keyring.seal(keys, tenant=call.tenant, endpoint_id=id_)
    endpoint = Endpoint(
        endpoint_id=id_,
        tenant=call.tenant,
        url=given.url,
        created_at=here.clock(),
        types=given.types,
        provider=given.provider or "",
        connection_ids=given.connection_ids,
        asymmetric=given.asymmetric,
        public_key=keys.public_key,
        max_in_flight=given.max_in_flight,
        secrets=(SealedSecret(sealed=sealed),),
    )
    here.endpoints.create(endpoint, key=key)
    return StoredEndpoint(endpoint=endpoint, health=Health()), keys.shared_secret


def _read_again(call: Call, endpoint_id: str) -> tuple[StoredEndpoint, str]:
    """The endpoint that an earlier request created, and its newest secret.

    Raises:
        Gone: it was deleted since.
    """
    stored = call.here.endpoints.get(endpoint_id)
    if stored is None:
        raise Gone(DELETED)
    return stored, call.here.keyring.open_newest(stored.endpoint).shared_secret


def _check(call: Call, given: Mapping[str, Any]) -> None:
    """Refuse what could not work.

    Raises:
        InvalidRequest: there is no such type or provider, or the url is malformed.
        EndpointRefused: the url's host is not public.
    """
    if not TYPES.issuperset(given.get("types", ())):
        raise InvalidRequest(f"types are: {', '.join(sorted(TYPES))}.")
    if given.get("provider") and given["provider"] not in REGISTRY:
        raise InvalidRequest(f"No such provider. There are: {', '.join(REGISTRY)}.")
    if "url" in given:
        call.here.check_url(given["url"])


def _save(
    call: Call,
    endpoint_id: str,
    change: Callable[[Endpoint], Endpoint],
    *,
    mend: Callable[[Health], Health] | None = None,
) -> StoredEndpoint:
    """Change an endpoint, which others may be changing at the same time.

    Args:
        mend: changes its health, too; None leaves it alone.

    Raises:
        Superseded: it changes all the time.
    """
    endpoints = call.here.endpoints
    for _ in range(TRIES):
        stored = endpoint_of(call, endpoint_id)
        changed = change(stored.endpoint)
        health = mend(stored.health) if mend else None
        try:
            endpoints.save(changed, at=call.here.clock(), health=health)
        except Superseded:
            continue
        return replace(stored, endpoint=changed, health=health or stored.health)
    raise Superseded(CHANGING)
