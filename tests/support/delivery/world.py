"""A world in which events are told while everything that can go wrong does.

Time is virtual, and what happens follows from a seed. Refreshes end by the real writes of their
store's fake; the real ``core.delivery.announce`` and ``core.delivery.lane`` tell of them, over the
fakes that one suite holds against DynamoDB. Between any two steps of a call, a step being a read, a
write or a send, others take their turn. A call may die right before or right after any step.
Messages are lost, doubled, or given out to two calls; receivers are down for days, busy, slow, or
cannot take one event; applications pause and enable their endpoints.

At its end the faults stop, every endpoint is enabled, and what was told is compared with what has
ended.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from functions.core.delivery.announce import AnnouncePorts, announce
from functions.core.delivery.lane import LanePorts, drain
from functions.core.delivery.model import DeliveryStatus, EndpointState, Health, SendError
from functions.core.delivery.ports import Sent
from functions.core.delivery.schedule import GAPS_SECONDS, HOUR, MINUTE
from functions.core.errors import ProviderUnavailable, Superseded
from functions.core.events.model import event_of_refresh
from functions.core.model import instant, iso
from functions.core.refresh import steps
from tests.support.delivery.ports import (
    Bus,
    LaggingDeliveries,
    Lanes,
    Sender,
    Stepping,
    WorldTables,
)
from tests.support.fakes.delivery.endpoints import Deliveries, Endpoints, Signer, an_endpoint
from tests.support.fakes.events import Events
from tests.support.fakes.stores import Clock, Connections, Refreshes
from tests.support.scripted_connector import (
    TOKENS,
    Crash,
    a_connection,
    a_manifest,
    a_refresh,
    a_ticket,
)
from tests.support.stores.suite import pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from functions.core.events.model import OutboxEvent
    from functions.core.model import Refresh

DOWN_SECONDS: Final = 72 * HOUR
BUSY_SECONDS: Final = 2 * HOUR
SETTLED_SECONDS: Final = 1.2 * sum(GAPS_SECONDS) + 30 * HOUR
"""After so long without faults nothing waits: the longest schedule is over."""

CALL_SECONDS: Final = 35.0
DEDUPLICATED_SECONDS: Final = 5 * MINUTE
HIDDEN_SECONDS: Final = 6 * MINUTE
RETAINED_SECONDS: Final = HOUR
SWEPT_AGAIN_SECONDS: Final = 2 * MINUTE
OFF: Final = (EndpointState.PAUSED, EndpointState.DISABLED)
STALL_SECONDS: Final = 20.0
DEPTH: Final = 6
TURN: Final = 0.3
TROUBLES: Final[tuple[str, ...]] = ("well", "down", "busy", "gone", "flaky", "poison", "loses")
"""How many calls stand still at a time, each within the one before."""


@dataclass
class Receiver:
    """How one endpoint's application answers. ``got`` counts what it has taken, by event."""

    down: tuple[float, float] = (inf, inf)
    busy: tuple[float, float] = (inf, inf)
    gone_at: float = inf
    fails: float = 0
    loses: float = 0
    poison: str = ""
    got: Counter[str] = field(default_factory=Counter)


@dataclass
class Line:
    """The messages of one endpoint, oldest first, and until when none is given out."""

    messages: list[tuple[float, str]] = field(default_factory=list)
    hidden_until: float = 0
    names: dict[str, float] = field(default_factory=dict)


class World:
    """One run."""

    def __init__(self, seed: int, *, lags: bool = False) -> None:
        self.random, self.clock = Random(seed), Clock()  # noqa: S311 - a seed is repeated
        self.began, self.faulty = self.clock(), True
        self.counts: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()
        self.refused: set[str] = set()
        self.bus: Counter[str] = Counter()
        self.documents: dict[str, bytes] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers, self._depth, self._steps, self._swept = count(), 0, 0, 0.0
        self._dies_at = self.random.randrange(1, 400)
        self._crashes = self.random.choice([0, 0.002, 0.01, 0.05])
        self._loses = self.random.choice([0, 0.1, 0.5, 1])
        self._slow = self.random.choice([0.01, 0.1, 1])
        self._stalls = self.random.choice([0, 0.05, 0.3])
        self.tables = WorldTables(self._stream)
        self.connections = Connections(self.tables, clock=self.clock)
        self.refreshes, self.events = Refreshes(self.tables), Events(self.tables)
        self.endpoints = Endpoints(self.tables)
        self.deliveries = LaggingDeliveries(self.clock) if lags else Deliveries()
        self.receivers: dict[str, Receiver] = {}
        self.lines: dict[str, Line] = {}
        self._announcing = AnnouncePorts(
            outbox=self._port(self.events),
            bus=self._port(Bus(self)),
            endpoints=self._port(self.endpoints),
            deliveries=self._port(self.deliveries),
            lanes=self._port(Lanes(self)),
            clock=self.clock,
            note=lambda _event: None,
        )
        self._draining = LanePorts(
            endpoints=self._port(self.endpoints),
            deliveries=self._port(self.deliveries),
            events=self._port(self.events),
            signer=Signer(),
            sender=self._port(Sender(self)),
            each=_each,
            clock=self.clock,
            sleep=self._sleep,
            draw=self.random.uniform,
            report=lambda *_: None,
        )
        self._lanes = self._announcing.lanes

    def _port(self, port: Any) -> Any:
        return Stepping(self, port)

    # --- what happens ------------------------------------------------------------------------

    def run(self) -> list[str]:
        """Let everything happen; return what is wrong then."""
        draw = self.random
        kinds, span, most = TROUBLES, draw.choice([MINUTE, 5 * HOUR]), 9
        if draw.random() < 0.2:  # many at once, so that what one does meets what another does
            kinds, span, most, self._slow = ("well",), 5, 15, 0.1
        for number in range(draw.randint(1, 3)):
            self._open_endpoint(f"end_{number}", kind=draw.choice(kinds))
        if any(one.down[1] < inf for one in self.receivers.values()):
            span = DOWN_SECONDS + 3 * HOUR
        for number in range(draw.randint(2, most)):
            self._begin_refresh(f"ref_{number}", at=self.began + draw.uniform(0, span))
        for _ in range(5):
            self._at(self.began + draw.uniform(0, span), self._sweep)
        self._go_on(until=self.began + span + 3 * HOUR)
        self.faulty = False
        for endpoint_id, item in self.endpoints.items.items():
            if item.stored.state in OFF:
                self._enable(endpoint_id)
        self._go_on(until=self.clock() + SETTLED_SECONDS)
        return list(self._faults())

    def _open_endpoint(self, endpoint_id: str, *, kind: str) -> None:
        draw, now = self.random, self.began
        self.endpoints.create(
            an_endpoint(endpoint_id, at=now, url=f"https://app.example/{endpoint_id}")
        )
        receiver = Receiver()
        match kind:
            case "down":
                begins = now + draw.uniform(0, HOUR)
                receiver.down = (begins, begins + DOWN_SECONDS + draw.uniform(0, 2 * HOUR))
            case "busy":
                begins = now + draw.uniform(0, HOUR)
                receiver.busy = (begins, begins + BUSY_SECONDS)
            case "gone":
                receiver.gone_at = now + draw.uniform(0, HOUR)
            case "flaky":
                receiver.fails = 0.3
            case "poison":
                receiver.poison = draw.choice("0123456789abcdef")
            case "loses":
                receiver.loses = 0.3
        self.receivers[endpoint_id], self.lines[endpoint_id] = receiver, Line()
        for _ in range(draw.choice([0, 0, 0, 1, 2])):
            at = now + draw.uniform(0, 3 * HOUR)
            self._at(at, lambda: self._pause(endpoint_id, paused=True))
            self._at(at + HOUR, lambda: self._pause(endpoint_id, paused=False))

    def _begin_refresh(self, refresh_id: str, *, at: float) -> None:
        connection_id = f"con_of_{refresh_id}"
        self.connections.create(a_connection(connection_id), TOKENS)
        refresh = steps.begin_trigger(
            a_refresh(refresh_id, at=self.began, connection_id=connection_id), at=self.began
        )
        self.refreshes.admit(refresh, until=inf)
        how = self.random.choice(["publish", "fail", "cancel"])
        self._at(at, lambda: self._end(refresh_id, how))
        if self.random.random() < 0.4:  # two that end it at once: one is refused
            self._at(at, lambda: self._end(refresh_id, "cancel"))

    def _end(self, refresh_id: str, how: str) -> None:
        """End a refresh; a call that dies over it is repeated, as its machine repeats it."""

        def end() -> None:
            refreshes, at = self._port(self.refreshes), self.clock()
            refresh: Refresh = refreshes.get(refresh_id)
            if refresh.status.has_ended:
                return
            ended = _ended(refresh, how, at=at)
            try:
                if how == "publish":
                    refreshes.publish(
                        ended, seen=refresh.version, snapshot=pointer(refresh_id), intervals=()
                    )
                else:
                    refreshes.save(ended, seen=refresh.version)
            except Superseded:
                self.refused.add(_event_id(ended))

        self._try(end, again=10)

    def _stream(self, event: OutboxEvent) -> None:
        """The stream of events calls the announcer, maybe twice, or never."""
        self.documents[event.event_id] = event.document
        for _ in range(self._times()):
            self._at(self.clock() + self.random.uniform(0, 2), lambda: self._announce(event))

    def _announce(self, event: OutboxEvent) -> None:
        def call() -> None:
            owed = self._announcing.outbox.owed(event.event_id)
            if owed is not None:
                announce(owed, self._announcing)

        self._try(call, again=5)

    def _sweep(self) -> None:
        """Look after what is due, as the clock has the announcer do each minute."""

        def call() -> None:
            now = self.clock()
            for endpoint_id, item in list(self.endpoints.items.items()):
                if item.look_at is not None and instant(item.look_at) <= now:
                    self.endpoints.items[endpoint_id] = replace(
                        item, look_at=iso(now + SWEPT_AGAIN_SECONDS)
                    )
                    self._lanes.send(endpoint_id, reason=f"at_{int(now)}")
            for event_id, look_at in list(self.tables.owed.items()):
                if look_at <= now:
                    self.tables.owed[event_id] = now + SWEPT_AGAIN_SECONDS
                    if event := self._announcing.outbox.owed(event_id):
                        announce(event, self._announcing)

        self._try(call)

    def _drain(self, endpoint_id: str) -> None:
        """Answer the oldest message of an endpoint, unless one of it is being answered."""
        line, now = self.lines[endpoint_id], self.clock()
        line.messages = [one for one in line.messages if one[0] > now - RETAINED_SECONDS]
        twice = self.faulty and self.random.random() < 0.02
        if not line.messages or (line.hidden_until > now and not twice):
            return
        message = line.messages[0]
        line.hidden_until = now + HIDDEN_SECONDS
        self._at(line.hidden_until, lambda: self._drain(endpoint_id))

        def call() -> None:
            drained = drain(endpoint_id, self._draining, until=self.clock() + CALL_SECONDS)
            self.counts["endpoints disabled"] += drained.disabled
            if drained.again:
                self._lanes.send(endpoint_id, reason=f"again_{int(self.clock())}")
            if message in line.messages:
                line.messages.remove(message)
            line.hidden_until = 0
            self._at(self.clock(), lambda: self._drain(endpoint_id))

        self._try(call)

    def _pause(self, endpoint_id: str, *, paused: bool) -> None:
        def call() -> None:
            self._change(endpoint_id, paused=paused)

        self._try(call, again=30)

    def _enable(self, endpoint_id: str) -> None:
        def call() -> None:
            self._change(endpoint_id, paused=False, forgiven=True)

        self._try(call, again=30)

    def _change(self, endpoint_id: str, *, paused: bool, forgiven: bool = False) -> None:
        """What the API does to an endpoint."""
        endpoints = self._port(self.endpoints)
        stored = endpoints.get(endpoint_id)
        after = replace(stored.endpoint, paused=paused, version=stored.endpoint.version + 1)
        health = Health(version=stored.health.version + 1) if forgiven else None
        try:
            endpoints.save(after, at=self.clock(), health=health)
        except Superseded:
            self._at(self.clock() + 1, lambda: self._enable(endpoint_id) if forgiven else None)

    # --- time and faults ---------------------------------------------------------------------

    def step(self, name: str) -> None:
        """Pass one step: time goes on, others take their turn, and the call may die."""
        self._steps += 1
        self.clock.now += self.random.uniform(0, self._slow)
        self._take_turns()
        if self.faulty and (self._steps == self._dies_at or self.random.random() < self._crashes):
            self.killed[name] += 1
            raise Crash

    def _take_turns(self) -> None:
        """Let others do some of what is due by now, while the call that is under way stands still.

        It may stand still until what is due in a moment has been done, too.
        """
        while self._agenda and self._depth < DEPTH and self.random.random() < TURN:
            ahead = self._agenda[0][0] - self.clock()
            if ahead > 0 and (ahead > STALL_SECONDS or self.random.random() >= self._stalls):
                return
            self.clock.now += max(ahead, 0)
            heappop(self._agenda)[2]()

    def _try(self, call: Callable[[], None], *, again: float = 0) -> None:
        """Make a call that may die; if it does, it may be made again."""
        self._depth += 1
        try:
            call()
        except Crash:
            if again:
                self._at(self.clock() + again, lambda: self._try(call, again=again))
        finally:
            self._depth -= 1

    def _at(self, at: float, do: Callable[[], None]) -> None:
        heappush(self._agenda, (at, next(self._numbers), do))

    def _go_on(self, *, until: float) -> None:
        while (at := min(self._next_thing(), self._next_sweep())) <= until:
            self.clock.now = max(self.clock(), at)
            if self._next_sweep() <= self.clock():
                self._swept = self.clock()
                self._sweep()
            else:
                heappop(self._agenda)[2]()
        self.clock.now = max(self.clock(), until)

    def _next_thing(self) -> float:
        return self._agenda[0][0] if self._agenda else inf

    def _next_sweep(self) -> float:
        """The first minute at which a sweep finds something; the others are passed over."""
        looks = [instant(one.look_at) for one in self.endpoints.items.values() if one.look_at]
        due = min([*looks, *self.tables.owed.values()], default=inf)
        return max(due, self._swept + MINUTE)

    def _sleep(self, seconds: float) -> None:
        self.clock.now += seconds
        self._take_turns()

    def _times(self) -> int:
        """How often a message arrives."""
        if not self.faulty:
            return 1
        if self.random.random() < self._loses:
            self.counts["messages lost"] += 1
            return 0
        doubled = self.random.random() < 0.1
        self.counts["messages doubled"] += doubled
        return 1 + doubled

    def send(self, endpoint_id: str, *, reason: str) -> None:
        """Take a message, as the queue does."""
        line, now = self.lines[endpoint_id], self.clock()
        if line.names.get(reason, -inf) > now - DEDUPLICATED_SECONDS:
            return
        line.names[reason] = now
        for _ in range(self._times()):
            line.messages.append((now, reason))
            self._at(now, lambda: self._drain(endpoint_id))

    def receive(self, endpoint_id: str, event_id: str) -> Sent:
        """Answer a request as the endpoint's application does."""
        receiver, now, draw = self.receivers[endpoint_id], self.clock(), self.random
        self.clock.now += draw.choice([0.05, 0.05, 0.3, 2])
        self.counts["requests"] += 1
        if refused := self._refuse(receiver, event_id, at=now):
            return refused
        receiver.got[event_id] += 1
        if self.faulty and draw.random() < receiver.loses:
            return Sent(milliseconds=20_000, error=SendError.TIMED_OUT)
        return Sent(milliseconds=50, status=204)

    def _refuse(self, receiver: Receiver, event_id: str, *, at: float) -> Sent | None:
        """How a request is answered that is not taken; None where it is."""
        draw = self.random
        if receiver.down[0] <= at < receiver.down[1]:
            self.clock.now += 18
            return Sent(milliseconds=20_000, error=SendError.TIMED_OUT)
        if receiver.busy[0] <= at < receiver.busy[1]:
            return Sent(milliseconds=50, status=429, retry_after=draw.choice([None, 30, 7200]))
        if self.faulty and at >= receiver.gone_at:
            return Sent(milliseconds=50, status=410)
        poisoned = bool(receiver.poison) and event_id.endswith(receiver.poison)
        if self.faulty and (poisoned or draw.random() < receiver.fails):
            return Sent(milliseconds=50, status=500)
        return None

    # --- what is wrong -----------------------------------------------------------------------

    def _faults(self) -> Iterator[str]:
        for refresh in self.tables.refreshes.values():
            if not refresh.status.has_ended or _event_id(refresh) not in self.tables.events:
                yield f"{refresh.refresh_id} has no event"
        told = set(self.bus).union(*(one.got for one in self.receivers.values()))
        yield from (f"{each} was told and is not true" for each in told - set(self.tables.events))
        yield from (f"{each} is owed" for each in self.tables.owed)
        yield from (f"{each} is not on the bus" for each in set(self.tables.events) - set(self.bus))
        for endpoint_id, item in self.endpoints.items.items():
            if item.stored.state in OFF:
                yield f"{endpoint_id} is {item.stored.state}"
            for event in self.tables.events.values():
                yield from self._faults_of(endpoint_id, event)

    def _faults_of(self, endpoint_id: str, event: OutboxEvent) -> Iterator[str]:
        receiver, event_id = self.receivers[endpoint_id], event.event_id
        found = self.deliveries.get(endpoint_id, event_id, event_at=event.at)
        if found is None:
            yield f"{event_id} was not offered to {endpoint_id}"
            return
        used_up = found.status is DeliveryStatus.FAILED and found.attempts > len(GAPS_SECONDS)
        if used_up and receiver.poison and event_id.endswith(receiver.poison):
            self.counts["deliveries failed for good"] += 1
        elif not receiver.got[event_id] or found.status is not DeliveryStatus.DELIVERED:
            yield f"{event_id} is {found.status} at {endpoint_id}"

    def sum_up(self) -> Counter[str]:
        """What has happened, in numbers."""
        taken = [number for one in self.receivers.values() for number in one.got.values()]
        return self.counts + Counter(
            {
                "things ended": len(self.tables.refreshes),
                "events written": len(self.tables.events),
                "writes refused": len(self.refused),
                "on the bus": len(self.bus),
                "on the bus again": self.bus.total() - len(self.bus),
                "deliveries arrived": len(taken),
                "deliveries arrived again": sum(taken) - len(taken),
                "receivers down for 72 hours": sum(
                    one.down[1] < inf for one in self.receivers.values()
                ),
                "calls killed": self.killed.total(),
            }
        )


def _each(function: Callable[[Any], Any], things: Iterable[Any], /) -> list[Any]:
    return [function(each) for each in things]


def _ended(refresh: Refresh, how: str, *, at: float) -> Refresh:
    match how:
        case "publish":
            manifest = a_manifest(refresh.refresh_id, as_of=at)
            return steps.publish(refresh, manifest, ticket=a_ticket(at=at), at=at)
        case "fail":
            return steps.fail(refresh, ProviderUnavailable, at=at)
    return steps.cancel(refresh, at=at)


def _event_id(refresh: Refresh) -> str:
    event = event_of_refresh(refresh)
    assert event is not None
    return event.event_id
