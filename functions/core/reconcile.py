"""Starts what never began, and ends what has lost its execution.

A refresh, a push or a bulk run is open until it has ended. Its execution ends it, or the rule that
watches executions that break. Either may be lost in a fault of AWS: a start that was refused, an
end that could not be written. So each open thing is looked at now and then:

- Its execution is running: it is left alone.
- It has none: it is started, under the name that it would have had, so that it cannot run twice;
  past its time it is ended.
- Its execution is over: it is ended, by the function and with the ticket of that rule. The
  function reads again what is stored, so that what has ended by then stays as it is.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

from functions.core.bulk.model import BulkRun, BulkStatus, BulkTicket, BulkTicketOutcome
from functions.core.contract import (
    PAYLOAD_VERSION,
    PushTicket,
    PushTicketOutcome,
    Ticket,
    TicketOutcome,
)
from functions.core.errors import PlatformFault
from functions.core.model import Refresh, Status
from functions.core.push.model import Push, executions_of

if TYPE_CHECKING:
    from collections.abc import Callable

UNBEGUN_SECONDS: Final = 30
"""How long after its admission a thing may be without an execution."""

LOOK_SECONDS: Final = 5 * 60
"""How long after its beginning, and after each look, an open thing is looked at."""

CLOSING_SECONDS: Final = 20 * 60
"""The same for a bulk run: closing it may take a quarter of an hour."""

Open: TypeAlias = Refresh | Push | BulkRun
End: TypeAlias = "Callable[[Ticket | PushTicket | BulkTicket], None]"
"""Calls the function that ends what a ticket names, and does not wait for it."""


class Execution(NamedTuple):
    """An execution's status, in Step Functions' words, and the error with which it failed."""

    status: str
    error: str | None = None

    @property
    def runs(self) -> bool:
        """Whether it goes on by itself."""
        return self.status in {"RUNNING", "PENDING_REDRIVE"}

    @property
    def cause(self) -> str:
        """What ended it, for ``core.errors.find_error``."""
        return self.error if self.error and self.status == "FAILED" else self.status


class Done(StrEnum):
    """What was done about an open thing."""

    STARTED = "started"
    ENDED = "ended"


class Executions(Protocol):
    """The executions of one state machine."""

    def look(self, name: str) -> Execution | None:
        """The execution of this name; None when there is none."""

    def start(self, thing: Any) -> bool:  # noqa: ANN401 - of that kind
        """Start the execution of a thing; return whether there is one then."""


class _State(NamedTuple):
    """What is stored of an open thing.

    ``names`` are of the executions that may run for it, the latest first. ``unbegun`` says that
    nothing was done about it yet, ``may_start`` that an execution may still be started.
    """

    names: list[str]
    unbegun: bool
    may_start: bool


def next_look(thing: Open, *, at: float) -> float | None:
    """When to look at a thing that is written, or looked at, now; None once it has ended."""
    if thing.status.has_ended:
        return None
    if _read(thing, at=at).unbegun:
        return at + UNBEGUN_SECONDS
    return at + (CLOSING_SECONDS if isinstance(thing, BulkRun) else LOOK_SECONDS)


def reconcile(thing: Open, *, executions: Executions, end: End, at: float) -> Done | None:
    """Start an open thing, or have it ended, if no execution of it runs.

    A push may have several executions, as a webhook or a reader has it continued by another; the
    latest that exists counts.
    """
    state = _read(thing, at=at)
    name, cause = state.names[0], PlatformFault.name()
    for each in state.names:
        if found := executions.look(each):
            if found.runs:
                return None
            name, cause = each, found.cause
            break
    else:
        if state.may_start:
            return Done.STARTED if executions.start(thing) else None
    end(_to_ticket(thing, name, cause=cause))
    return Done.ENDED


def _read(thing: Open, *, at: float) -> _State:
    match thing:
        case Refresh():
            unbegun = thing.status is Status.ADMITTED
            return _State([thing.refresh_id], unbegun, unbegun and at < thing.deadline)
        case Push():  # a late one is ended by its own execution
            names = executions_of(thing)
            return _State(names, len(names) == 1, may_start=True)
        case BulkRun():
            unbegun = thing.status is BulkStatus.LISTING
            return _State([thing.bulk_id], unbegun, unbegun and at < thing.open_until)


def _to_ticket(thing: Open, name: str, *, cause: str) -> Ticket | PushTicket | BulkTicket:
    """The ticket that the rule that watches executions sends, see ``infra.events``."""
    v = PAYLOAD_VERSION
    match thing:
        case Refresh():
            aborted = TicketOutcome.ABORTED
            return Ticket(v=v, outcome=aborted, refresh_id=name, connection_id="", error=cause)
        case Push():
            return PushTicket(v=v, outcome=PushTicketOutcome.ABORTED, push_id=name, error=cause)
        case BulkRun():
            return BulkTicket(v=v, outcome=BulkTicketOutcome.ABORTED, bulk_id=name, error=cause)
