"""A refresh from its admission to its end, as the state machine takes it through the doors.

No one waits: where a worker would, the clock that the provider shares with us is put ahead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from functions.core.contract import (
    MAX_LOOKS,
    PAYLOAD_VERSION,
    RefreshRequest,
    Ticket,
    TicketOutcome,
)
from functions.core.errors import FetchWaits, FreshetError
from functions.core.freshness.assess import assess, read_known
from functions.core.model import Status
from functions.core.refresh.admission import admit
from functions.core.refresh.check import check
from functions.core.refresh.conclude import conclude
from functions.core.refresh.fetch import fetch, publish, read_published
from functions.core.refresh.ports import AdmissionPorts
from functions.core.refresh.trigger import trigger
from tests.support.fakes.files import Snapshots, Staging
from tests.support.fakes.idempotency import Keys
from tests.support.fakes.stores import Refreshes
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.scripted_connector import CONNECTION, REFRESH, fetch_ports, step_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.freshness.assess import Freshness
    from functions.core.model import Connection, Manifest, Refresh
    from functions.core.refresh.admission import RefreshOutcome
    from tests.support.providers.case import ProviderCase
    from tests.support.providers.simulated import Simulated

DEADLINE_SECONDS = 120
LOOKS = tuple(number / 2 for number in range(MAX_LOOKS))


class RefreshDriver:
    """One refresh. Right before a verb is called first, something strikes."""

    def __init__(
        self,
        case: ProviderCase,
        simulated: Simulated,
        *,
        user: str,
        verb: str,
        strike: Callable[[ConnectorHarness, str], None],
    ) -> None:
        self.one = ConnectorHarness(case, simulated, user=user, sleep=self._later)
        self.clock, self.waited = simulated.clock, 0.0
        self._verb, self._strike = verb, strike
        self._struck = False
        self._refreshes = Refreshes(self.one.tables)

    @property
    def connection(self) -> Connection:
        connection = self.one.connections.get(CONNECTION)
        assert connection is not None
        return connection

    @property
    def refresh(self) -> Refresh:
        refresh = self._refreshes.get(REFRESH)
        assert refresh is not None
        return refresh

    def run(self) -> None:
        """Take it to its end."""
        self._admit()
        ticket = Ticket(
            v=PAYLOAD_VERSION,
            outcome=TicketOutcome.LATER,
            refresh_id=REFRESH,
            connection_id=CONNECTION,
        )
        while not self.refresh.status.has_ended:
            self._later(ticket.wait_seconds)
            if ticket.outcome is not TicketOutcome.RUNNING:
                ticket = replace(ticket, wait_seconds=0)
            try:
                ticket = self._step(ticket)
            except FetchWaits as signal:
                ticket = replace(ticket, resumed=True, wait_seconds=int(str(signal)))
            except FreshetError as error:
                ticket = replace(ticket, outcome=TicketOutcome.FAILED, error=error.name())

    def ids(self) -> dict[str, list[str]]:
        """The ids of each dataset's records as they were published."""
        return {name: [id_ for _, id_ in marks] for name, marks in self.marks().items()}

    def marks(self) -> dict[str, list[tuple[str, str]]]:
        """Each dataset's records as they were published, by part and id."""
        return {
            name: [
                (line.part, line.id) for line in self.one.objects.lines(dataset) if not line.deleted
            ]
            for name, dataset in self.manifest.datasets.items()
        }

    @property
    def manifest(self) -> Manifest:
        """The published manifest."""
        pointer = self.connection.snapshot
        assert pointer is not None
        return Snapshots(self.one.objects).manifest(pointer)

    def assess(self) -> Freshness:
        """How fresh the connection is, as its caller is told."""
        known = read_known(
            self.connection,
            latest=lambda **_: ([self.refresh], None),
            refreshes=self._refreshes,
            snapshots=Snapshots(self.one.objects),
            at=self.clock(),
        )
        return assess(known, at=self.clock())

    @property
    def told(self) -> str:
        """What the user sees: how it ended, and by how many whole seconds that took longer."""
        if self.refresh.status is Status.FAILED:
            return f"failed `{self.refresh.error}`"
        late = int(self.waited)
        return self.refresh.status + (f" {late} s later" if late else "")

    def ask_again(self) -> RefreshOutcome:
        """What becomes of a request, a second later, for data that is no older than now."""
        self._later(1)
        return self._admit(refresh_id=f"{REFRESH}+", max_age_seconds=0)

    def _admit(self, *, refresh_id: str = REFRESH, **options: Any) -> RefreshOutcome:
        asked = {"deadline_seconds": DEADLINE_SECONDS, **options}
        return admit(
            RefreshRequest(connection_id=CONNECTION, **asked),
            refresh_id=refresh_id,
            at=self.clock(),
            ports=AdmissionPorts(
                connections=self.one.connections,
                refreshes=self._refreshes,
                keys=Keys(self.one.tables),
                datasets={self.connection.provider: self.one.datasets},
            ),
        ).outcome

    def _step(self, ticket: Ticket) -> Ticket:
        match ticket.outcome:
            case TicketOutcome.LATER:
                return self._trigger()
            case TicketOutcome.RUNNING:
                return self._check(ticket)
            case TicketOutcome.READY:
                return self._fetch(ticket)
            case _:
                conclude(ticket, refreshes=self._refreshes, clock=self.clock)
                return ticket

    def _trigger(self) -> Ticket:
        """Trigger; the providers here are done soon, and that is known of them."""
        self._happens("trigger")
        ticket = trigger(self.refresh, self._ports(), credentials=self.one.connections, others=())
        return replace(ticket, looks=LOOKS)

    def _check(self, ticket: Ticket) -> Ticket:
        self._happens("check")
        looked = check(ticket, self._ports())
        waits = looked.outcome in {TicketOutcome.RUNNING, TicketOutcome.LATER}
        return looked if waits else replace(looked, wait_seconds=0)

    def _fetch(self, ticket: Ticket) -> Ticket:
        self._happens("fetch")
        staging = Staging(self.one.objects, connection_id=CONNECTION, refresh_id=REFRESH)
        snapshots = Snapshots(self.one.objects)
        before = read_published(self.connection, snapshots)
        ports = self._ports(staging=staging, snapshots=snapshots)
        fetch(ticket, self.refresh, ports, before=before)
        publish(ticket, self.refresh, ports, before=before)
        return ticket

    def _ports(self, **more: Any) -> Any:
        return (fetch_ports if more else step_ports)(
            self.one.connector,
            self._refreshes,
            clock=self.clock,
            connection=self.connection,
            sleep=self._later,
            **more,
        )

    def _happens(self, verb: str) -> None:
        if verb == ("fetch" if self._verb == "page" else self._verb) and not self._struck:
            self._struck = True
            self._strike(self.one, self._verb)

    def _later(self, seconds: float) -> None:
        self.waited += seconds
        self.one.simulated.later(seconds)
