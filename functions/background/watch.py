"""Door: looks at the watches that are due, and measures all, see ``core.freshness.objectives``.

Called by the clock: once a minute, with any event, to look; once an hour, with
``{"measure": true}``, to measure. A test calls it the same way: the stack's output ``WatchName`` is
the function's name, and what is due is looked at when the call returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.aws.boundary import door
from functions.aws.events.objectives import tenant_of
from functions.aws.tables.dynamodb import MAX_BATCH
from functions.aws.telemetry import tell
from functions.core.contract import AGE_SECONDS, BREACHED, WITH_OBJECTIVE, Variable
from functions.core.errors import FreshetError, PlatformFault
from functions.core.freshness.assess import assess
from functions.core.freshness.measure import measure
from functions.core.freshness.objectives import read_due, spread, update_watch
from functions.wiring.services import wiring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.aws.tables.open_items import Due
    from functions.core.freshness.assess import Freshness
    from functions.core.model import Connection

MOST: Final = 5000
"""How many items a call looks at; what is left comes first the next time. Each publication marks
one, and a run over many connections publishes dozens a second."""

LOOKING_SECONDS: Final = 50
"""How long a call goes on: the next one comes after a minute."""

SPREADING_SECONDS: Final = 20
"""How long of it a call spreads the objectives of tenants: one that has many connections must not
keep the watches of all others from their turn."""

AGAIN_SECONDS: Final = 5 * 60
"""After so long a watch is looked at again that could not be looked at."""


@door
def handler(event: Any, context: LambdaContext) -> None:  # noqa: ANN401 - any event
    """Look at what is due, or measure all.

    A watch, or a tenant, that cannot be looked at keeps no other from its turn: it is put off, and
    the call fails for it at its end. Where AWS falters, it ends there.
    """
    if isinstance(event, dict) and event.get("measure"):
        return _measure()
    here, broken = wiring(), None
    items = here.open_items(Variable.OBJECTIVES_TABLE)
    for due, one in _all_due(items.due(at=here.clock(), most=MOST)):
        try:
            _look_after(one, context)
        except PlatformFault:
            raise
        except FreshetError as error:
            broken = broken or error
            items.postpone(due, until=here.clock() + AGAIN_SECONDS)
    if broken is not None:
        raise broken
    return None


def _all_due(listed: list[Due]) -> Iterator[tuple[Due, dict[str, Any]]]:
    """What is due, until the call is at its end; the objectives of tenants come first."""
    here = wiring()
    began = here.clock()
    until = began + LOOKING_SECONDS
    for due in listed:
        if tenant := tenant_of(due.key):
            yield due, {"tenant": tenant, "until": began + SPREADING_SECONDS}
    watches = {due.key["objective_of"]: due for due in listed if not tenant_of(due.key)}
    ids = list(watches)
    for start in range(0, len(ids), MAX_BATCH):
        some = ids[start : start + MAX_BATCH]
        for seen in read_due(some, here.objectives, here.connections, at=here.clock()):
            if here.clock() > until:
                return
            id_ = seen.watch.connection_id
            yield watches[id_], {"connection_id": id_, "seen": seen}


@door
def _look_after(one: dict[str, Any], _context: LambdaContext) -> None:
    here = wiring()
    if "seen" in one:
        update_watch(one["seen"], here.objectives, explain=_explain, at=here.clock())
    else:
        _spread(one["tenant"], until=one["until"])


def _spread(tenant: str, *, until: float) -> None:
    here = wiring()
    objective = here.objectives.of_tenant(tenant)
    while objective and objective.look_at and here.clock() < until:
        objective = spread(objective, here.objectives, here.connections, at=here.clock())


def _explain(connection: Connection, max_age_seconds: int) -> Freshness:
    here = wiring()
    at = here.clock()
    return assess(here.known(connection, at=at), at=at, max_age_seconds=max_age_seconds)


def _measure() -> None:
    here = wiring()
    found = measure(here.objectives.all_watches(), at=here.clock())
    for provider, one in found.items():
        counts = {WITH_OBJECTIVE: one.watches, BREACHED: one.breached}
        tell(counts=counts, seconds={AGE_SECONDS: one.sample_ages()}, provider=provider)
    tell(
        counts={
            WITH_OBJECTIVE: sum(one.watches for one in found.values()),
            BREACHED: sum(one.breached for one in found.values()),
        }
    )
