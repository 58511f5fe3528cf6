"""However often a request comes under one key, it is answered once."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import msgspec
import pytest

from functions.core.admission import admit
from functions.core.contract import Outcome, RefreshOptions, RefreshRequest
from functions.core.errors import Busy, KeyReused, NotFound
from functions.core.keys import KEY_SECONDS, Answered, Claim, digest, name, once
from functions.core.refresh import Admission, failed
from functions.rest.models import body
from tests.fake_keys import Keys
from tests.fakes import Clock, Tables
from tests.scripted import CONNECTION, DATASETS, TENANT, Crash, stocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.errors import FreshetError
    from functions.core.model import Refresh

CROWD = 50


class Counter:
    """Where requests come in, each with an id of its own to give."""

    def __init__(self) -> None:
        self.clock, self.tables = Clock(), Tables()
        self.connections, self.refreshes = stocked(self.tables, self.clock)
        self.keys = Keys(self.tables)
        self.started: list[str] = []
        self.number = 0

    def ask(
        self,
        key: str = "k",
        *,
        new: str = "",
        tenant: str = TENANT,
        dies: Callable[[], None] = lambda: None,
        **asked: object,
    ) -> Answered:
        """A request; ``dies`` is called when its refresh is admitted and not yet begun."""
        options = msgspec.convert({"connection_id": CONNECTION} | asked, RefreshOptions)
        self.number += 1

        def admitted(refresh_id: str) -> Admission:
            found = admit(
                RefreshRequest(connection_id=options.connection_id, datasets=options.datasets),
                refresh_id=refresh_id,
                at=self.clock(),
                connections=self.connections,
                refreshes=self.refreshes,
                datasets=DATASETS,
                tenant=tenant,
            )
            dies()
            if found.refresh is not None:
                self.started.append(refresh_id)
            return found

        return once(
            name(tenant, key),
            Claim(digest=digest(options), refresh_id=new or f"ref_{self.number}"),
            keys=self.keys,
            refreshes=self.refreshes,
            at=self.clock(),
            admitted=admitted,
        )

    def end(self, refresh_id: str, error: type[FreshetError] = Busy) -> Refresh:
        refresh = self.refreshes.get(refresh_id)
        assert refresh is not None
        ended = failed(refresh, error, at=self.clock())
        self.refreshes.save(ended, seen=refresh.version)
        self.refreshes.release(ended)
        return ended


@pytest.fixture
def counter() -> Counter:
    return Counter()


def at_once(ask: Callable[[int], Answered]) -> list[Answered]:
    """The answers of a crowd that asks at the same moment."""
    barrier = Barrier(CROWD)

    def one(number: int) -> Answered:
        barrier.wait()
        return ask(number)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(CROWD) as pool:
            return list(pool.map(one, range(CROWD)))
    finally:
        sys.setswitchinterval(usual)


def test_a_repetition_gets_the_same_answer_and_is_told_so(counter: Counter) -> None:
    first, second = counter.ask(), counter.ask()
    assert first.admission == Admission(outcome=Outcome.RUNNING, refresh_id="ref_1")
    assert second.admission == first.admission
    assert (first.replayed, second.replayed) == (False, True)
    assert counter.started == ["ref_1"]


def test_a_repetition_long_after_the_end_starts_nothing(counter: Counter) -> None:
    first = counter.ask()
    counter.end("ref_1")
    counter.clock.now += KEY_SECONDS
    assert counter.ask().admission == first.admission
    assert counter.started == ["ref_1"]


def test_a_key_that_is_forgotten_may_come_again_with_anything(counter: Counter) -> None:
    counter.ask()
    counter.end("ref_1")
    counter.clock.now += KEY_SECONDS + 1
    again = counter.ask(datasets=("accounts",))
    assert (again.admission.refresh_id, again.replayed) == ("ref_2", False)


def test_another_body_under_the_same_key_is_refused_and_starts_nothing(counter: Counter) -> None:
    counter.ask()
    with pytest.raises(KeyReused):
        counter.ask(max_age_seconds=60)
    assert counter.started == ["ref_1"]


def test_another_tenant_s_key_is_another_key(counter: Counter) -> None:
    counter.ask()
    with pytest.raises(NotFound):
        counter.ask(tenant="mallory")
    assert name("a", "b c") != name("a b", "c-")


@pytest.mark.parametrize("joined", [pytest.param(True, id="joined"), pytest.param(False, id="own")])
def test_which_refresh_answered_is_remembered(counter: Counter, *, joined: bool) -> None:
    if joined:
        counter.ask("of-another")
    first = counter.ask("k")
    counter.end("ref_1")
    later = counter.ask("k")
    assert later.admission == first.admission
    assert later.admission.outcome is (Outcome.JOINED if joined else Outcome.RUNNING)
    assert len(counter.started) == 1


@pytest.mark.parametrize("ended", [pytest.param(True, id="ended"), pytest.param(False, id="runs")])
def test_what_a_crash_left_half_done_is_mended_by_the_repetition(
    counter: Counter, *, ended: bool
) -> None:
    def dies() -> None:
        raise Crash

    with pytest.raises(Crash):
        counter.ask(dies=dies)
    assert counter.started == []
    if ended:
        counter.end("ref_1")
    mended = counter.ask()
    assert mended.admission == Admission(outcome=Outcome.RUNNING, refresh_id="ref_1")
    assert counter.started == ([] if ended else ["ref_1"])


def test_a_request_that_was_refused_may_be_repeated(counter: Counter) -> None:
    counter.ask("of-another", datasets=("accounts",))
    with pytest.raises(Busy):
        counter.ask("k")
    counter.end("ref_1")
    assert counter.ask("k").admission.refresh_id == "ref_2"


def test_of_two_answers_found_at_once_the_one_that_is_noted_first_is_everyone_s(
    counter: Counter,
) -> None:
    def meanwhile() -> None:
        counter.end("of-another")
        counter.ask("k", new="never")

    counter.ask("x", new="of-another")
    late = counter.ask("k", new="mine", dies=meanwhile)
    assert late.admission == counter.ask("k").admission
    assert late.admission == Admission(outcome=Outcome.RUNNING, refresh_id="mine")


def test_fifty_equal_requests_at_once_get_one_refresh_and_equal_answers(counter: Counter) -> None:
    answers = at_once(lambda number: counter.ask(new=f"ref_{number}"))
    (admission,) = {(each.admission.outcome, each.admission.refresh_id) for each in answers}
    assert admission == (Outcome.RUNNING, *counter.tables.refreshes)
    assert set(counter.started) == {admission[1]}
    assert [each.replayed for each in answers].count(False) == 1


def test_fifty_requests_under_different_keys_join_one(counter: Counter) -> None:
    answers = at_once(lambda number: counter.ask(f"key-{number}", new=f"ref_{number}"))
    assert {each.admission.refresh_id for each in answers} == set(counter.tables.refreshes)
    assert len(counter.tables.refreshes) == len(counter.started) == 1
    outcomes = [each.admission.outcome for each in answers]
    assert (outcomes.count(Outcome.RUNNING), outcomes.count(Outcome.JOINED)) == (1, CROWD - 1)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param('{"connection_id":"c"}', ' {\n"connection_id" :"c"} ', True, id="blanks"),
        pytest.param(
            '{"connection_id":"c","max_age_seconds":1}',
            '{"max_age_seconds":1,"connection_id":"\\u0063"}',
            True,
            id="order-and-escapes",
        ),
        pytest.param('{"connection_id":"c"}', '{"connection_id":"c","datasets":null}', True, id="null"),
        pytest.param('{"connection_id":"c"}', '{"connection_id":"d"}', False, id="another-value"),
        pytest.param('{"connection_id":"c"}', '{"connection_id":"c","synchronous":true}', False, id="more"),
    ],
)  # fmt: skip
def test_bodies_are_compared_by_their_values(one: str, other: str, *, same: bool) -> None:
    digests = {digest(body(text.encode(), RefreshOptions)) for text in (one, other)}
    assert (len(digests) == 1) is same
