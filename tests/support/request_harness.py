"""Requests for one connection over fakes, as the API's route takes them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from functions.core.contract import RefreshOptions, RefreshRequest
from functions.core.errors import Busy
from functions.core.idempotency import key_of, once
from functions.core.model import Status
from functions.core.reconcile import Execution, reconcile
from functions.core.refresh.admission import Admission, RefreshOutcome, admit, to_admission
from functions.core.refresh.ports import AdmissionPorts
from functions.core.refresh.steps import fail
from tests.support.fakes.idempotency import Keys
from tests.support.fakes.stores import Clock, Tables
from tests.support.interleaving import Watched
from tests.support.scripted_connector import CONNECTION, DATASETS, TENANT, stocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.errors import FreshetError
    from functions.core.idempotency import Claim
    from functions.core.model import Refresh


def nothing() -> None:
    """Do nothing between two steps."""


class Answered(NamedTuple):
    """An admission, and whether it was an earlier request's."""

    admission: Admission
    replayed: bool


class _Keys(Keys):
    """Calls ``found`` before it notes what was found."""

    def __init__(self, tables: Tables, *, found: Callable[[], object]) -> None:
        super().__init__(tables)
        self._found = found

    def claim(self, name: str, claim: Claim, *, at: float) -> Claim:
        self._found()
        return super().claim(name, claim, at=at)


class RequestHarness:
    """Gives each request an id of its own. ``started`` are the executions, by their names.

    ``refuses`` is how many of the next starts are refused.
    """

    def __init__(self, *, refuses: int = 0) -> None:
        self.refuses = refuses
        self.clock, self.tables = Clock(), Tables()
        self.connections, self.refreshes = stocked(self.tables, self.clock)
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
        """A request; ``found`` is called when its answer is found, ``told`` at each step."""
        options = msgspec.convert({"connection_id": CONNECTION} | asked, RefreshOptions)
        new = new or f"ref_{next(self._numbers)}"
        named, keys = key_of(key, tenant=tenant, body=options), _Keys(self.tables, found=found)
        watched: dict[str, Any] = {
            "connections": Watched(self.connections, told),
            "refreshes": Watched(self.refreshes, told),
            "keys": Watched(keys, told),
        }

        def create() -> Admission:
            admission = admit(
                RefreshRequest(**msgspec.structs.asdict(options)),
                refresh_id=new,
                at=self.clock(),
                ports=AdmissionPorts(datasets=DATASETS, **watched),
                tenant=tenant,
                key=named,
            )
            if admission.outcome is RefreshOutcome.STARTED:
                found()
            return admission

        admission, replayed = once(
            named,
            find=lambda key: watched["keys"].get(key.name, at=self.clock()),
            create=create,
            replay=to_admission,
        )
        if admission.outcome is RefreshOutcome.STARTED:
            self._start(admission.refresh_id)
        return Answered(admission, replayed)

    def end(self, refresh_id: str, error: type[FreshetError] = Busy) -> Refresh:
        """A refresh fails."""
        refresh = self.refreshes.get(refresh_id)
        assert refresh is not None
        ended = fail(refresh, error, at=self.clock())
        self.refreshes.save(ended, seen=refresh.version)
        self.refreshes.release(ended)
        return ended

    def look_after(self) -> None:
        """The reconciler looks at what is open."""
        for refresh in list(self.tables.refreshes.values()):
            if not refresh.status.has_ended:
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
