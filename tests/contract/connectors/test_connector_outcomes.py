"""Every connector, what goes wrong at its provider, and how the refresh ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.core.model import Status, Verdict
from functions.core.refresh.admission import RefreshOutcome
from tests.support.providers.faults import FAULTS, NONE, outcome, strike
from tests.support.providers.refresh_driver import RefreshDriver
from tests.support.providers.registry import CASES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.providers.simulated import Simulated

    Simulator = Callable[[str], Simulated]


CAUSES = {
    "published": ("fresh", None),
    "partial": ("source_stale", "retry"),
    "partial, of unknown age": ("unknown_age", None),
    "DeadlineExceeded": ("provider_failed", "retry"),
    "JobLost": ("provider_failed", "retry"),
    "ProviderUnavailable": ("provider_failed", "retry"),
    "RateLimited": ("cooling_down", "retry"),
    "ReauthRequired": ("reauth_required", "reauthenticate"),
    "ProviderRefusesApplication": ("operator", "contact_operator"),
    "UnexpectedAnswer": ("defect", "report"),
}
"""The cause and the action that a caller is told, by how the refresh ended."""


def test_what_a_provider_says_of_faults_is_about_rows_of_the_table() -> None:
    told = {name for case in CASES.values() for name in case.faults}
    assert told <= FAULTS.keys()


@pytest.mark.parametrize(
    ("provider", "name", "verb"),
    [
        pytest.param(provider, name, verb, id=f"{provider}-{name}-{verb}")
        for provider, case in CASES.items()
        for name, fault in FAULTS.items()
        for verb in fault.verbs
        if outcome(case, name) != NONE and (case.calls[verb].json or not fault.of_json)
    ],
)
def test_a_refresh_ends_as_the_table_says(
    simulator: Simulator, provider: str, name: str, verb: str
) -> None:
    case, simulated = CASES[provider], simulator(provider)
    strikes, whole = strike(case, name), case.faulted
    assert strikes is not None, "the provider's case must say how this comes about"
    simulated.settings(**whole.settings)
    driver = RefreshDriver(case, simulated, user=whole.user, verb=verb, strike=strikes)
    driver.run()
    assert simulated.struck()
    assert driver.told == outcome(case, name)
    freshness = driver.assess()
    ended = driver.refresh.error or driver.refresh.status
    if ended == Status.PARTIAL and freshness.verdict is Verdict.UNKNOWN:
        ended = "partial, of unknown age"
    assert (freshness.cause, freshness.advice.action) == CAUSES[ended]
    if driver.refresh.status in {Status.PUBLISHED, Status.PARTIAL}:
        told = driver.manifest
        assert all(part.as_of <= simulated.clock() for part in told.parts)
        assert all(each.as_of <= simulated.clock() for each in told.datasets.values())
        assert driver.ask_again() is not RefreshOutcome.FRESH
    if driver.told.startswith("published"):
        assert {name: len(set(marks)) for name, marks in driver.marks().items()} == whole.records
        assert {name: len(marks) for name, marks in driver.marks().items()} == whole.records
