"""What the decisions about bulk runs need from outside, as protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from functions.core.contract import Clock
from functions.core.refresh.ports import Connections, Refreshes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from functions.core.bulk.model import BulkOutcome, BulkRun, BulkStatus, Result
    from functions.core.idempotency import Key
    from functions.core.model import Connection, Refresh


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A written list: how many ids it has, and its version."""

    count: int
    version_id: str


class BulkRuns(Protocol):
    """Stores runs and their outcomes. A write may be repeated after its answer was lost."""

    def get(self, bulk_id: str) -> BulkRun | None:
        """Read one with a consistent read; None when there is none."""

    def create(self, bulk: BulkRun, *, key: Key | None = None) -> str:
        """Keep a new one and give it its tenant's place, or return the run that has it.

        Args:
            key: is noted as answered by this run, where it is kept.

        Returns:
            The id of the run that has the place, until it is saved as ended or its time is over:
            this one's, or another's. A run that takes no place is always kept.

        Raises:
            Superseded: the id is another run's, or the key is noted already.
        """

    def save(self, bulk: BulkRun, *, seen: BulkStatus) -> None:
        """Write the run where its stored status is still ``seen``.

        One that has ended gives its tenant's place back in the same write.

        Raises:
            Superseded: another writer was faster.
        """

    def counts(self, bulk_id: str) -> Mapping[BulkOutcome, int]:
        """Count the connections by outcome so far; outcomes of none are left out."""

    def find_recorded(self, bulk_id: str, ids: Sequence[str]) -> set[str]:
        """Find which of these connections have an outcome already."""

    def record(self, bulk: BulkRun, results: Iterable[Result]) -> None:
        """Write the outcomes of connections that have none, and count them."""

    def failures(
        self, bulk_id: str, *, limit: int, after: str | None
    ) -> tuple[list[Result], str | None]:
        """Read outcomes that are not good, by connection, and the connection to go on after."""


class BulkLists(Protocol):
    """Stores the lists that the state machine goes through."""

    def write(self, bulk_id: str, ids: Iterable[str]) -> Listed:
        """Write a list, however long, in bounded memory."""

    def read(self, bulk: BulkRun) -> Iterator[str]:
        """Read a run's list, one by one."""


class ManyConnections(Connections, Protocol):
    """Connections, which can be listed, too."""

    def of_tenant(self, tenant: str | None) -> Iterator[Connection]:
        """A tenant's connections, or all, one by one."""


class ManyRefreshes(Refreshes, Protocol):
    """Refreshes, which can be read in bulk, too."""

    def get_many(self, ids: Collection[str]) -> list[Refresh]:
        """Read those of these ids, 100 at most, that exist, with a consistent read."""


class BulkPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run needs from outside."""

    bulk_runs: BulkRuns
    lists: BulkLists
    connections: ManyConnections
    refreshes: ManyRefreshes
    stop: Callable[[str], None]
    """Stops the execution of a refresh; one that has ended, or never began, is left."""
    clock: Clock
