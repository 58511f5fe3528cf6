"""In-memory idempotency keys, and the refreshes in their order; see ``support.fakes.stores``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from functions.core.model import iso
from functions.core.refresh.history import Place

if TYPE_CHECKING:
    from functions.core.idempotency import Claim
    from functions.core.model import Refresh
    from functions.core.refresh.history import Line
    from tests.support.fakes.stores import Tables


class Keys:
    """Fake of ``KeyTable``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, name: str, *, at: float) -> Claim | None:
        return self._tables.claim(name, at=at)

    def claim(self, name: str, claim: Claim, *, at: float) -> Claim:
        with self._tables.lock:
            kept = self._tables.claim(name, at=at)
            if kept is None:
                self._tables.keep(name, claim, at=at)
            return kept or claim


class History:
    """Fake of the lists of ``RefreshTable``. ``read`` counts the refreshes that it has given."""

    def __init__(self, tables: Tables) -> None:
        self._stored = tables.refreshes
        self.read = 0

    def of_tenant(self, tenant: str) -> Line[Refresh]:
        return partial(self._page, "tenant", tenant)

    def of_connection(self, connection_id: str) -> Line[Refresh]:
        return partial(self._page, "connection_id", connection_id)

    def _page(
        self, name: str, owner: str, *, limit: int, after: Place | None
    ) -> tuple[list[Refresh], Place | None]:
        own = [one for one in self._stored.values() if getattr(one, name) == owner]
        line = sorted(own, key=_order, reverse=True)
        if after is not None:
            line = [one for one in line if _order(one) < (after.requested_at, after.id)]
        page = line[:limit]
        self.read += len(page)
        return page, Place(*_order(page[-1])) if len(line) > limit else None


def _order(refresh: Refresh) -> tuple[str, str]:
    return iso(refresh.requested_at), refresh.refresh_id
