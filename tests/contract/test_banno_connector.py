"""Banno's connector, where it is unlike the others: a look is held open by the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.providers import STANDS
from tests.contract.tried import Tried

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.simulated import Simulated

    Simulator = Callable[[str], Simulated]


EVENTS = 5
"""How many the log of a task has that fetches one account; each ends a look that is held."""


def test_a_look_that_may_be_held_asks_for_what_is_new_and_ends_when_there_is_some(
    simulator: Simulator,
) -> None:
    one = Tried(STANDS["banno"], simulator("banno"), user="max")
    one.simulated.job_takes(2.0)
    one.check(one.trigger())
    looks = [row for row in one.simulated.ledger() if one.stand.calls["check"].meant(row)]
    assert 2 <= len(looks) <= EVENTS
    held = [True] * (len(looks) - 1)
    assert ["sinceVersion" in look["query"] for look in looks] == [False, *held]
