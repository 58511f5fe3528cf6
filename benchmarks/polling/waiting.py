"""One job waited for in virtual time: by the product, by others, and as well as can be."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, cast

from functions.core.contract import DEADLINE_SECONDS, PAYLOAD_VERSION, Ticket, TicketOutcome
from functions.core.polling import LOOK_PRICE
from functions.core.ports import Looked
from functions.core.refresh.check import check
from functions.core.refresh.ports import StepPorts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.core.contract import Job
    from functions.core.ports import Connector

HOP_SECONDS: Final = 0.05
"""From one state of a state machine to the next."""

LOOK_SECONDS: Final = 0.05
"""From a look to its answer; the job's state is read in the middle."""

LONG_POLL_SECONDS: Final = 7.0
"""How long Banno holds a look open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What it took to notice the end of one job.

    Attributes:
        late: seconds from the end to the answer that told of it.
        looks: requests to the provider.
        turns: how often the state machine waited and came back.
        held: seconds for which a function ran, in ``turns + 1`` calls.
        ticket: the product's, as it is then.
    """

    late: float
    looks: int
    turns: int = 0
    held: float = 0.0
    ticket: Ticket | None = None

    @property
    def cost(self) -> float:
        """Lateness and the price of the looks, in seconds."""
        return self.late + LOOK_PRICE * self.looks


class _Provider:
    """Virtual time, and a connector whose job ends at an instant; it may hold looks open."""

    def __init__(self, ends: float, *, holds: bool) -> None:
        self.now, self.looks = 0.0, 0
        self._ends, self._holds = ends, holds

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def look(self) -> bool:
        """Whether the job is done."""
        self.looks += 1
        self.now += LOOK_SECONDS / 2
        done = self.now >= self._ends
        self.now += LOOK_SECONDS / 2
        return done

    def check(self, _connection: object, job: Job, *, hold_seconds: float) -> Looked:
        """As a connector does; the first look is never held, as with Banno."""
        holds = self._holds and hold_seconds > 0
        if holds and job and self.now < self._ends:
            self.now = min(self._ends, self.now + LONG_POLL_SECONDS)
        done = self.look()
        return Looked(job={"version": 1}, done=done, wait_seconds=0 if holds else None)


def wait_as_product(ends: float, looks: Sequence[float], *, holds: bool = False) -> Wait:
    """Follow a plan with the product's own ``check``, through calls and waits of the machine."""
    provider, turns, held = _Provider(ends, holds=holds), 0, 0.0
    nothing: Any = None
    ports = StepPorts(
        connection=nothing,
        connector=cast("Connector", provider),
        refreshes=nothing,
        clock=provider.clock,
        sleep=provider.sleep,
        left=lambda: DEADLINE_SECONDS,
    )
    ticket = Ticket(
        v=PAYLOAD_VERSION,
        outcome=TicketOutcome.RUNNING,
        refresh_id="",
        connection_id="",
        deadline=DEADLINE_SECONDS,
        looks=tuple(looks),
    )
    provider.sleep(HOP_SECONDS)
    while True:
        began = provider.now
        ticket = check(ticket, ports, holds=holds)
        held += provider.now - began
        if ticket.outcome is not TicketOutcome.RUNNING:
            late = ticket.noticed_at - ends
            return Wait(late=late, looks=provider.looks, turns=turns, held=held, ticket=ticket)
        turns += 1
        provider.sleep(ticket.wait_seconds + 3 * HOP_SECONDS)


def _wait_in_turns(ends: float, gap: Callable[[int], float], *, extra: float) -> Wait:
    """Look after each gap; ``extra`` seconds pass around it."""
    provider = _Provider(ends, holds=False)
    while True:
        provider.sleep(gap(provider.looks) + extra)
        if provider.look():
            turns = provider.looks
            return Wait(late=provider.now - ends, looks=turns, turns=turns)


def wait_as_airbyte(ends: float) -> Wait:
    """Airbyte's CDK: a look at once, and then every five seconds."""
    return _wait_in_turns(ends, lambda looks: 5.0 if looks else 0.0, extra=0.0)


def wait_as_loop(ends: float) -> Wait:
    """The loop of Step Functions' own examples: wait ten seconds, look, choose."""
    return _wait_in_turns(ends, lambda _looks: 10.0, extra=2 * HOP_SECONDS)


def wait_with_backoff(ends: float) -> Wait:
    """The same with waits of 1, 2, 4 … 30 seconds."""
    return _wait_in_turns(ends, lambda looks: min(30.0, 2.0**looks), extra=2 * HOP_SECONDS)


PEERS: Final = {
    "Airbyte, each 5 s": wait_as_airbyte,
    "loop, each 10 s": wait_as_loop,
    "loop, 1 to 30 s": wait_with_backoff,
}


def wait_at_best(ends: float, looks: Sequence[float]) -> Wait:
    """Follow a plan whose looks take no time; past its last one, its last gap again."""
    place = bisect_left(looks, ends)
    if place < len(looks):
        return Wait(late=looks[place] - ends, looks=place + 1)
    gap = looks[-1] - looks[-2] if len(looks) > 1 else 1.0
    more = -(-(ends - looks[-1]) // gap)
    return Wait(late=looks[-1] + more * gap - ends, looks=len(looks) + int(more))


def find_optimum(durations: Sequence[float]) -> list[float]:
    """The plan with the least mean cost for one who knows these durations, but not which is next.

    By dynamic programming from the longest down: after a look at one duration, the next look is
    best at some longer one, which never comes earlier where the look before it comes later.
    """
    times = Counter(durations)
    ends = sorted(times)
    jobs = [0, *accumulate(times[end] for end in ends)]
    sums = [0.0, *accumulate(times[end] * end for end in ends)]
    last = len(ends)
    costs, following = [0.0] * (last + 1), [last] * (last + 1)

    def cost_of(here: int, then: int) -> float:
        late = ends[then - 1] * (jobs[then] - jobs[here]) - (sums[then] - sums[here])
        return LOOK_PRICE * (jobs[last] - jobs[here]) + late + costs[then]

    for here in range(last - 1, -1, -1):
        best = min((cost_of(here, then), then) for then in range(here + 1, following[here + 1] + 1))
        costs[here], following[here] = best
    looks, here = list[float](), 0
    while here < last:
        here = following[here]
        looks.append(ends[here - 1])
    return looks
