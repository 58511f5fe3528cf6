"""Door: takes a push on, for one call. Event and answer: a PushTicket.

Every step of a push is in what is stored of it, so that whoever calls this door, and however
often, can only have it do what is left to do. A ticket with an ``error`` is of an execution that
cannot go on: its push is ended, unless it has gone on without it. Where the push has failed, the
door raises the push's own error, so that the execution fails under that name.
"""

from __future__ import annotations

import secrets
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec.structs import replace

from functions.aws.runtime import count, runtime, setting, step
from functions.aws.tables.dynamodb import insisting
from functions.aws.tables.pushes import PushContents
from functions.core.contract import FAULTS, Outcome, PushTicket, Variable
from functions.core.errors import InvalidRequest, NotFound, Superseded, named
from functions.core.push.advance import advance, end, overtaken, ticket
from functions.core.push.model import id_of
from functions.core.push.ports import PushPorts
from functions.providers import connector, time_left

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.aws.tables.pushes import PushTable
    from functions.core.push.model import Push
    from functions.core.push.ports import Pusher


@cache
def _contents() -> PushContents:
    return PushContents(runtime().s3(), bucket=setting(Variable.BUCKET))


@cache
def _pushes() -> PushTable:
    """A push whose provider has answered is of unknown outcome where that cannot be written."""
    return runtime().pushes(gaps=insisting)


@step
def handler(event: object, context: LambdaContext) -> Any:  # noqa: ANN401 - JSON
    """Go on with the push, or end it."""
    asked = _read(event)
    push = _pushes().get(id_of(asked.push_id))
    if asked.error is not None:
        return msgspec.to_builtins(_ended(asked, push))
    if push is None:
        raise NotFound
    # Whatever becomes of the execution, its ticket keeps saying which one it is.
    return msgspec.to_builtins(
        replace(_advanced(push, left=time_left(context)), push_id=asked.push_id)
    )


def _read(event: object) -> PushTicket:
    try:
        return msgspec.convert(event, PushTicket)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from None


def _advanced(push: Push, *, left: Callable[[], float]) -> PushTicket:
    here = runtime()
    connection = here.connections.get(push.connection_id)
    if connection is None:
        _forget(push)
        raise Superseded
    ports = PushPorts(
        connection=connection,
        pusher=cast("Pusher", connector(push.provider, owner=push.push_id, left=left)),
        pushes=_pushes(),
        contents=_contents(),
        token=lambda: secrets.token_urlsafe(32),
        clock=here.clock,
        sleep=here.sleep,
    )
    return advance(push, ports)


def _ended(asked: PushTicket, push: Push | None) -> PushTicket:
    """End the push of an execution that cannot go on, unless it has gone on without it.

    Nothing is raised for an execution that has ended already (``aborted``).
    """
    told, aborted = asked, asked.outcome is Outcome.ABORTED
    if push is not None:
        ended = push
        if not overtaken(push, asked):
            cause, at = named(asked.error), runtime().clock()
            ended = end(push, cause, pushes=_pushes(), contents=_contents(), at=at)
        if ended.acts is not None and not (aborted and ended is push):
            count(FAULTS, acts=ended.acts)
        told = ticket(ended)
    if told.error is not None and not aborted:
        raise named(told.error)
    return told


def _forget(push: Push) -> None:
    """Delete what is left of a push whose connection was erased before the index listed it."""
    _contents().delete(push)
    _pushes().delete(push.push_id)
