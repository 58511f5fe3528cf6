"""Door: takes a push on, for one call. Event and answer: a PushTicket.

Every step of a push is in what is stored of it, so that whoever calls this door, and however
often, can only have it do what is left to do. A ticket with an ``error`` is of an execution that
cannot go on: its push is ended, unless it has gone on without it. Where the push has failed, the
door raises the push's own error, so that the execution fails under that name.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec.structs import replace

from functions.aws.boundary import step
from functions.aws.telemetry import count
from functions.core.contract import FAULTS, Outcome, PushTicket
from functions.core.errors import InvalidRequest, NotFound, Superseded, named
from functions.core.push.advance import advance, end, overtaken, ticket
from functions.core.push.model import id_of
from functions.core.push.ports import PushPorts
from functions.providers import connector, time_left
from functions.wiring import prepare, wiring

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.core.push.model import Push
    from functions.core.push.ports import Pusher


prepare(lambda here: (here.connections, here.insisting_pushes, here.push_contents, here.secrets))


@step
def handler(event: object, context: LambdaContext) -> Any:  # noqa: ANN401 - JSON
    """Go on with the push, or end it."""
    asked = _read(event)
    push = wiring().insisting_pushes.get(id_of(asked.push_id))
    if asked.error is not None:
        return msgspec.to_builtins(_ended(asked, push))
    if push is None:
        raise NotFound
    # Whatever becomes of the execution, its ticket keeps saying which one it is.
    return msgspec.to_builtins(
        replace(_advanced(push, left=time_left(wiring(), context)), push_id=asked.push_id)
    )


def _read(event: object) -> PushTicket:
    try:
        return msgspec.convert(event, PushTicket)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from None


def _advanced(push: Push, *, left: Callable[[], float]) -> PushTicket:
    here = wiring()
    connection = here.connections.get(push.connection_id)
    if connection is None:
        _forget(push)
        raise Superseded
    ports = PushPorts(
        connection=connection,
        pusher=cast("Pusher", connector(here, push.provider, owner=push.push_id, left=left)),
        pushes=wiring().insisting_pushes,
        contents=wiring().push_contents,
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
            cause, at = named(asked.error), wiring().clock()
            ended = end(
                push,
                cause,
                pushes=wiring().insisting_pushes,
                contents=wiring().push_contents,
                at=at,
            )
        if ended.acts is not None and not (aborted and ended is push):
            count(FAULTS, acts=ended.acts)
        told = ticket(ended)
    if told.error is not None and not aborted:
        raise named(told.error)
    return told


def _forget(push: Push) -> None:
    """Delete what is left of a push whose connection was erased before the index listed it."""
    wiring().push_contents.delete(push)
    wiring().insisting_pushes.delete(push.push_id)
