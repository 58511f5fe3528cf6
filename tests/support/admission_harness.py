"""Admission over fakes, for the tests of who is let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from functions.core.contract import RefreshRequest
from functions.core.refresh.admission import Admission, admit
from functions.core.refresh.snapshot import to_pointer
from functions.core.refresh.steps import publish
from tests.support.fakes.stores import Clock, Connections, Refreshes, Tables
from tests.support.scripted_connector import (
    CONNECTION,
    DATASETS,
    TENANT,
    a_manifest,
    a_ticket,
    admission_ports,
    stocked,
)

if TYPE_CHECKING:
    from functions.core.model import Running


class AdmissionHarness:
    """Admission over fakes, at an instant that moves by hand."""

    def __init__(self) -> None:
        self.clock, self.tables = Clock(), Tables()
        stores: tuple[Connections, Refreshes] = stocked(self.tables, self.clock)
        self.connections, self.refreshes = stores

    def ask(
        self, refresh_id: str = "ref_1", *, tenant: str | None = TENANT, **asked: object
    ) -> Admission:
        request = replace(RefreshRequest(connection_id=CONNECTION), **asked)
        return admit(
            request,
            refresh_id=refresh_id,
            at=self.clock(),
            ports=admission_ports(
                self.tables, connections=self.connections, refreshes=self.refreshes
            ),
            tenant=tenant,
        )

    def publish(self, *, as_of: float, datasets: tuple[str, ...] = DATASETS["banno"]) -> None:
        """End the refresh that holds the slot with a snapshot of this age."""
        refresh = self.refreshes.get("ref_1")
        assert refresh is not None
        manifest = a_manifest(as_of=as_of, datasets=datasets)
        ended = publish(refresh, manifest, ticket=a_ticket(at=self.clock()), at=self.clock())
        where = to_pointer(manifest, key="k", version_id="v", at=self.clock())
        self.refreshes.publish(ended, seen=refresh.version, snapshot=where, intervals=())

    def forbid(self, refresh_id: str = "ref_1", *, seconds: float, ends: bool = True) -> None:
        """Have a refresh meet a provider that wants to be left alone for so long."""
        refresh = self.ask(refresh_id).refresh
        assert refresh is not None
        self.refreshes.forbid(refresh, until=self.clock() + seconds)
        if ends:
            self.refreshes.release(refresh)

    @property
    def running(self) -> Running | None:
        connection = self.connections.get(CONNECTION)
        assert connection is not None
        return connection.running
