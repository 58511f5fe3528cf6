"""A refresh whose job is done, with what a fetch of it needs, for the tests of door 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from functions.core.contract import TicketOutcome
from functions.core.errors import ProviderPaused, ProviderUnavailable
from functions.core.model import Part, PartState
from functions.core.refresh.fetch import fetch, publish, read_published
from tests.support.fakes.files import Objects, Snapshots, Staging
from tests.support.fakes.stores import Clock, Tables
from tests.support.scripted_connector import (
    CONNECTION,
    DATASETS,
    REFRESH,
    Scripted,
    a_page,
    a_refresh,
    a_ticket,
    fetch_ports,
    stocked,
)

if TYPE_CHECKING:
    from functions.core.errors import FreshetError
    from functions.core.model import Connection, Dataset, Manifest, Refresh
    from functions.core.ports import Page
    from functions.core.refresh.ports import FetchPorts

PARTS = (
    Part(part="checking", state=PartState.FRESH, as_of=1_800_000_000),
    Part(part="savings", state=PartState.STALE, as_of=1_700_000_000),
    Part(part="closed", state=PartState.GONE),
)
PAGES = (
    a_page("checking", "savings", dataset="accounts", parts=PARTS),
    a_page("t1", "t2", part="checking", deletions=["t0"]),
    a_page("t2", "t3", part="checking"),
    a_page("t1", part="savings"),
)
AWAY = ProviderUnavailable()
PAUSED = ProviderPaused(wait_seconds=10_000)
PAUSED.instead = PAGES[-1]


class FetchHarness:
    """A refresh whose job is done, and the stores around it."""

    def __init__(self, *faults: tuple[int, FreshetError], pages: tuple[Page, ...] = PAGES) -> None:
        self.clock, self.objects = Clock(), Objects()
        self.connections, self.refreshes = stocked(Tables(), self.clock)
        self.connector = Scripted(self.clock, pages=pages, faults=faults)
        self.ticket = a_ticket(
            at=self.clock(), outcome=TicketOutcome.READY, noticed_at=self.clock()
        )
        self.snapshots = Snapshots(self.objects)
        self.before: Manifest | None = None
        self.admit(REFRESH)

    def admit(self, refresh_id: str, *, datasets: tuple[str, ...] = DATASETS["banno"]) -> None:
        at = self.clock()
        refresh = a_refresh(refresh_id, at=at, datasets=datasets, triggered_at=at)
        assert self.refreshes.admit(refresh, until=refresh.deadline + 3600) == refresh_id
        self.ticket = replace(self.ticket, refresh_id=refresh_id, resumed=False)
        self.staging = self.staged()

    def staged(self) -> Staging:
        return Staging(self.objects, connection_id=CONNECTION, refresh_id=self.ticket.refresh_id)

    @property
    def connection(self) -> Connection:
        connection = self.connections.get(CONNECTION)
        assert connection is not None
        return connection

    @property
    def refresh(self) -> Refresh:
        refresh = self.refreshes.get(self.ticket.refresh_id)
        assert refresh is not None
        return refresh

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def fetch(self, *, seconds_left: float = 300, **ticket: object) -> None:
        self.ticket = replace(self.ticket, **ticket)
        self.staging = self.staged()
        fetch(self.ticket, self.refresh, self.ports(seconds_left), before=self.published)

    def publish(self, *, seconds_left: float = 300) -> tuple[Refresh, list[Manifest]]:
        ports = self.ports(seconds_left)
        return publish(self.ticket, self.refresh, ports, before=self.published)

    @property
    def published(self) -> Manifest | None:
        return self.before or read_published(self.connection, self.snapshots)

    def ports(self, seconds_left: float = 300) -> FetchPorts:
        return fetch_ports(
            self.connector,
            self.refreshes,
            clock=self.clock,
            sleep=self.sleep,
            left=lambda: seconds_left,
            staging=self.staging,
            snapshots=self.snapshots,
        )

    def read(self, dataset: Dataset) -> list[str]:
        lines = self.objects.lines(dataset)
        return [f"{'-' if line.deleted else ''}{line.part}/{line.id}" for line in lines]


TRANSACTIONS = ["checking/t1", "checking/t2", "-checking/t0", "checking/t3", "savings/t1"]
