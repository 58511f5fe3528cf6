"""Which token to use, and how to get the next: one worker, and siblings at chosen moments."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import inf, nan
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.connectors.http.answers import TokenRefused
from functions.connectors.oauth import EARLY_SECONDS, GrantRefused, TokenKeeper
from functions.core.errors import ProviderUnavailable, ReauthRequired, Superseded, UnexpectedAnswer
from functions.core.model import Credentials
from tests.support.fakes.stores import LEASE_SECONDS, Clock, Connections, Tables
from tests.support.scripted_connector import CONNECTION, a_connection, connector_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.model import StoredCredentials

NEW = Credentials(access_token="new", refresh_token="refresh-new")
THREADS = 4
SIBLINGS = Credentials(access_token="sibling", refresh_token="refresh-sibling")


class TokenHarness:
    """A connection with a token that ends in so many seconds, and a keeper of it."""

    def __init__(self, *, ends_in: float | None = None, lasting: bool = True) -> None:
        self.clock = Clock()
        self.connections = Connections(Tables(), clock=self.clock)
        old = Credentials(
            access_token="old",
            refresh_token="refresh-old" if lasting else None,
            expires_at=0 if ends_in is None else self.clock() + ends_in,
        )
        self.connections.create(a_connection(), old)
        self.good = {"new", "sibling"}
        self.exchanged: list[str] = []
        self.called: list[str] = []
        self.meanwhile: Callable[[], object] = bool
        self.answer: Credentials | Exception = NEW
        self.left: Callable[[], float] = lambda: inf

    def use(self, *, sleep: Callable[[float], None] | None = None) -> str:
        return self.keeper(sleep=sleep).use(self.call)

    def keeper(self, *, sleep: Callable[[float], None] | None = None) -> TokenKeeper:
        ports = connector_ports(
            self.connections,
            application=b"",
            clock=self.clock,
            sleep=sleep or self.clock.sleep,
            left=self.left,
        )
        return TokenKeeper(ports, connection_id=CONNECTION, exchange=self._exchange)

    def rotate(self, to: Credentials) -> None:
        """A rotation by a sibling or by a new sign-in."""
        self.connections.rotate(CONNECTION, version=self.stored.version, to=to)

    def sign_in(self) -> None:
        """The user's new sign-in is put in place of whatever is there."""
        self.connections.replace(a_connection(), SIBLINGS)

    @property
    def stored(self) -> StoredCredentials:
        return self.connections.load(CONNECTION)

    def _exchange(self, token: str) -> Credentials:
        self.exchanged.append(token)
        self.meanwhile()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def call(self, token: str) -> str:
        self.called.append(token)
        if token not in self.good:
            raise TokenRefused
        return token


@pytest.mark.parametrize(
    ("ends_in", "exchanges"),
    [
        pytest.param(None, 0, id="unknown-end"),
        pytest.param(EARLY_SECONDS + 1, 0, id="in-good-time"),
        pytest.param(EARLY_SECONDS - 1, 1, id="soon"),
        pytest.param(-1, 1, id="it-has-ended"),
    ],
)
def test_a_token_that_ends_soon_is_exchanged_before_it_is_used(
    ends_in: float | None, exchanges: int
) -> None:
    harness = TokenHarness(ends_in=ends_in)
    harness.good |= {"old"}
    assert harness.use() == ("new" if exchanges else "old")
    assert len(harness.exchanged) == exchanges


def test_of_several_threads_that_are_refused_one_exchanges_and_all_go_on() -> None:
    harness, together = TokenHarness(), Barrier(THREADS)
    keeper = harness.keeper()

    def call(token: str) -> str:
        if token == "old":
            together.wait()
        return harness.call(token)

    with ThreadPoolExecutor(THREADS) as pool:
        used = [*pool.map(lambda _: keeper.use(call), range(THREADS))]
    assert used == ["new"] * THREADS
    assert harness.exchanged == ["refresh-old"]


def test_a_new_token_that_is_refused_at_once_is_exchanged_by_no_thread() -> None:
    harness, together = TokenHarness(), Barrier(THREADS)
    harness.good = set()
    keeper = harness.keeper()

    def call(token: str) -> str:
        together.wait()
        return harness.call(token)

    def use(_: int) -> bool:
        with pytest.raises(ReauthRequired):
            keeper.use(call)
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(use, range(THREADS)))
    assert harness.exchanged == ["refresh-old"]


def test_a_new_token_is_stored_before_it_is_used() -> None:
    harness = TokenHarness()
    harness.good = set()
    with pytest.raises(ReauthRequired):
        harness.use()
    assert harness.stored.credentials == NEW


def test_a_refusal_after_a_sibling_came_first_is_no_death() -> None:
    harness = TokenHarness()
    harness.meanwhile = lambda: harness.rotate(SIBLINGS)
    harness.answer = GrantRefused()
    assert harness.use() == "sibling"
    assert not harness.stored.dead


def test_a_refusal_after_which_nothing_has_moved_is_the_end() -> None:
    harness = TokenHarness()
    harness.answer = GrantRefused()
    with pytest.raises(ReauthRequired):
        harness.use()
    assert harness.stored.dead
    with pytest.raises(ReauthRequired):
        harness.use()
    assert harness.exchanged == ["refresh-old"]


def test_a_sibling_who_is_at_it_is_waited_for() -> None:
    harness = TokenHarness(ends_in=-1)
    harness.connections.lease(CONNECTION, version=1, owner="sibling")

    def sleep(seconds: float) -> None:
        harness.clock.sleep(seconds)
        if len(harness.clock.slept) == 3:
            harness.rotate(SIBLINGS)

    assert harness.use(sleep=sleep) == "sibling"
    assert harness.exchanged == []


def test_a_sibling_who_dies_while_at_it_is_not_waited_for_for_ever() -> None:
    harness = TokenHarness(ends_in=-1)
    harness.connections.lease(CONNECTION, version=1, owner="sibling")
    with pytest.raises(ProviderUnavailable):
        harness.use()
    assert 8 <= sum(harness.clock.slept) <= 9
    assert harness.exchanged == []


def test_a_sibling_is_waited_for_no_longer_than_there_is_time() -> None:
    harness = TokenHarness(ends_in=-1)
    harness.connections.lease(CONNECTION, version=1, owner="sibling")
    harness.left = lambda: 3
    with pytest.raises(ProviderUnavailable):
        harness.use()
    assert 3 <= sum(harness.clock.slept) <= 3.5


def test_a_lease_that_is_over_is_taken() -> None:
    harness = TokenHarness(ends_in=-1)
    harness.connections.lease(CONNECTION, version=1, owner="sibling")
    harness.clock.now += LEASE_SECONDS + 1
    assert harness.use() == "new"


def test_credentials_that_a_sibling_has_buried_are_dead_for_all() -> None:
    harness = TokenHarness(ends_in=-1)
    harness.connections.lease(CONNECTION, version=1, owner="sibling")
    with pytest.raises(ReauthRequired):
        harness.use(sleep=lambda _: harness.connections.mark_dead(CONNECTION, version=1))


def test_credentials_that_the_user_replaced_meanwhile_are_used_and_not_overwritten() -> None:
    harness = TokenHarness(ends_in=-1)
    harness.meanwhile = harness.sign_in
    assert harness.use() == "sibling"
    assert harness.stored.credentials == SIBLINGS


def test_what_the_user_put_in_place_meanwhile_is_exchanged_where_it_is_refused() -> None:
    harness = TokenHarness()
    harness.good = {"new"}

    def sign_in_once() -> None:
        if len(harness.exchanged) == 1:
            harness.sign_in()

    harness.meanwhile = sign_in_once
    assert harness.use() == "new"
    assert harness.exchanged == ["refresh-old", "refresh-sibling"]


def test_dead_credentials_that_were_put_in_place_meanwhile_are_the_end() -> None:
    harness = TokenHarness()

    def sign_in_in_vain() -> None:
        harness.sign_in()
        harness.connections.mark_dead(CONNECTION, version=2)

    harness.meanwhile = sign_in_in_vain
    with pytest.raises(ReauthRequired):
        harness.use()


def test_a_connection_that_is_erased_while_its_token_is_exchanged_has_none() -> None:
    harness = TokenHarness()
    harness.meanwhile = lambda: harness.connections.begin_erasing(CONNECTION)
    with pytest.raises(Superseded):
        harness.use()


@pytest.mark.parametrize("answer", [ProviderUnavailable(), UnexpectedAnswer(), ValueError()])
def test_a_failed_exchange_gives_the_right_to_rotate_back(answer: Exception) -> None:
    harness = TokenHarness()
    harness.answer = answer
    with pytest.raises(type(answer)):
        harness.use()
    assert harness.connections.lease(CONNECTION, version=1, owner="sibling")


def test_a_successor_that_is_refused_though_nothing_has_moved_is_a_defect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Superseded

    harness = TokenHarness()
    monkeypatch.setattr(harness.connections, "rotate", refuse)
    with pytest.raises(Superseded):
        harness.use()
    assert harness.exchanged == ["refresh-old"]


def test_credentials_are_loaded_once_for_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = TokenHarness()
    harness.good |= {"old"}
    keeper = harness.keeper()
    assert keeper.use(harness.call) == "old"
    monkeypatch.delattr(Connections, "load")
    assert keeper.use(harness.call) == "old"


def test_a_dead_token_is_not_tried_even_where_it_is_still_good() -> None:
    harness = TokenHarness()
    harness.good |= {"old"}
    harness.connections.mark_dead(CONNECTION, version=1)
    with pytest.raises(ReauthRequired):
        harness.use()


@pytest.mark.parametrize("life", [1, 30, EARLY_SECONDS - 1, EARLY_SECONDS, EARLY_SECONDS + 1])
def test_a_token_that_lives_shortly_is_used_more_than_once(life: int) -> None:
    harness = TokenHarness(ends_in=-1)
    harness.answer = replace(NEW, expires_at=harness.clock() + life)
    for _ in range(5):
        assert harness.use() == "new"
        harness.clock.now += life * 0.17
    assert harness.exchanged == ["refresh-old"]
    harness.clock.now += life * 0.1
    harness.answer = SIBLINGS
    assert harness.use() == "sibling"


@pytest.mark.parametrize("ends", [nan, inf, -inf, -5, 1e300, 1.0, 1_800_000_000_000])
def test_an_end_that_cannot_be_is_not_known(ends: float) -> None:
    harness = TokenHarness(ends_in=-1)
    harness.answer = replace(NEW, expires_at=ends)
    assert [harness.use(), harness.use()] == ["new", "new"]
    assert harness.stored.credentials == NEW


def test_a_successor_without_an_access_token_is_kept_and_exchanged_the_next_time() -> None:
    harness = TokenHarness(ends_in=-1)
    harness.answer = replace(NEW, access_token="")
    with pytest.raises(UnexpectedAnswer):
        harness.use()
    assert harness.stored.credentials.refresh_token == "refresh-new"
    harness.answer = SIBLINGS
    assert harness.use() == "sibling"
    assert harness.exchanged == ["refresh-old", "refresh-new"]
    assert harness.called == ["sibling"]


def test_dead_credentials_come_alive_when_the_user_signs_in_again() -> None:
    harness = TokenHarness()
    harness.connections.mark_dead(CONNECTION, version=1)
    with pytest.raises(ReauthRequired):
        harness.use()
    harness.rotate(NEW)
    assert harness.use() == "new"


def test_without_a_refresh_token_a_refused_token_is_the_end() -> None:
    harness = TokenHarness(lasting=False)
    with pytest.raises(ReauthRequired):
        harness.use()
    assert harness.exchanged == []
    assert harness.stored.dead


def test_without_a_refresh_token_what_the_user_put_in_place_meanwhile_is_used() -> None:
    harness = TokenHarness(lasting=False)
    keeper = harness.keeper()
    harness.good |= {"old"}
    assert keeper.use(harness.call) == "old"
    harness.good -= {"old"}
    harness.connections.replace(a_connection(), SIBLINGS)
    assert keeper.use(harness.call) == "sibling"
    assert not harness.stored.dead


def test_a_connection_that_was_erased_has_no_token() -> None:
    harness = TokenHarness()
    harness.connections.begin_erasing(CONNECTION)
    with pytest.raises(Superseded):
        harness.use()
