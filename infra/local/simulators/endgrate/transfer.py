"""A transfer: triggered, waiting for its session's configuration, running, completed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.local.simulators.endgrate.bodies import Pull
from infra.local.simulators.endgrate.outcome import BATCH, Outcome, Returned
from infra.local.simulators.endgrate.providers import Method, integration_info

if TYPE_CHECKING:
    from infra.local.simulators.endgrate.bodies import Push
    from infra.local.simulators.endgrate.resources import Resource
    from infra.local.simulators.endgrate.session import Session

_INSTANT = 0.001
_NOTHING_YET = Outcome(Returned(), (), attempted=0)


@dataclass(slots=True, eq=False)
class Transfer:
    """One transfer.

    Attributes:
        resource: as it was when the transfer was triggered.
        initiated: when it was triggered, in seconds since 1970; likewise `started` and `ends`.
        outcome: what comes of it; nobody sees it before it is completed.
    """

    id: str
    session: Session
    asked: Pull | Push
    resource: Resource
    initiated: float
    started: float | None = None
    ends: float | None = None
    outcome: Outcome | None = None
    completed: bool = False

    @property
    def method(self) -> Method:
        """Which way it goes."""
        return Method.IMPORT if isinstance(self.asked, Pull) else Method.EXPORT

    @property
    def size(self) -> int | None:
        """How many records it is about; None while nobody knows."""
        if not isinstance(self.asked, Pull):
            return len(self.asked.transfer_data)
        return self.outcome.attempted if self.outcome else None

    def endgrate(self) -> dict[str, object]:
        """What the entries of the error log say about provider and integration."""
        provider = self.session.provider
        return {
            "provider_info": provider.info() if provider else {},
            "integration_info": integration_info(self.resource, self.method),
        }

    def statistics(self, now: float) -> dict[str, object]:
        """How far it has come, batch by batch, as `GET /api/statistics` shows it."""
        outcome, provider = self.outcome or _NOTHING_YET, self.session.provider
        done = self._batches_done(outcome, now)
        failed = min(outcome.failed_batches, done)
        moved = min(done * BATCH, outcome.attempted) - len(outcome.troubles) * (done > 0)
        return {
            "batch_size": BATCH,
            "records": outcome.attempted,
            "batches": outcome.batches,
            "batches_queued": outcome.batches - done,
            "batches_success": done - failed,
            "batches_fail": failed,
            "records_transferred": max(moved, 0),
            "completed": self.completed,
            "provider": provider.name if provider else "",
            "integration": str(integration_info(self.resource, self.method)["name"]),
        }

    def _batches_done(self, outcome: Outcome, now: float) -> int:
        if self.completed or self.started is None or self.ends is None:
            return outcome.batches if self.completed else 0
        part = (now - self.started) / max(self.ends - self.started, _INSTANT)
        return int(outcome.batches * min(part, 1.0))
