"""A dataset of Endgrate's that cannot be had costs itself, whichever call it is and whatever it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.core.errors import (
    FetchWaits,
    JobLost,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    ProviderUnavailable,
    UnexpectedAnswer,
)
from functions.core.model import Coverage, PartState, Status
from tests.contract.provider_cases.endgrate import CASE
from tests.support.clients.endgrate import COMPANY, CONTACT, DEAL
from tests.support.providers.endgrate_harness import EndgrateHarness, parts, sessions_of
from tests.support.providers.refresh_driver import RefreshDriver

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.errors import FreshetError
    from tests.contract.provider_cases.endgrate import EndgrateSessions
    from tests.support.providers.connector_harness import ConnectorHarness
    from tests.support.providers.endgrate_harness import Simulator

UNAVAILABLE, APPLICATION = ProviderUnavailable, ProviderRefusesApplication
DATASETS = (CONTACT, COMPANY, DEAL)
WHY: dict[str, dict[int, type[FreshetError]]] = {
    "trigger": {400: ProviderRefusesConnection, 404: ProviderRefusesConnection},
    "statistics": {400: JobLost, 404: JobLost},
    "data": {400: UnexpectedAnswer, 404: UnexpectedAnswer},
    "errors": {400: UnexpectedAnswer, 404: UnexpectedAnswer},
}
SAME = {401: APPLICATION, 403: APPLICATION, 409: UnexpectedAnswer, 410: UnexpectedAnswer}
PASSING = dict.fromkeys((408, 500, 503), UNAVAILABLE)
CASES = [
    pytest.param(call, status, why, id=f"{call}-{status}")
    for call, own in WHY.items()
    for status, why in {**own, **SAME, **PASSING}.items()
]


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


def driver(sessions: EndgrateSessions, broken: dict[str, dict[str, int]]) -> RefreshDriver:
    """A refresh from its admission to its end, where some calls never go well."""

    def strike(one: ConnectorHarness, _verb: str) -> None:
        one.simulated.settings(broken=broken)

    driver = RefreshDriver(CASE, sessions, user="fern", verb="trigger", strike=strike)
    driver.run()
    return driver


@pytest.mark.parametrize("dataset", [CONTACT, DEAL])
@pytest.mark.parametrize(("call", "status", "why"), CASES)
def test_a_dataset_of_which_a_call_never_goes_well_costs_itself(
    sessions: EndgrateSessions, call: str, status: int, why: type[FreshetError], dataset: str
) -> None:
    truth = {name: set(records) for name, records in sessions.truth("fern").items()}
    ended = driver(sessions, {dataset: {call: status}})
    # Where only the error log is refused, the records are there.
    whole = call == "errors" or (call == "statistics" and why is UNAVAILABLE)
    had = truth if whole else {**truth, dataset: set()}
    assert {name: set(ids) for name, ids in ended.ids().items()} == had
    if call == "statistics" and why is UNAVAILABLE:
        assert ended.refresh.status is Status.PUBLISHED
        return
    part = next(each for each in ended.manifest.parts if each.part == dataset)
    state = PartState.INCOMPLETE if whole and truth[dataset] else PartState.FAILED
    assert (part.state, part.why, part.datasets) == (state, why.name(), (dataset,))
    assert ended.refresh.status is Status.PARTIAL
    assert ended.manifest.coverage.fresh == 2


@pytest.mark.parametrize(("call", "status", "why"), CASES)
def test_where_it_is_so_of_all_the_refresh_fails_for_it(
    sessions: EndgrateSessions, call: str, status: int, why: type[FreshetError]
) -> None:
    ended = driver(sessions, {dataset: {call: status} for dataset in DATASETS})
    if call == "errors":
        assert ended.manifest.coverage == Coverage(incomplete=2, failed=1)
    else:
        assert ended.told == f"failed `{why.name()}`"


def test_a_dataset_that_fails_keeps_what_was_published_of_it_before(
    sessions: EndgrateSessions,
) -> None:
    one = EndgrateHarness(sessions)
    first = one.refresh()
    sessions.settings(broken={CONTACT: {"data": 503}})
    job, before = one.check(one.trigger()), first.manifest
    with pytest.raises(FetchWaits):
        one.fetch(job, before=before)
    with pytest.raises(FetchWaits):
        one.fetch(job, before=before, resumed=True)
    second = one.fetch(job, before=before, resumed=True)
    assert parts(second)[CONTACT].state is PartState.FAILED
    assert second.manifest.datasets[CONTACT].files == first.manifest.datasets[CONTACT].files


def never_completed(*datasets: str) -> Callable[[ConnectorHarness, str], None]:
    def strike(one: ConnectorHarness, _verb: str) -> None:
        one.simulated.settings(seconds_by_type=dict.fromkeys(datasets, 86_400))

    return strike


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_dataset_that_is_not_completed_by_the_deadline_costs_itself(
    sessions: EndgrateSessions, dataset: str
) -> None:
    truth = {name: set(records) for name, records in sessions.truth("fern").items()}
    strike = never_completed(dataset)
    ended = RefreshDriver(CASE, sessions, user="fern", verb="trigger", strike=strike)
    ended.run()
    part = next(each for each in ended.manifest.parts if each.part == dataset)
    assert {name: set(ids) for name, ids in ended.ids().items()} == {**truth, dataset: set()}
    assert (part.state, part.why) == (PartState.FAILED, "DeadlineExceeded")
    assert ended.refresh.status is Status.PARTIAL
    assert ended.clock() - ended.refresh.deadline < 10


def test_where_none_is_completed_by_the_deadline_the_refresh_fails_for_it(
    sessions: EndgrateSessions,
) -> None:
    strike = never_completed(*DATASETS)
    ended = RefreshDriver(CASE, sessions, user="fern", verb="trigger", strike=strike)
    ended.run()
    assert ended.told == "failed `DeadlineExceeded`"


def test_a_dataset_that_comes_back_in_time_is_whole(sessions: EndgrateSessions) -> None:
    def strike(one: ConnectorHarness, verb: str) -> None:
        one.strike(verb, kind="status", status=503, skip=2, times=3)

    driver = RefreshDriver(CASE, sessions, user="fern", verb="page", strike=strike)
    driver.run()
    assert driver.told == "published 7 s later"


def test_a_rate_that_stays_limited_for_one_dataset_costs_that_one(
    sessions: EndgrateSessions,
) -> None:
    ended = driver(sessions, {DEAL: {"data": 429}})
    assert ended.told == "partial 31 s later"
    part = next(each for each in ended.manifest.parts if each.part == DEAL)
    assert (part.state, part.why) == (PartState.FAILED, "RateLimited")


def test_a_limited_rate_is_waited_out_where_it_is_met(sessions: EndgrateSessions) -> None:
    def strike(one: ConnectorHarness, verb: str) -> None:
        one.strike(verb, kind="status", status=429, retry_after="7", skip=3, times=2)

    driver = RefreshDriver(CASE, sessions, user="fern", verb="page", strike=strike)
    driver.run()
    assert driver.told == "published 14 s later"
