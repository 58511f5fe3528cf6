"""The limit on how often one tenant calls the API, independent of the others."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.boundary import setting
from functions.core.budget import BudgetLimit, PrefetchedTokens, SharedBudget
from functions.core.contract import Variable
from functions.core.errors import RateLimited, Throttled

if TYPE_CHECKING:
    from functions.wiring.services import Wiring

MOST_SHARE: Final = 10
"""No process takes more than this part of a tenant's burst in advance."""

TENANTS: Final = 1000
"""For how many tenants a process remembers the tokens that it has taken in advance."""


def throttle(here: Wiring, tenant: str) -> None:
    """Let a call of this tenant pass, or refuse it at once.

    Raises:
        Throttled: the stage's limit for a tenant is used up.
    """
    limit = _limit()
    if limit is None:
        return
    try:
        _allowance(here, tenant, limit).take()
    except RateLimited as fault:
        raise Throttled(wait_seconds=fault.wait_seconds) from None


@lru_cache(maxsize=TENANTS)
def _allowance(here: Wiring, tenant: str, limit: BudgetLimit) -> PrefetchedTokens:
    budget = SharedBudget(
        here.budget(f"tenant#{tenant}"),
        limit=lambda: limit,
        patience_seconds=0,
        clock=here.clock,
        sleep=here.sleep,
    )
    return PrefetchedTokens(budget, most=max(1, limit.burst // MOST_SHARE), clock=here.clock)


@cache
def _limit() -> BudgetLimit | None:
    return msgspec.json.decode(setting(Variable.TENANT_LIMIT), type=BudgetLimit | None)
