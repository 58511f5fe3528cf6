"""A session of the Endgrate simulator, through the connector's verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from functions.connectors.endgrate import connector as endgrate
from functions.core.ports import Order
from tests.contract.provider_cases.endgrate import CASE, EndgrateSessions
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.scripted_connector import REFRESH

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.contract import Job
    from functions.core.model import Part
    from functions.core.ports import Looked
    from tests.support.providers.connector_harness import Read
    from tests.support.providers.simulated import Simulated

    Simulator = Callable[[str], Simulated]


def sessions_of(simulator: Simulator) -> EndgrateSessions:
    """The simulator at its beginning."""
    sessions = simulator("endgrate")
    assert isinstance(sessions, EndgrateSessions)
    return sessions


class EndgrateHarness(ConnectorHarness):
    """A session's connection; what is changed of it is said when the trial begins."""

    simulated: EndgrateSessions

    def __init__(
        self,
        sessions: EndgrateSessions,
        user: str = "fern",
        *,
        application: bytes | None = None,
        **changes: Any,
    ) -> None:
        super().__init__(CASE, sessions, user=user, application=application)
        self.connection = replace(self.connection, **changes)
        self.datasets = self.connection.datasets
        self.order = Order(datasets=self.datasets)

    @property
    def endgrate(self) -> endgrate.Endgrate:
        """The same connector with all that it can do."""
        connector = self.as_owner(REFRESH)
        assert isinstance(connector, endgrate.Endgrate)
        return connector

    def look(self, job: Job) -> Looked:
        return self.connector.check(self.connection, job, hold_seconds=0)

    def list_events(self, kind: str) -> list[dict[str, Any]]:
        """The simulator's own events of one kind."""
        return self.simulated.ledger(kind)

    def offsets(self) -> list[str]:
        """The offsets of the pages of data that were asked for."""
        rows = self.simulated.ledger()
        return [row["query"]["offset"] for row in rows if row["path"] == "/api/pull/data"]

    def count_requests(self, path: str) -> int:
        """The number of requests to an address."""
        return sum(row["path"] == path for row in self.simulated.ledger())


def parts(read: Read) -> dict[str, Part]:
    """The parts of a read by name."""
    return {part.part: part for part in read.manifest.parts}
