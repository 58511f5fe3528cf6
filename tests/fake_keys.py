"""In-memory idempotency keys, and the refreshes in their order; see ``fakes.py``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from functions.core.history import Place
from functions.core.keys import KEY_SECONDS
from functions.core.model import iso

if TYPE_CHECKING:
    from functions.core.history import Line
    from functions.core.keys import Claim
    from functions.core.model import Refresh
    from tests.fakes import Tables


class Keys:
    """Fake of ``KeyTable``."""

    def __init__(self, tables: Tables) -> None:
        self._lock = tables.lock
        self._kept: dict[str, tuple[Claim, float]] = {}

    def claim(self, name: str, claim: Claim, *, at: float) -> Claim:
        with self._lock:
            kept, until = self._kept.get(name, (None, 0.0))
            if kept is not None and until >= at:
                return kept
            return self._keep(name, claim, at=at)

    def settle(self, name: str, claim: Claim, *, at: float) -> Claim:
        with self._lock:
            kept, _ = self._kept.get(name, (claim, 0.0))
            return kept if kept.answer else self._keep(name, claim, at=at)

    def _keep(self, name: str, claim: Claim, *, at: float) -> Claim:
        self._kept[name] = (claim, at + KEY_SECONDS)
        return claim


class History:
    """Fake of ``RefreshHistory``. ``read`` counts the refreshes that it has given."""

    def __init__(self, tables: Tables) -> None:
        self._stored = tables.refreshes
        self.read = 0

    def of_tenant(self, tenant: str) -> Line:
        return partial(self._page, "tenant", tenant)

    def of_connection(self, connection_id: str) -> Line:
        return partial(self._page, "connection_id", connection_id)

    def _page(
        self, name: str, owner: str, *, limit: int, after: Place | None
    ) -> tuple[list[Refresh], Place | None]:
        own = [one for one in self._stored.values() if getattr(one, name) == owner]
        line = sorted(own, key=_order, reverse=True)
        if after is not None:
            line = [one for one in line if _order(one) < (after.requested_at, after.refresh_id)]
        page = line[:limit]
        self.read += len(page)
        return page, Place(*_order(page[-1])) if len(line) > limit else None


def _order(refresh: Refresh) -> tuple[str, str]:
    return iso(refresh.requested_at), refresh.refresh_id
