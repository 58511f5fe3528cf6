"""A connector that answers as a script says, and samples of what is kept."""

from __future__ import annotations

from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec.structs import replace

from functions.core.contract import PAYLOAD_VERSION, Reason, Ticket, TicketOutcome
from functions.core.model import Connection, Credentials, Dataset, Manifest, Refresh, Status
from functions.core.ports import ConnectorPorts, Order, Page, Record, Triggered
from functions.core.refresh.ports import AdmissionPorts, FetchPorts, StepPorts
from tests.support.fakes.idempotency import Keys
from tests.support.fakes.stores import Connections, Refreshes, Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from functions.core.contract import Cursor, Job
    from functions.core.errors import FreshetError
    from functions.core.idempotency import Key
    from functions.core.model import Interval, SnapshotPointer
    from functions.core.ports import Budget, Looked, PreviousSnapshot
    from tests.support.fakes.stores import Clock

T = TypeVar("T")

CONNECTION = "con_1"
REFRESH = "ref_1"
TENANT = "acme"
DATASETS = {"banno": ("accounts", "transactions")}
ORDER = Order(datasets=("accounts", "transactions"))
_NUMBERS = (f"token-{number}" for number in count(1))
TOKENS = Credentials(access_token="access-1", refresh_token="refresh-1")


class Crash(BaseException):
    """The worker died."""


class Scripted:
    """Gives its answers one after the other, the last one again and again.

    A look that holds takes so many seconds of the clock before it answers. A fault in the pages
    is raised once, in the place of the page with its number.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        triggers: Sequence[Triggered | FreshetError | Crash] = (Triggered(job={"id": "j1"}),),
        looks: Sequence[tuple[float, Looked | FreshetError]] = (),
        pages: Sequence[Page] = (),
        faults: Iterable[tuple[int, FreshetError]] = (),
    ) -> None:
        self._clock, self._pages, self._faults = clock, pages, dict(faults)
        self._triggers, self._looks = list(triggers), list(looks)
        self.triggered = 0
        self.orders: list[Order] = []
        self.bases: list[PreviousSnapshot | None] = []
        self.looked: list[tuple[float, float]] = []
        """When each look was asked for, and how long it might have been held."""

    def trigger(self, _connection: Connection, order: Order, /) -> Triggered:
        self.triggered += 1
        self.orders.append(order)
        return _told(_next(self._triggers))

    def check(self, _connection: Connection, _job: Job, *, hold_seconds: float) -> Looked:
        self.looked.append((self._clock(), hold_seconds))
        seconds, answer = _next(self._looks)
        self._clock.now += seconds
        return _told(answer)

    def fetch(
        self,
        _connection: Connection,
        _job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
        previous: PreviousSnapshot | None = None,
    ) -> Iterator[Page]:
        assert datasets
        self.bases.append(previous)
        start = int(cursor["page"] or 0) if cursor else 0
        for number in range(start, len(self._pages)):
            if number in self._faults:
                raise self._faults.pop(number)
            following: Cursor | None = {"page": number + 1}
            last = number + 1 == len(self._pages)
            yield replace(self._pages[number], cursor=None if last else following)


class CrashingRefreshes(Refreshes):
    """The store of a worker who dies right after so many of its writes."""

    def __init__(self, tables: Tables, *, writes: int) -> None:
        super().__init__(tables)
        self._left = writes

    def admit(self, refresh: Refresh, *, until: float, key: Key | None = None) -> str:
        holder = super().admit(refresh, until=until, key=key)
        self._written()
        return holder

    def save(self, refresh: Refresh, *, seen: int) -> None:
        super().save(refresh, seen=seen)
        self._written()

    def publish(
        self,
        refresh: Refresh,
        *,
        seen: int,
        snapshot: SnapshotPointer,
        intervals: Sequence[Interval],
    ) -> None:
        super().publish(refresh, seen=seen, snapshot=snapshot, intervals=intervals)
        self._written()

    def _written(self) -> None:
        self._left -= 1
        if not self._left:
            raise Crash


def _next(script: list[T]) -> T:
    return script.pop(0) if len(script) > 1 else script[0]


def _told(answer: T | FreshetError | Crash) -> T:
    if isinstance(answer, BaseException):
        raise answer
    return answer


def a_connection(connection_id: str = CONNECTION, **changes: object) -> Connection:
    """A connection to Banno that nothing has happened to yet."""
    fresh = Connection(
        connection_id=connection_id,
        tenant=TENANT,
        provider="banno",
        subject="user-1",
        settings={"institution": "garden"},
        external_id=f"user of {connection_id}".replace(" ", "-"),
        created_at=0,
    )
    return replace(fresh, **changes)


def a_refresh(refresh_id: str = REFRESH, *, at: float, **changes: object) -> Refresh:
    """A refresh that has just been admitted, with a deadline of fifteen minutes."""
    admitted = Refresh(
        refresh_id=refresh_id,
        connection_id=CONNECTION,
        tenant=TENANT,
        provider="banno",
        status=Status.ADMITTED,
        reason=Reason.API,
        requested_at=at,
        deadline=at + 900,
        datasets=DATASETS["banno"],
    )
    return replace(admitted, **changes)


def a_ticket(*, at: float, **changes: object) -> Ticket:
    """The ticket of a refresh that was triggered at this instant."""
    running = Ticket(
        v=PAYLOAD_VERSION,
        outcome=TicketOutcome.RUNNING,
        refresh_id=REFRESH,
        connection_id=CONNECTION,
        provider="banno",
        job={"id": "j1"},
        triggered_at=at,
        deadline=at + 900,
        looks=(2, 5, 10, 30, 900),
    )
    return replace(running, **changes)


def a_page(*ids: str, part: str = "", dataset: str = "transactions", **changes: object) -> Page:
    """A page of records with these ids."""
    records = tuple(Record(id_, msgspec.Raw(msgspec.json.encode({"id": id_}))) for id_ in ids)
    return replace(Page(dataset=dataset, part=part, records=records), **changes)


def a_manifest(
    refresh_id: str = REFRESH, *, as_of: float, datasets: tuple[str, ...] = DATASETS["banno"]
) -> Manifest:
    """The manifest of a snapshot in which these datasets are empty."""
    empty = Dataset(refresh_id=refresh_id, as_of=as_of, records=0, deletions=0, files=())
    return Manifest(
        v=1,
        refresh_id=refresh_id,
        connection_id=CONNECTION,
        provider="banno",
        triggered_at=as_of,
        fetched_at=as_of,
        as_of=as_of,
        datasets=dict.fromkeys(datasets, empty),
    )


def unsealed(_connection: Connection, text: str) -> str:
    """A seal that is none."""
    return text


def connector_ports(
    connections: Connections,
    *,
    application: bytes,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    owner: str = REFRESH,
    budget: Budget | None = None,
    left: Callable[[], float] = lambda: inf,
) -> ConnectorPorts:
    """The ports of a connector, over fakes."""
    return ConnectorPorts(
        application=lambda: application,
        credentials=connections,
        seal=unsealed,
        unseal=unsealed,
        clock=clock,
        sleep=sleep,
        token=lambda: next(_NUMBERS),
        owner=owner,
        budget=budget,
        left=left,
    )


def stocked(tables: Tables, clock: Clock) -> tuple[Connections, Refreshes]:
    """The stores with one connection in them."""
    connections = Connections(tables, clock=clock)
    connections.create(a_connection(), TOKENS)
    return connections, Refreshes(tables)


def admission_ports(
    tables: Tables, *, connections: Connections, refreshes: Refreshes
) -> AdmissionPorts:
    return AdmissionPorts(
        connections=connections, refreshes=refreshes, keys=Keys(tables), datasets=DATASETS
    )


def step_ports(connector: Any, refreshes: Any, *, clock: Any, **more: Any) -> StepPorts:
    """What a call needs; ``more`` is what the test is about."""
    return StepPorts(**_ports(connector, refreshes, clock=clock) | more)


def fetch_ports(connector: Any, refreshes: Any, *, clock: Any, **more: Any) -> FetchPorts:
    """The same for a fetch; ``more`` has the staging and the snapshots."""
    return FetchPorts(**_ports(connector, refreshes, clock=clock) | more)


def _ports(connector: Any, refreshes: Any, *, clock: Any) -> dict[str, Any]:
    return {
        "connection": a_connection(),
        "connector": connector,
        "refreshes": refreshes,
        "clock": clock,
        "sleep": getattr(clock, "sleep", None),
        "left": lambda: 1000.0,
    }
