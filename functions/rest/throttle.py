"""How often a tenant may call the API, whatever the other tenants do."""

from __future__ import annotations

from functools import cache

import msgspec

from functions.aws.runtime import runtime, setting
from functions.core.budget import Limit, SharedBudget
from functions.core.contract import Variable
from functions.core.errors import RateLimited, Throttled


def throttle(tenant: str) -> None:
    """Let a call of this tenant's pass; nobody is kept waiting.

    Raises:
        Throttled: the stage's limit for a tenant is used up.
    """
    limit = _limit()
    if limit is None:
        return
    here = runtime()
    budget = SharedBudget(
        here.budget(f"tenant#{tenant}"),
        limit=lambda: limit,
        patience_seconds=0,
        clock=here.clock,
        sleep=here.sleep,
    )
    try:
        budget.take()
    except RateLimited as fault:
        raise Throttled(wait_seconds=fault.wait_seconds) from None


@cache
def _limit() -> Limit | None:
    return msgspec.json.decode(setting(Variable.TENANT_LIMIT), type=Limit | None)
