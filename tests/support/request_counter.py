"""Where requests for one connection come in, over fakes, as the API's route takes them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from functions.core.contract import Outcome, RefreshOptions, RefreshRequest
from functions.core.errors import Busy
from functions.core.idempotency import Answered, Key, digest, name, once
from functions.core.model import Status
from functions.core.reconcile import Execution, reconcile
from functions.core.refresh.admission import admit
from functions.core.refresh.steps import Admission, failed
from tests.support.fakes.idempotency import Keys
from tests.support.fakes.stores import Clock, Tables
from tests.support.interleaving import Watched
from tests.support.scripted_connector import CONNECTION, DATASETS, TENANT, stocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.errors import FreshetError
    from functions.core.model import Refresh


def nothing() -> None:
    """What most requests meet on their way."""


class Counter:
    """Gives each request an id of its own. ``started`` are the executions, by their names.

    ``refuses`` is how many of the next starts are refused.
    """

    def __init__(self, *, refuses: int = 0) -> None:
        self.refuses = refuses
        self.clock, self.tables = Clock(), Tables()
        self.connections, self.refreshes = stocked(self.tables, self.clock)
        self.keys = Keys(self.tables)
        self.started: set[str] = set()
        self._numbers = count(1)

    def ask(
        self,
        key: str = "k",
        *,
        new: str = "",
        tenant: str = TENANT,
        found: Callable[[], object] = nothing,
        told: Callable[[], object] = nothing,
        **asked: object,
    ) -> Answered:
        """A request; ``found`` is called when it is admitted, ``told`` at each step."""
        options = msgspec.convert({"connection_id": CONNECTION} | asked, RefreshOptions)
        new = new or f"ref_{next(self._numbers)}"
        named = Key(name=name(tenant, key), digest=digest(options))
        stores: dict[str, Any] = {
            "connections": Watched(self.connections, told),
            "refreshes": Watched(self.refreshes, told),
        }

        def admitted() -> Admission:
            admission = admit(
                RefreshRequest(**msgspec.structs.asdict(options)),
                refresh_id=new,
                at=self.clock(),
                datasets=DATASETS,
                tenant=tenant,
                key=named,
                **stores,
            )
            found()
            return admission

        keys: Any = Watched(self.keys, told)
        answered = once(named, new, keys=keys, at=self.clock(), admitted=admitted)
        if answered.admission.outcome is Outcome.RUNNING:
            self._start(answered.admission.refresh_id)
        return answered

    def end(self, refresh_id: str, error: type[FreshetError] = Busy) -> Refresh:
        """A refresh fails."""
        refresh = self.refreshes.get(refresh_id)
        assert refresh is not None
        ended = failed(refresh, error, at=self.clock())
        self.refreshes.save(ended, seen=refresh.version)
        self.refreshes.release(ended)
        return ended

    def look_after(self) -> None:
        """The reconciler looks at what is open."""
        for refresh in list(self.tables.refreshes.values()):
            if not refresh.status.ended:
                reconcile(refresh, executions=self, end=_never, at=self.clock())

    def look(self, name: str) -> Execution | None:
        return Execution("RUNNING") if name in self.started else None

    def start(self, refresh: Refresh) -> bool:
        if self.refuses:
            self.refuses -= 1
            return False
        self.started.add(refresh.refresh_id)
        return True

    def _start(self, refresh_id: str) -> None:
        refresh = self.refreshes.get(refresh_id)
        if refresh is not None and refresh.status is Status.ADMITTED:
            self.start(refresh)


def _never(ticket: object) -> None:
    raise AssertionError(ticket)
