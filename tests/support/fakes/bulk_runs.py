"""In-memory ports of bulk runs, under the conditions of the adapters in ``functions.aws``.

``contract/store_bulks.py`` is one suite for both.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from functions.core.bulk.model import GOOD, BulkOptions, BulkOutcome, BulkRun, BulkStatus, Result
from functions.core.bulk.ports import BulkPorts, Listed
from functions.core.contract import Reason
from functions.core.errors import Superseded
from functions.core.idempotency import Claim
from functions.core.model import iso
from functions.core.refresh.history import Place
from tests.support.fakes.stores import Clock, Connections, Refreshes, Tables
from tests.support.scripted_connector import TENANT, TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from functions.core.idempotency import Key
    from functions.core.model import Connection
    from functions.core.refresh.history import Line

BULK = "blk_1"


class Bulks:
    """Fake of ``BulkTable``."""

    def __init__(self, tables: Tables | None = None) -> None:
        self._tables = tables or Tables()
        self.stored: dict[str, BulkRun] = {}
        self.places: dict[str, BulkRun] = {}
        self.results: dict[str, dict[str, Result]] = {}
        self._counts: dict[str, Counter[BulkOutcome]] = {}

    def get(self, bulk_id: str) -> BulkRun | None:
        return self.stored.get(bulk_id)

    def create(self, bulk: BulkRun, *, key: Key | None = None) -> str:
        with self._tables.lock:
            stored, holder = self.stored.get(bulk.bulk_id), self._holder(bulk)
            if stored == bulk:
                return bulk.bulk_id
            if stored is None and holder is not None:
                return holder
            noted = key and self._tables.claim(key.name, at=bulk.requested_at)
            if stored is not None or noted:
                raise Superseded
            self.stored[bulk.bulk_id] = bulk
            if bulk.occupies is not None:
                self.places[bulk.occupies] = bulk
            if key:
                claim = Claim(digest=key.digest, resource_id=bulk.bulk_id)
                self._tables.keep(key.name, claim, at=bulk.requested_at)
        return bulk.bulk_id

    def save(self, bulk: BulkRun, *, seen: BulkStatus) -> None:
        stored = self.stored.get(bulk.bulk_id)
        if stored is None or (stored.status is not seen and stored != bulk):
            raise Superseded
        self.stored[bulk.bulk_id] = bulk
        if bulk.occupies is not None and bulk.status.has_ended:
            holder = self.places.get(bulk.occupies)
            if holder and holder.bulk_id == bulk.bulk_id:
                del self.places[bulk.occupies]

    def _holder(self, bulk: BulkRun) -> str | None:
        """The run that holds the place, if it still does."""
        other = self.places.get(bulk.occupies or "")
        return other.bulk_id if other and other.open_until >= bulk.requested_at else None

    def of_tenant(self, tenant: str) -> Line[BulkRun]:
        return partial(self._page, tenant)

    def _page(
        self, tenant: str, *, limit: int, after: Place | None
    ) -> tuple[list[BulkRun], Place | None]:
        own = [one for one in self.stored.values() if one.tenant == tenant]
        line = sorted(own, key=_order, reverse=True)
        if after is not None:
            line = [one for one in line if _order(one) < (after.requested_at, after.id)]
        page = line[:limit]
        return page, Place(*_order(page[-1])) if len(line) > limit else None

    def counts(self, bulk_id: str) -> Counter[BulkOutcome]:
        return Counter(self._counts.get(bulk_id, {}))

    def find_recorded(self, bulk_id: str, ids: Sequence[str]) -> set[str]:
        return set(ids) & set(self.results.get(bulk_id, {}))

    def record(self, bulk: BulkRun, results: Iterable[Result]) -> None:
        there = self.results.setdefault(bulk.bulk_id, {})
        counts = self._counts.setdefault(bulk.bulk_id, Counter())
        for result in results:
            if result.connection_id not in there:
                there[result.connection_id] = result
                counts[result.outcome] += 1

    def failures(
        self, bulk_id: str, *, limit: int, after: str | None
    ) -> tuple[list[Result], str | None]:
        bad = [each for each in self.results.get(bulk_id, {}).values() if each.outcome not in GOOD]
        left = sorted(
            (each for each in bad if after is None or each.connection_id > after),
            key=lambda each: each.connection_id,
        )
        found = left[:limit]
        return found, found[-1].connection_id if len(left) > limit else None


def _order(bulk: BulkRun) -> tuple[str, str]:
    return iso(bulk.requested_at), bulk.bulk_id


class Lists:
    """Fake of ``BulkLists``."""

    def __init__(self) -> None:
        self.versions: list[list[str]] = []

    def write(self, bulk_id: str, ids: Iterable[str]) -> Listed:
        assert bulk_id
        self.versions.append(list(ids))
        return Listed(count=len(self.versions[-1]), version_id=str(len(self.versions) - 1))

    def read(self, bulk: BulkRun) -> Iterator[str]:
        yield from self.versions[int(bulk.version_id)] if bulk.listed else ()


class BulkHarness:
    """Everything that the door ``bulk`` decides over, with these connections in it."""

    def __init__(self, *connections: Connection) -> None:
        self.clock, self.tables = Clock(), Tables()
        self.connections = Connections(self.tables, clock=self.clock)
        for connection in connections:
            self.connections.create(connection, TOKENS)
        self.refreshes, self.stopped = Refreshes(self.tables), list[str]()
        self.bulks, self.lists = Bulks(self.tables), Lists()
        self.ports = BulkPorts(
            bulk_runs=self.bulks,
            lists=self.lists,
            connections=self.connections,
            refreshes=self.refreshes,
            stop=self.stopped.append,
            clock=self.clock,
        )

    @property
    def bulk(self) -> BulkRun:
        return self.bulks.stored[BULK]


def a_bulk(*, at: float, bulk_id: str = BULK, **changes: object) -> BulkRun:
    """A run over all connections of a tenant, which has just been kept."""
    fresh = BulkRun(
        bulk_id=bulk_id,
        tenant=TENANT,
        reason=Reason.API,
        options=BulkOptions(),
        requested_at=at,
    )
    return replace(fresh, **changes)
