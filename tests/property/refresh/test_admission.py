"""Refreshes started, broken off and repeated in any order, over the fakes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from functions.core.contract import PAYLOAD_VERSION, RefreshRequest, Ticket, TicketOutcome
from functions.core.errors import (
    FetchContinues,
    FetchWaits,
    FreshetError,
    ProviderUnavailable,
    ReauthRequired,
    Superseded,
    UnexpectedAnswer,
)
from functions.core.model import Part, PartState, Status
from functions.core.ports import Looked, Triggered
from functions.core.reconcile import Execution, reconcile
from functions.core.refresh.admission import admit
from functions.core.refresh.check import check
from functions.core.refresh.conclude import cancel, conclude
from functions.core.refresh.fetch import fetch, publish, read_published
from functions.core.refresh.trigger import to_ticket, trigger
from tests.support.fakes.files import Objects, Snapshots, Staging
from tests.support.fakes.stores import Clock, Connections, Refreshes, Tables
from tests.support.scripted_connector import (
    CONNECTION,
    TENANT,
    TOKENS,
    Crash,
    CrashingRefreshes,
    Scripted,
    a_connection,
    a_page,
    admission_ports,
    fetch_ports,
    step_ports,
)

if TYPE_CHECKING:
    from functions.core.model import Connection, Refresh
    from functions.core.refresh.admission import Admission

ENDINGS = {"published", "partial", "failed", "cancelled"}
LUCK = st.sampled_from(["well", "running", "lost", "away", "user", "defect", "crash", "dies"])
JOB = Looked(job={"id": "j"})
TELLS: dict[str, Looked | FreshetError] = {
    "running": replace(JOB, wait_seconds=100),
    "lost": replace(JOB, lost=True),
    "away": ProviderUnavailable(wait_seconds=30),
    "user": ReauthRequired(),
    "defect": UnexpectedAnswer(),
}
PAGES = (
    a_page("a", dataset="accounts", parts=(Part(part="a", state=PartState.FRESH, as_of=1),)),
    a_page("t", part="a"),
)


class Executions(RuleBasedStateMachine):
    """A few executions at once, each wherever its last answer has led it.

    ``luck`` is what a step meets: an answer of the provider's, or ``crash`` (the worker dies
    right after its first write) or ``dies`` (at the provider's door); both are tried again.
    Executions may not be started, or be lost with their end: then the reconciler looks after them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.tables, self.objects = Clock(), Tables(), Objects()
        self.connections = Connections(self.tables, clock=self.clock)
        self.refreshes = Refreshes(self.tables)
        self.connections.create(a_connection(), TOKENS)
        self.under_way: dict[str, Ticket | None] = {}
        self.over: dict[str, str] = {}
        self.started = 0

    @property
    def connection(self) -> Connection:
        found = self.connections.get(CONNECTION)
        assert found is not None
        return found

    @property
    def holder(self) -> str | None:
        return self.connection.running.refresh_id if self.connection.running else None

    # --- what may happen -------------------------------------------------------------------

    @rule(age=st.none() | st.integers(0, 3600), deadline=st.sampled_from([5, 900]))
    def a_request_starts_an_execution(self, age: int | None, deadline: int) -> None:
        self.started += 1
        self.under_way[f"ref_{self.started}"] = None
        self.request = RefreshRequest(
            connection_id=CONNECTION, max_age_seconds=age, deadline_seconds=deadline
        )

    @rule(deadline=st.sampled_from([5, 900]))
    def a_request_is_admitted_and_its_start_is_refused(self, deadline: int) -> None:
        self.a_request_starts_an_execution(age=None, deadline=deadline)
        name, _ = self.under_way.popitem()
        with suppress(FreshetError):
            self._admitted(name, refreshes=self.refreshes)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def an_execution_is_lost_with_its_end(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.under_way)))
        del self.under_way[name]
        self.over[name] = "FAILED"

    @rule()
    def the_reconciler_looks(self) -> None:
        for refresh in list(self.tables.refreshes.values()):
            if not refresh.status.has_ended:
                reconcile(refresh, executions=self, end=self.end, at=self.clock())

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), luck=LUCK)
    def an_execution_takes_a_step(self, data: st.DataObject, luck: str) -> None:
        self._step(data.draw(st.sampled_from(sorted(self.under_way))), luck=luck)

    @precondition(lambda self: self.tables.refreshes)
    @rule(data=st.data(), dies=st.booleans(), stops=st.booleans())
    def a_caller_cancels(self, data: st.DataObject, *, dies: bool, stops: bool) -> None:
        """It may die after its first write; the execution may be stopped late, or run on."""
        refresh = self.tables.refreshes[data.draw(st.sampled_from(sorted(self.tables.refreshes)))]
        refreshes = CrashingRefreshes(self.tables, writes=1) if dies else self.refreshes
        try:
            cancelled, _ = cancel(refresh, refreshes=refreshes, clock=self.clock)
        except Crash:
            return
        assert cancelled.status.has_ended
        assert self.holder != cancelled.refresh_id
        if stops and cancelled.status is Status.CANCELLED:
            self.under_way.pop(refresh.refresh_id, None)
            self.over[refresh.refresh_id] = "ABORTED"

    @rule(seconds=st.sampled_from([1, 60, 900, 5000]))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += seconds

    # --- what must hold --------------------------------------------------------------------

    @invariant()
    def a_refresh_ends_at_most_once(self) -> None:
        for refresh in self.tables.refreshes.values():
            endings = [event.type for event in refresh.events if event.type in ENDINGS]
            assert len(endings) == int(refresh.status.has_ended)
            assert not endings or refresh.events[-1].type in ENDINGS

    @invariant()
    def at_most_one_refresh_runs(self) -> None:
        """All others have ended, or held the slot until it was over and can publish no more."""
        for refresh in self.tables.refreshes.values():
            over = refresh.deadline + 3600 < self.clock()
            assert refresh.status.has_ended or refresh.refresh_id == self.holder or over

    @invariant()
    def what_is_published_is_what_the_connection_points_to(self) -> None:
        ended = [one for one in self.tables.refreshes.values() if one.coverage is not None]
        pointer = self.connection.snapshot
        assert (pointer is None) == (not ended)
        assert pointer is None or pointer.refresh_id in {one.refresh_id for one in ended}

    def teardown(self) -> None:
        """Whatever happened, an execution that is let go on ends, and no slot stays taken."""
        self.the_reconciler_looks()
        for name in list(self.under_way):
            for _ in range(10):
                if name in self.under_way:
                    self._step(name, luck="well")
            assert name not in self.under_way
        for refresh in self.tables.refreshes.values():
            if refresh.status is Status.CANCELLED:
                cancel(refresh, refreshes=self.refreshes, clock=self.clock)
        assert self.holder is None
        assert all(refresh.status.has_ended for refresh in self.tables.refreshes.values())

    # --- the engine, as the reconciler sees it ---------------------------------------------

    def look(self, name: str) -> Execution | None:
        if name in self.under_way:
            return Execution("RUNNING")
        return Execution(self.over[name]) if name in self.over else None

    def start(self, refresh: Refresh) -> bool:
        assert refresh.refresh_id not in self.under_way | self.over, "nothing is started twice"
        self.under_way[refresh.refresh_id] = None
        return True

    def end(self, ticket: Any) -> None:
        assert ticket.refresh_id not in self.under_way, "what runs is not ended"
        conclude(ticket, refreshes=self.refreshes, clock=self.clock)

    # --- the state machine in small --------------------------------------------------------

    def _step(self, name: str, *, luck: str) -> None:
        ticket = self.under_way[name]
        refreshes = CrashingRefreshes(self.tables, writes=1) if luck == "crash" else self.refreshes
        try:
            following = self._door(name, ticket, luck=luck, refreshes=refreshes)
        except Crash:
            return
        except (FetchContinues, FetchWaits):
            assert ticket is not None
            following = replace(ticket, resumed=True)
        except FreshetError as error:
            following = _caught(name, ticket, error=error)
        if following is None:
            del self.under_way[name]
            self.over[name] = "SUCCEEDED"
        else:
            self.under_way[name] = following

    def _door(
        self, name: str, ticket: Ticket | None, *, luck: str, refreshes: Refreshes
    ) -> Ticket | None:
        if ticket is None or ticket.outcome is TicketOutcome.LATER:
            return self._trigger(name, luck=luck, refreshes=refreshes)
        if ticket.outcome is TicketOutcome.RUNNING:
            return check(ticket, step_ports(self._provider(luck), refreshes, clock=self.clock))
        if ticket.outcome is TicketOutcome.READY:
            self._fetch(ticket, luck=luck, refreshes=refreshes)
        else:
            conclude(ticket, refreshes=refreshes, clock=self.clock)
        return None

    def _trigger(self, name: str, *, luck: str, refreshes: Refreshes) -> Ticket:
        admission = self._admitted(name, refreshes=refreshes)
        if admission.refresh is None:
            assert admission.refresh_id != name
            return to_ticket(admission, CONNECTION)
        assert self.holder == name, "the refresh that asks the provider has the slot"
        provider = self._provider(luck)
        try:
            return self._triggered(admission.refresh, provider=provider, refreshes=refreshes)
        finally:
            assert provider.triggered <= 1

    def _admitted(self, name: str, *, refreshes: Refreshes) -> Admission:
        return admit(
            self.request,
            refresh_id=name,
            at=self.clock(),
            ports=admission_ports(self.tables, connections=self.connections, refreshes=refreshes),
            tenant=TENANT,
        )

    def _triggered(self, refresh: Refresh, *, provider: Scripted, refreshes: Refreshes) -> Ticket:
        ports = step_ports(provider, refreshes, clock=self.clock)
        return trigger(refresh, ports, credentials=self.connections, others=())

    def _fetch(self, ticket: Ticket, *, luck: str, refreshes: Refreshes) -> None:
        refresh = refreshes.get(ticket.refresh_id)
        if refresh is None:
            raise Superseded
        if refresh.status.has_ended:
            return
        staging = Staging(self.objects, connection_id=CONNECTION, refresh_id=refresh.refresh_id)
        snapshots, connection = Snapshots(self.objects), self.connection
        ports = fetch_ports(
            self._provider(luck),
            refreshes,
            clock=self.clock,
            connection=connection,
            left=lambda: 0 if luck == "running" else 1000,
            staging=staging,
            snapshots=snapshots,
        )
        fetch(ticket, refresh, ports, before=None)
        publish(ticket, refresh, ports, before=read_published(connection, snapshots))

    def _provider(self, luck: str) -> Scripted:
        told = TELLS.get(luck, replace(JOB, done=True))
        error = told if isinstance(told, FreshetError) else None
        return Scripted(
            self.clock,
            triggers=[Crash() if luck == "dies" else error or Triggered(job={"id": "j"})],
            looks=[(0, told)],
            pages=PAGES,
            faults=[(1, error)] if error else [],
        )


def _caught(name: str, ticket: Ticket | None, *, error: FreshetError) -> Ticket:
    """The error as the state machine's catcher passes it on."""
    bare = Ticket(
        v=PAYLOAD_VERSION, outcome=TicketOutcome.FAILED, refresh_id=name, connection_id=CONNECTION
    )
    return replace(ticket or bare, outcome=TicketOutcome.FAILED, error=error.name())


TestExecutions = Executions.TestCase
TestExecutions.settings = settings(max_examples=100, stateful_step_count=25)
