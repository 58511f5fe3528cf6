"""Every connector, what goes wrong at its provider, and how the refresh ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.core.contract import Outcome
from functions.core.model import Status
from tests.support.providers.faults import FAULTS, NONE, outcome, strike
from tests.support.providers.refresh_driver import Course
from tests.support.providers.registry import STANDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.providers.simulated import Simulated

    Simulator = Callable[[str], Simulated]


def test_what_a_provider_says_of_faults_is_about_rows_of_the_table() -> None:
    told = {name for stand in STANDS.values() for name in stand.faults}
    assert told <= FAULTS.keys()


@pytest.mark.parametrize(
    ("provider", "name", "verb"),
    [
        pytest.param(provider, name, verb, id=f"{provider}-{name}-{verb}")
        for provider, stand in STANDS.items()
        for name, fault in FAULTS.items()
        for verb in fault.verbs
        if outcome(stand, name) != NONE and (stand.calls[verb].json or not fault.of_json)
    ],
)
def test_a_refresh_ends_as_the_table_says(
    simulator: Simulator, provider: str, name: str, verb: str
) -> None:
    stand, simulated = STANDS[provider], simulator(provider)
    strikes, whole = strike(stand, name), stand.faulted
    assert strikes is not None, "the provider's stand must say how this comes about"
    simulated.settings(**whole.settings)
    course = Course(stand, simulated, user=whole.user, verb=verb, strike=strikes)
    course.run()
    assert simulated.struck()
    assert course.told == outcome(stand, name)
    if course.refresh.status in {Status.PUBLISHED, Status.PARTIAL}:
        told = course.manifest
        assert all(part.as_of <= simulated.clock() for part in told.parts)
        assert all(each.as_of <= simulated.clock() for each in told.datasets.values())
        assert course.ask_again() is not Outcome.FRESH
    if course.told.startswith("published"):
        assert {name: len(set(marks)) for name, marks in course.marks().items()} == whole.records
        assert {name: len(marks) for name, marks in course.marks().items()} == whole.records
