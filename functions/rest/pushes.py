"""Routes: records pushed to a provider."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from functions.connectors.registry import DATASETS, REGISTRY
from functions.core import idempotency as keys
from functions.core.contract import DEADLINE_SECONDS
from functions.core.errors import InvalidRequest, NotFound, Superseded
from functions.core.idempotency import Claim
from functions.core.push.model import PUSH_PREFIX, Push, PushStatus, accept, reopen
from functions.rest import headers
from functions.rest.models import body
from functions.rest.push_models import PushIn, push_out
from functions.rest.service import (
    Call,
    Reply,
    connection_of,
    only,
    plausible,
)

if TYPE_CHECKING:
    from functions.core.model import Connection

NO_KEY: Final = (
    "A push needs an Idempotency-Key header: without one, nobody could tell a repetition after"
    " a lost answer from a second push of the same records."
)


def start(call: Call) -> Reply:
    """Accept a push, or find the one that this key stands for."""
    only(call)
    given = body(call.body, PushIn)
    key = headers.idempotency_key(call, given)
    if key is None:
        raise InvalidRequest(NO_KEY)
    push_id = PUSH_PREFIX + key.name[:32]
    push, replayed = keys.once(
        key,
        find=lambda _: _claim(call, push_id),
        create=lambda: _accepted(call, given, push_id=push_id, digest=key.digest),
        replay=lambda _: _known(call, push_id),
    )
    if not replayed:
        call.here.push_executions.start(push)
    return Reply(
        status=HTTPStatus.OK if push.status.has_ended else HTTPStatus.ACCEPTED,
        model=push_out(push),
        headers={"Location": f"/v1/pushes/{push_id}"} | headers.replayed(known=replayed),
    )


def read(call: Call, push_id: str) -> Reply:
    """One push with its events."""
    only(call)
    return Reply(status=HTTPStatus.OK, model=push_out(_known(call, plausible(push_id))))


def _claim(call: Call, push_id: str) -> Claim | None:
    """What the key stands for that a push's id is made of: the push itself."""
    push = call.here.pushes.get(push_id)
    return Claim(digest=push.digest, resource_id=push_id) if push else None


def _accepted(call: Call, given: PushIn, *, push_id: str, digest: str) -> Push:
    """The push, once its records and then itself are kept.

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
    datasets = connection.datasets or DATASETS[connection.provider]
    if given.dataset not in datasets:
        raise InvalidRequest(f"This connection's datasets are: {', '.join(datasets)}.")
    return connection


def _known(call: Call, push_id: str) -> Push:
    push = call.here.pushes.get(push_id)
    if push is None or push.tenant != call.tenant:
        raise NotFound
    return _looked_at_again(call, push)


def _looked_at_again(call: Call, push: Push) -> Push:
    """The push, given to another execution if it is worth another look."""
    again = reopen(push, at=call.here.clock())
    if again is None:
        return push
    try:
        call.here.pushes.save(again, seen=push.version)
    except Superseded:
        return push  # by another reader, or a webhook
    call.here.push_executions.start(again)
    return again
