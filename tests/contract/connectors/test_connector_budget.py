"""Every connector asks the provider's budget before each request, and tells it of each 429."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.core.errors import RateLimited
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.providers.registry import CASES, WITH_TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.providers.simulated import Simulated

    Simulator = Callable[[str], Simulated]

every_provider = pytest.mark.parametrize("provider", CASES)


class Counted:
    """A budget that counts, and that may be spent."""

    def __init__(self) -> None:
        self.taken, self.spent, self.busy = 0, False, False
        self.pauses: list[float] = []

    def take(self, *, at_once: bool = False) -> None:
        if self.spent or (at_once and self.busy):
            raise RateLimited(wait_seconds=3, unsent=True)
        self.taken += 1

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


class Asked:
    """A light user's connection with a budget, and how many requests its provider has had."""

    def __init__(self, simulator: Simulator, provider: str) -> None:
        case, simulated = CASES[provider], simulator(provider)
        self.budget = Counted()
        self.one = ConnectorHarness(case, simulated, user=case.light, budget=self.budget)
        self._before = len(simulated.ledger())

    @property
    def requests(self) -> int:
        return len(self.one.simulated.ledger()) - self._before


@every_provider
def test_every_request_of_a_refresh_takes_its_turn(simulator: Simulator, provider: str) -> None:
    asked = Asked(simulator, provider)
    asked.one.refresh()
    assert asked.budget.taken == asked.requests > 0


@every_provider
def test_a_budget_without_a_turn_at_once_costs_time_and_nothing_else(
    simulator: Simulator, provider: str
) -> None:
    asked = Asked(simulator, provider)
    asked.budget.busy = True
    read = asked.one.refresh()
    assert asked.budget.taken == asked.requests
    assert read.truth == asked.one.simulated.truth(asked.one.user)


@pytest.mark.parametrize("provider", WITH_TOKENS)
def test_so_does_a_token_that_is_renewed(simulator: Simulator, provider: str) -> None:
    asked = Asked(simulator, provider)
    asked.one.simulated.expire(asked.one.user)
    asked.one.trigger()
    assert asked.budget.taken == asked.requests > 1


@every_provider
def test_so_does_a_page_that_is_asked_for_again_because_it_broke_off(
    simulator: Simulator, provider: str
) -> None:
    asked = Asked(simulator, provider)
    asked.one.strike("page", kind="disconnect")
    asked.one.refresh()
    assert asked.one.simulated.struck()
    assert asked.budget.taken == asked.requests


@every_provider
def test_a_budget_that_is_spent_lets_nothing_through(simulator: Simulator, provider: str) -> None:
    asked = Asked(simulator, provider)
    asked.budget.spent = True
    error = asked.one.refused(asked.one.trigger)
    assert isinstance(error, RateLimited)
    assert (error.wait_seconds, error.unsent) == (3, True)
    assert asked.requests == 0


@every_provider
def test_a_429_is_told_to_the_budget_with_what_it_asks_for(
    simulator: Simulator, provider: str
) -> None:
    asked = Asked(simulator, provider)
    asked.one.strike("trigger", kind="status", status=429, retry_after="7")
    error = asked.one.refused(asked.one.trigger)
    assert isinstance(error, RateLimited)
    assert error.wait_seconds == 7
    assert asked.budget.pauses == [7]


@pytest.mark.parametrize("verb", ["trigger", "fetch", "page"])
def test_so_is_what_digime_refuses_as_too_much_with_another_status(
    simulator: Simulator, verb: str
) -> None:
    asked = Asked(simulator, "digime")
    job = asked.one.check(asked.one.trigger())
    body = {"error": {"code": "TooManyRequests", "message": "m", "reference": "r"}}
    asked.one.strike(verb, kind="status", status=400, retry_after="7", body=body)
    pages = asked.one.connector.fetch(
        asked.one.connection, job, datasets=asked.one.datasets, cursor=None
    )
    error = asked.one.refused(asked.one.trigger if verb == "trigger" else lambda: list(pages))
    assert isinstance(error, RateLimited)
    assert error.wait_seconds == 7
    assert asked.budget.pauses == [7]
