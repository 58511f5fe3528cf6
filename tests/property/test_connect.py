"""However steps of a connect session interleave and wherever they break off: once at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.core.connect.ends import RETRY_SECONDS
from functions.core.connect.flow import Halted
from functions.core.connect.model import MAX_ATTEMPTS
from functions.core.connect.ports import Consent
from functions.core.errors import FreshetError
from tests.support.connect_harness import COOKIE, RETURN_URL, SESSION, TOKEN, USER, Connecting
from tests.support.interleaving import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.core.connect.flow import Flow

Move: TypeAlias = tuple[str, int, int]

STEPS = (
    *("begin", "leave", "callback", "callback"),
    *("complete", "complete_as_another", "cancel", "expire"),
)
ALL = 500

OTHERS = ("go on", "go on", "die", "wait")
SECONDS = (1, 700, 1300, 1900)
SOME = st.one_of(st.just(ALL), st.integers(3, 12))

MOVES = st.lists(
    st.tuples(st.sampled_from((*STEPS, *OTHERS)), st.integers(0, 3), SOME), max_size=10
)
BEGIN: Move = ("begin", 0, ALL)
CALLBACKS: st.SearchStrategy[Move] = st.tuples(st.just("callback"), st.just(0), SOME)
BEFORE: st.SearchStrategy[Sequence[Move]] = st.one_of(
    st.just([BEGIN]), st.tuples(st.just(BEGIN), CALLBACKS)
)


class World:
    """A session, and workers that each do a step of it."""

    def __init__(self, *, return_url: str, existing: bool, subjects: tuple[str, ...]) -> None:
        self.house = Connecting(return_url=return_url, existing=existing, refresh=True)
        self.subjects = subjects
        self.states: list[str] = []
        self.codes: dict[str, str] = {}
        self.redeemable: list[str] = []
        self.workers: list[Worker] = []
        self.dead = 0
        self.failures: list[AssertionError] = []
        self.sealed: set[str] = set()

    def move(self, what: str, number: int, steps: int) -> None:
        """Have a new worker do some steps, or an old one; or have one die, or time pass."""
        if what == "wait":
            self.house.clock.now += SECONDS[number]
        elif what in STEPS:
            worker = Worker(lambda *, told: self._do(what, number, told))
            self.workers.append(worker)
            worker.go_on(steps)
        elif alive := [worker for worker in self.workers if not worker.ended]:
            worker = alive[number % len(alive)]
            if what == "go on":
                worker.go_on(steps)
            else:
                worker.die()
                self.dead += 1

    def _do(self, name: str, number: int, told: Callable[[], object]) -> None:
        def watched() -> None:
            self._look()
            told()

        try:
            self._step(name, number, self.house.flow(watched))
        except (Halted, FreshetError):
            pass
        except AssertionError as error:
            self.failures.append(error)

    def _step(self, name: str, number: int, flow: Flow) -> None:
        house, session = self.house, self.house.session
        match name:
            case "begin":
                url = flow.begin(TOKEN, COOKIE).url
                self.states.append(url.partition("state=")[2])
            case "leave":
                flow.leave(TOKEN)
            case "callback" if self.states:
                state = self.states[number % len(self.states)]
                subject = self.subjects[number % len(self.subjects)]
                code = self.codes.setdefault(state, house.bank.sign_in(subject))
                query = {"state": state, "code": code}
                there = flow.come_back(
                    provider="banno", name="garden", cookies={SESSION: COOKIE}, query=query
                )
                if "&code=" in there.url:
                    self.redeemable.append(there.url.partition("&code=")[2])
            case "complete" | "complete_as_another" if self.redeemable:
                code = self.redeemable[number % len(self.redeemable)]
                user = USER if name == "complete" else "another"
                flow.complete(session, code=code, external_id=user)
            case "cancel":
                flow.cancel(session)
            case "expire":
                flow.expire(session)

    def _look(self) -> None:
        """Note what is sealed, and that nothing is not."""
        house = self.house
        text = msgspec.json.encode(house.session).decode()
        assert not any(token in text for token in house.bank.alive)
        if sealed := house.session.sealed_consent:
            plain = house.unseal(house.session.connection, sealed)
            credentials = msgspec.json.decode(plain, type=Consent).credentials
            assert credentials is not None
            self.sealed.add(credentials.access_token)

    def sweep(self) -> None:
        """All who live come to their end; then the time of the session is over."""
        for worker in self.workers:
            worker.go_on(ALL)
            assert worker.ended
        for seconds in (4000.0, RETRY_SECONDS):
            self.house.clock.now += seconds
            self.house.flow().expire(self.house.session)


@settings(max_examples=1000)
@given(
    before=BEFORE,
    moves=MOVES,
    return_url=st.sampled_from(["", RETURN_URL]),
    existing=st.booleans(),
    subjects=st.sampled_from([("user-1",), ("user-1", "user-2")]),
)
def test_one_connection_one_exchange_and_no_token_is_left_behind(
    *,
    before: Sequence[Move],
    moves: list[Move],
    return_url: str,
    existing: bool,
    subjects: tuple[str, ...],
) -> None:
    world = World(return_url=return_url, existing=existing, subjects=subjects)
    for move in (*before, *moves):
        world.move(*move)
    world.sweep()

    house, session, bank = world.house, world.house.session, world.house.bank
    assert world.failures == []
    assert session.status.has_ended
    assert not session.pending
    assert session.attempts <= MAX_ATTEMPTS
    assert session.sealed_consent + session.sealed_token == b""
    assert len(bank.exchanged) == len(set(bank.exchanged))
    assert len(house.tables.connections) == max(existing, len(house.stored_tokens()))
    assert len(house.tables.connections) <= 1
    assert set(house.resumed) <= set(house.tables.connections)
    # A login on which a connection stands is left alone: one token may be all of them at a bank.
    shared = {item.connection.subject for item in house.tables.connections.values()}
    left = {token for token, login in bank.alive.items() if login not in shared}
    # What its worker took along, between the bank's answer and the write that would keep it.
    assert not left & world.sealed
    assert len(left) <= world.dead
