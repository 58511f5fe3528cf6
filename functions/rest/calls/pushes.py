"""Pushes: records sent to a provider. Start, follow and list them."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from functions.connectors.registry import DATASETS, REGISTRY
from functions.core import idempotency
from functions.core.contract import (
    DEADLINE_SECONDS,
    MAX_DEADLINE_SECONDS,
    MAX_PUSH_BYTES,
    MAX_PUSH_RECORDS,
    MIN_DEADLINE_SECONDS,
)
from functions.core.errors import InvalidRequest, KeyReused, Paused, Superseded
from functions.core.idempotency import Claim
from functions.core.model import Connection, iso, when
from functions.core.push.model import (
    PUSH_PREFIX,
    Failure,
    Push,
    PushStatus,
    Result,
    accept,
    reopen,
)
from functions.core.refresh.history import Place, read_page
from functions.rest import cursors
from functions.rest.body import Text
from functions.rest.call import Call, Reply, connection_of, own
from functions.rest.headers import idempotency_key
from functions.rest.models import ErrorOut, EventOut, error_out, events_out
from functions.rest.route import LOCATION, REPLAYED, Answer, Parameter, Route, Tag, limit, one_of

LIMIT: Final = 50
MAX_LIMIT: Final = 100

NO_KEY: Final = (
    "A push needs an Idempotency-Key header: without one, a repetition after a lost answer could"
    " not be told from a second push of the same records."
)


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
    ``failures``, ``results`` and ``events`` do not stand in a list of pushes.
    ``requested_by`` is the `sub` of the token, else its `client_id`; null where it had none.
    """

    push_id: str
    connection_id: str
    provider: str
    dataset: str
    status: PushStatus
    records: int
    failed: int
    failures: tuple[Failure, ...] | UnsetType = UNSET
    results: tuple[Result, ...] | UnsetType = UNSET
    requested_by: str | None
    requested_at: str
    deadline: str
    ended_at: str | None
    version: int
    attempts: int
    events: tuple[EventOut, ...] | UnsetType = UNSET
    error: ErrorOut | None


class PushesOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of pushes, newest first; ``next_cursor`` null on the last."""

    pushes: list[PushOut]
    next_cursor: str | None


def push_out(push: Push, *, details: bool = True) -> PushOut:
    """Render a push, with what happened to it and its records, or without that."""
    return PushOut(
        push_id=push.push_id,
        connection_id=push.connection_id,
        provider=push.provider,
        dataset=push.dataset,
        status=push.status,
        records=push.records,
        failed=push.failed,
        failures=push.failures if details else UNSET,
        results=push.results if details else UNSET,
        requested_by=push.requested_by or None,
        requested_at=iso(push.requested_at),
        deadline=iso(push.deadline),
        ended_at=when(push.ended_at),
        version=push.version,
        attempts=push.attempts,
        events=events_out(push.events) if details else UNSET,
        error=error_out(push.error),
    )


@Route(
    "POST /v1/pushes",
    Tag.PUSHES,
    (
        Answer("The push is on its way.", PushOut, (LOCATION, REPLAYED), status=202),
        Answer(
            "This request had come before, and its push has ended.",
            PushOut,
            (LOCATION, REPLAYED),
        ),
    ),
    body=PushIn,
    most=MAX_PUSH_BYTES,
    headers=(
        idempotency_key(
            "Your own name for this push. The same request under the same key is the same push, for"
            " 60 days.",
            example="order-4711",
            missing=NO_KEY,
        ),
    ),
    problems=(KeyReused, Paused),
)
def start_push(call: Call, *, body: PushIn, idempotency_key: str) -> Reply:
    """Push records to a provider.

    They reach the provider once at most. Where an answer of the provider is lost, the push ends as
    `unknown_outcome`, and it is for you to look there.
    """
    key = idempotency.key_of(idempotency_key, tenant=call.tenant, body=body)
    push_id = PUSH_PREFIX + key.name[:32]
    push, replayed = idempotency.once(
        key,
        find=lambda _: _claim(call, push_id),
        create=lambda: _create(call, body, push_id=push_id, digest=key.digest),
        replay=lambda _: _read(call, push_id),
    )
    if not replayed:
        call.here.push_executions.start(push)
    return Reply(
        push_out(push),
        200 if push.status.has_ended else 202,
        location=f"/v1/pushes/{push_id}",
        replayed=replayed,
    )


@Route(
    "GET /v1/pushes",
    Tag.PUSHES,
    (Answer("A page of them.", PushesOut),),
    query=(
        Parameter(
            "connection_id",
            "Only those of this connection.",
            "con_5d2c8a1f4e7b4c0d8a9b0c1d2e3f4a5b",
        ),
        one_of("status", PushStatus, example=PushStatus.UNKNOWN_OUTCOME),
        limit(LIMIT, MAX_LIMIT),
        Parameter(
            "cursor",
            "The `next_cursor` of the page before, of a list with the same filters.",
            "WyI5Mjg1MzFmNzkwOTFmYzNkIixbIjIwMjYtMTEtMjJUMTA6MDA6MDAuMDAwWiIsInBzaF85YzhiN2E2ZjVlNGQz"
            "YzJiMWEwZjllOGQ3YzZiNWE0ZiJdXQ",
        ),
    ),
)
def list_pushes(
    call: Call,
    *,
    connection_id: str | None,
    status: PushStatus | None,
    limit: int,
    cursor: str | None,
) -> Reply:
    """List your pushes, newest first.

    Those of the last 60 days, without their failures, results and events. A page may hold fewer
    than the limit, even none, although more follow: read on while there is a `next_cursor`.
    """
    here = ("pushes", connection_id, status)
    after = cursors.read_place(cursor, of=here)
    if connection_id is None:
        line = call.here.pushes.of_tenant(call.tenant)
    else:
        connection_of(call, connection_id)
        line = call.here.pushes.of_connection(connection_id)
    found, following = read_page(
        line,
        wanted=(lambda push: push.status is status) if status else None,
        place=lambda push: Place(iso(push.requested_at), push.push_id),
        limit=limit,
        after=after,
    )
    return Reply(
        PushesOut(
            pushes=[push_out(push, details=False) for push in found],
            next_cursor=cursors.write(following, of=here) if following else None,
        )
    )


@Route("GET /v1/pushes/<push_id>", Tag.PUSHES, (Answer("The push.", PushOut),))
def read_push(call: Call, push_id: str) -> Reply:
    """See how a push stands."""
    return Reply(push_out(_read(call, push_id)))


def _claim(call: Call, push_id: str) -> Claim | None:
    """The claim of a push's key, which the push itself keeps."""
    push = call.here.pushes.get(push_id)
    return Claim(digest=push.digest, resource_id=push_id) if push else None


def _create(call: Call, given: PushIn, *, push_id: str, digest: str) -> Push:
    """Keep the records, then the push.

    Raises:
        Superseded: another under this id came first.
    """
    connection = _connection(call, given)
    at, content = call.here.clock(), given.content
    push = accept(
        Push(
            push_id=push_id,
            connection_id=connection.connection_id,
            tenant=call.tenant,
            provider=connection.provider,
            dataset=given.dataset,
            status=PushStatus.ACCEPTED,
            requested_at=at,
            deadline=at + (given.deadline_seconds or DEADLINE_SECONDS),
            records=len(given.records),
            digest=digest,
            content=call.here.push_contents.write(
                content, connection_id=connection.connection_id, push_id=push_id
            ),
            synchronous=given.synchronous,
            requested_by=call.caller,
        )
    )
    if not call.here.pushes.create(push):
        call.here.push_contents.delete(push)
        raise Superseded
    return push


def _connection(call: Call, given: PushIn) -> Connection:
    connection = connection_of(call, given.connection_id)
    if not REGISTRY[connection.provider].pushes:
        raise InvalidRequest("This connection's provider takes no pushes.")
    if connection.paused:
        raise Paused
    datasets = connection.datasets or DATASETS[connection.provider]
    if given.dataset not in datasets:
        raise InvalidRequest(f"This connection's datasets are: {', '.join(datasets)}.")
    return connection


def _read(call: Call, push_id: str) -> Push:
    """The push. Another execution takes it on if the provider should be asked about it again."""
    push = own(call, push_id, lambda here: here.pushes.get(push_id))
    again = reopen(push, at=call.here.clock())
    if again is None:
        return push
    try:
        call.here.pushes.save(again, seen=push.version)
    except Superseded:
        return push  # by another reader, or a webhook
    call.here.push_executions.start(again)
    return again
