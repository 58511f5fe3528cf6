"""A connector at its provider's simulator, with everything around it from the fakes."""

from __future__ import annotations

import time
import traceback
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from functions.connectors.registry import load
from functions.core.contract import TicketOutcome
from functions.core.errors import FreshetError
from functions.core.ports import Order
from functions.core.refresh import snapshot
from functions.core.refresh.fetch import fetch
from functions.core.refresh.increment import keep_failed, merge
from tests.support.fakes.files import Objects, Snapshots, Staging
from tests.support.fakes.stores import Clock, Connections, Refreshes, Tables
from tests.support.scripted_connector import (
    CONNECTION,
    REFRESH,
    a_refresh,
    a_ticket,
    connector_ports,
    fetch_ports,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.contract import Job
    from functions.core.model import Connection, Credentials, Manifest, StoredCredentials
    from functions.core.ports import Budget, Connector, RecordKey
    from tests.support.fakes.files import Kept
    from tests.support.providers.case import ProviderCase
    from tests.support.providers.simulated import Simulated, Truth

PATIENCE_SECONDS = 10.0
HOLD_SECONDS = 2.0


class ConnectorHarness:
    """One user's connection, through the verbs."""

    def __init__(
        self,
        case: ProviderCase,
        simulated: Simulated,
        *,
        user: str,
        credentials: Credentials | None = None,
        application: bytes | None = None,
        sleep: Callable[[float], None] = time.sleep,
        budget: Budget | None = None,
    ) -> None:
        """Begin the connection. There is time without end, until ``left`` says otherwise."""
        self.case, self.simulated, self.user = case, simulated, user
        self.connection: Connection = simulated.connection(user)
        self.datasets = self.connection.datasets or case.entry.datasets
        self.order = Order(datasets=self.datasets)
        self.tables, self.objects = Tables(), Objects()
        self._application = application or simulated.application()
        self._secrets: set[str] = set()
        self._sleep, self._budget = sleep, budget
        self.left: Callable[[], float] = lambda: inf
        given = credentials or simulated.sign_in(user)
        self.connections.create(self.connection, given)
        self._secrets |= _tokens(given) if given else set()

    @property
    def connector(self) -> Connector:
        """A new one, as each call of a door has."""
        return self.as_owner(REFRESH)

    @property
    def connections(self) -> Connections:
        return Connections(self.tables, clock=Instant(self.simulated.clock))

    @property
    def stored(self) -> StoredCredentials:
        return self.connections.load(CONNECTION)

    def strike(self, verb: str, **fault: Any) -> None:
        """Switch on a fault of the calls that a verb makes."""
        call = self.case.calls[verb]
        self.simulated.fault(method=call.method, path=call.path, **fault)

    def as_owner(self, owner: str) -> Connector:
        """A connector of a worker who rotates tokens in another name."""
        ports = connector_ports(
            self.connections,
            application=self._application,
            clock=self.simulated.clock,
            sleep=self._sleep,
            owner=owner,
            budget=self._budget,
            left=self.left,
        )
        return load(self.case.entry, ports)

    def trigger(self) -> Job:
        """Ask until the provider has taken the whole job."""
        taken = self.connector.trigger(self.connection, self.order)
        while taken.more:
            taken = self.connector.trigger(self.connection, replace(self.order, job=taken.job))
        return taken.job

    def check(self, job: Job) -> Job:
        """Look until the provider is done."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            looked = self.connector.check(self.connection, job, hold_seconds=HOLD_SECONDS)
            assert not looked.lost
            if looked.done:
                return looked.job
            job = looked.job
            time.sleep(0.05 if looked.wait_seconds is None else looked.wait_seconds or 0.02)
        raise AssertionError("the provider is never done")

    def fetch(
        self,
        job: Job,
        *,
        resumed: bool = False,
        before: Manifest | None = None,
        full: bool = False,
        seconds_left: float = 1000,
    ) -> Read:
        """Everything that there is, as a snapshot of it would have it."""
        refresh_id = f"{before.refresh_id}+" if before else REFRESH
        staging = Staging(self.objects, connection_id=CONNECTION, refresh_id=refresh_id)
        at, snapshots = self.simulated.clock(), Snapshots(self.objects)
        refresh = a_refresh(refresh_id, at=at, datasets=self.datasets, full=full)
        self.tables.refreshes[refresh_id] = refresh
        fetch(
            a_ticket(
                at=at, refresh_id=refresh_id, outcome=TicketOutcome.READY, job=job, resumed=resumed
            ),
            refresh,
            fetch_ports(
                self.connector,
                Refreshes(self.tables),
                clock=self.simulated.clock,
                connection=self.connection,
                sleep=self.simulated.later,
                left=lambda: seconds_left,
                staging=staging,
                snapshots=snapshots,
            ),
            before=before,
        )
        parts = staging.progress.parts
        keep_failed(staging, before=before)
        fetched = merge(
            staging.datasets(refresh_id=refresh_id, as_of=at),
            staging=staging,
            before=before,
            snapshots=snapshots,
            at=at,
            left=lambda: inf,
        )
        manifest = snapshot.build_manifest(
            refresh,
            fetched=fetched,
            parts=parts,
            labels=staging.progress.labels,
            before=before,
            at=at,
        )
        lines = {name: self.objects.lines(manifest.datasets[name]) for name in fetched}
        return Read(manifest, lines)

    def refresh(self, after: Read | None = None, *, full: bool = False) -> Read:
        """Trigger, check until done, fetch; with an earlier one, what has changed since."""
        job = self.check(self.trigger())
        return self.fetch(job, before=after.manifest if after else None, full=full)

    def refused(self, verb: Callable[[], object]) -> FreshetError:
        """The error that a verb ends in; no secret stands in its text or its trace."""
        try:
            verb()
        except FreshetError as error:
            told = "".join(traceback.format_exception(error)) + repr(error.args)
            assert not [secret for secret in self.known_secrets() if secret in told]
            return error
        raise AssertionError("it was not refused")

    def known_secrets(self) -> set[str]:
        """Every token that there has been, and whatever is secret in the application's own."""
        if self.case.entry.credentials:
            self._secrets |= _tokens(self.stored.credentials)
        _collect(msgspec.json.decode(self._application), into=self._secrets)
        return self._secrets


class Read:
    """The result of a fetch."""

    def __init__(self, manifest: Manifest, lines: dict[str, list[Kept]]) -> None:
        self.manifest, self.lines = manifest, lines

    @property
    def truth(self) -> Truth:
        """By dataset and id, what was kept of each record."""
        return {
            name: {id_: data for (_, id_), data in records.items()}
            for name, records in self.records.items()
        }

    @property
    def records(self) -> dict[str, dict[RecordKey, Any]]:
        """The same by part and id, as which records are known."""
        last = {
            name: {(line.part, line.id): line for line in lines}
            for name, lines in self.lines.items()
        }
        return {
            name: {
                key: msgspec.json.decode(line.data)
                for key, line in lines.items()
                if not line.deleted
            }
            for name, lines in last.items()
        }

    def ids(self, dataset: str) -> list[str]:
        return [line.id for line in self.lines[dataset] if not line.deleted]


class Instant(Clock):
    """A clock that goes by another."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock

    def __call__(self) -> float:
        return self._clock()


def _tokens(credentials: Credentials) -> set[str]:
    return {credentials.access_token, credentials.refresh_token or credentials.access_token}


def _collect(value: object, *, into: set[str]) -> None:
    """The values of all fields that are called a secret or a key."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        if isinstance(inner, str) and ("secret" in name or "key" in name):
            into.add(inner)
        _collect(inner, into=into)
