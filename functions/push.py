"""Door: carries a push on by one call. Event and answer: a PushTicket.

The stored push holds every step, so a repeated call does only what is left to do. A ticket with
an ``error`` comes from an execution that cannot go on: the door ends its push, unless another
execution has gone on with it. Where the push has failed, the door raises the push's own error,
so that the execution fails under that name.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec.structs import replace

from functions.aws.boundary import read, step
from functions.aws.telemetry import count
from functions.core.contract import FAULTS, PushTicket, PushTicketOutcome
from functions.core.errors import NotFound, Superseded, find_error
from functions.core.push.advance import advance, end, is_overtaken, to_ticket
from functions.core.push.model import push_id_of
from functions.core.push.ports import PushPorts
from functions.wiring.providers import connector, time_left
from functions.wiring.services import prepare, wiring

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.core.push.model import Push
    from functions.core.push.ports import Pusher

prepare(lambda here: (here.connections, here.insisting_pushes, here.push_contents, here.secrets))


@step
def handler(event: object, context: LambdaContext) -> Any:  # noqa: ANN401 - JSON
    """Go on with the push, or end it."""
    asked = read(event, PushTicket)
    push = wiring().insisting_pushes.get(push_id_of(asked.push_id))
    if asked.error is not None:
        return msgspec.to_builtins(_end(asked, push))
    if push is None:
        raise NotFound
    # The ticket keeps the execution's own name, also where another goes on with the push.
    return msgspec.to_builtins(
        replace(_advance(push, left=time_left(wiring(), context)), push_id=asked.push_id)
    )


def _advance(push: Push, *, left: Callable[[], float]) -> PushTicket:
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


def _end(asked: PushTicket, push: Push | None) -> PushTicket:
    """End the push of an execution that cannot go on, unless another has gone on with it.

    Nothing is raised for an execution that has ended already (``aborted``).
    """
    told, aborted = asked, asked.outcome is PushTicketOutcome.ABORTED
    if push is not None:
        ended = push
        if not is_overtaken(push, asked):
            cause, at = find_error(asked.error), wiring().clock()
            ended = end(
                push,
                cause,
                pushes=wiring().insisting_pushes,
                contents=wiring().push_contents,
                at=at,
            )
        if ended.action is not None and not (aborted and ended is push):
            count(FAULTS, action=ended.action)
        told = to_ticket(ended)
    if told.error is not None and not aborted:
        raise find_error(told.error)
    return told


def _forget(push: Push) -> None:
    """Delete what is left of a push whose connection was erased before the index listed it."""
    wiring().push_contents.delete(push)
    wiring().insisting_pushes.delete(push.push_id)
