"""Door: starts or ends what no running execution brings to its end, see ``core.reconcile``.

Called by the clock once a minute, with any event. A test calls it the same way: the stack's output
``ReconcileName`` is the function's name, and what is due is looked after when the call returns;
what is ended is ended by another door's call soon after.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from functions.aws.boundary import door
from functions.aws.telemetry import count
from functions.core.contract import Variable
from functions.core.errors import FreshetError, PlatformFault
from functions.core.reconcile import LOOK_SECONDS, Open, next_look, reconcile
from functions.wiring.services import wiring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.aws.executions import Executions
    from functions.aws.tables.open_items import Due, OpenItems

MOST: Final = 100
"""How many things of a kind one call looks at; what is left comes first the next time. Step
Functions lets an account look at 600 executions a minute in the smaller regions."""

MARGIN_SECONDS: Final = 15
"""A call that has no more left than this leaves the rest to the next one."""


class _Kind(NamedTuple):
    """One kind of what may be open: where it is listed, kept, and carried out."""

    name: str
    items: OpenItems
    get: Callable[[str], Open | None]
    key: str
    executions: Executions


@door
def handler(_event: object, context: LambdaContext) -> None:
    """Start or end what is due and has no execution that runs; the longest overdue first.

    One that cannot be looked after (it cannot be read, AWS refuses an access) keeps no other from
    its turn: it is put off, and the call fails for it at its end. Where AWS falters, it ends there.
    """
    broken: FreshetError | None = None
    for kind, due in _all_due(context):
        try:
            _look_after({"kind": kind, "due": due, kind.key: due.key[kind.key]}, context)
        except PlatformFault:
            raise
        except FreshetError as error:
            broken = broken or error
            kind.items.postpone(due, until=wiring().clock() + LOOK_SECONDS)
    if broken is not None:
        raise broken


def _all_due(context: LambdaContext) -> Iterator[tuple[_Kind, Due]]:
    """What is due of every kind, until the call is at its end."""
    for kind in _kinds():
        for due in kind.items.due(at=wiring().clock(), most=MOST):
            if context.get_remaining_time_in_millis() < MARGIN_SECONDS * 1000:
                return
            yield kind, due


@door
def _look_after(one: dict[str, Any], _context: LambdaContext) -> None:
    kind, due = one["kind"], one["due"]
    at, thing = wiring().clock(), kind.get(one[kind.key])
    later = next_look(thing, at=at) if thing else None
    if thing is None or later is None or not kind.items.postpone(due, until=later):
        return  # it has ended, or another call looks after it
    done = reconcile(thing, executions=kind.executions, end=wiring().endings.end, at=at)
    if done is not None:
        count("Reconciled", kind=kind.name, done=done)


@cache
def _kinds() -> tuple[_Kind, ...]:
    here = wiring()
    return (
        _Kind(
            name="refresh",
            items=here.open_items(Variable.REFRESHES_TABLE),
            get=here.refreshes.get,
            key="refresh_id",
            executions=here.executions,
        ),
        _Kind(
            name="push",
            items=here.open_items(Variable.PUSHES_TABLE),
            get=here.pushes.get,
            key="push_id",
            executions=here.push_executions,
        ),
        _Kind(
            name="bulk",
            items=here.open_items(Variable.BULKS_TABLE),
            get=here.bulk_runs.get,
            key="bulk_id",
            executions=here.bulk_executions,
        ),
    )
