"""Every connector at its provider's simulator: what is there is read, whole and once."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from functions.connectors.registry import REGISTRY
from functions.core.contract import PAYLOAD_BYTES
from functions.core.errors import ConfigurationInvalid, FreshetError, ProviderUnavailable
from functions.core.model import Evidence, PartState
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.providers.registry import CASES
from tests.support.scripted_connector import a_ticket

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.model import Part
    from functions.core.ports import Page
    from tests.support.providers.case import Whole
    from tests.support.providers.connector_harness import Read
    from tests.support.providers.simulated import Simulated

    Simulator = Callable[[str], Simulated]

MONEY = re.compile(r"-?\d+\.\d\d")
every_provider = pytest.mark.parametrize("provider", CASES)
every_whole = pytest.mark.parametrize(
    ("provider", "whole"),
    [
        pytest.param(provider, whole, id=f"{provider}-{whole.user}")
        for provider, case in CASES.items()
        for whole in case.wholes
    ],
)


def tried(
    simulator: Simulator, provider: str, *, user: str | None = None, **settings: Any
) -> ConnectorHarness:
    """A user's connection to a provider with these switches; by default the entry's own user."""
    case, simulated = CASES[provider], simulator(provider)
    if settings:
        simulated.settings(**settings)
    return ConnectorHarness(case, simulated, user=user or case.user)


def test_every_provider_of_the_registry_has_its_stand() -> None:
    cases = [case.entry for case in CASES.values()]
    assert [name for name, entry in REGISTRY.items() if entry not in cases] == []


@every_whole
def test_a_whole_read_has_every_record_once_and_as_the_provider_gave_it(
    simulator: Simulator, provider: str, whole: Whole
) -> None:
    one = tried(simulator, provider, user=whole.user, **whole.settings)
    read = one.refresh()
    assert {name: len(read.ids(name)) for name in read.lines} == whole.records
    assert read.truth == one.simulated.truth(whole.user)
    for dataset in read.lines:
        assert max(Counter(read.ids(dataset)).values(), default=1) == 1


@every_whole
def test_a_whole_read_tells_what_is_gone_and_how_fresh_the_rest_is(
    simulator: Simulator, provider: str, whole: Whole
) -> None:
    read = tried(simulator, provider, user=whole.user, **whole.settings).refresh()
    assert read.manifest.coverage == whole.coverage
    deletions = {name: dataset.deletions for name, dataset in read.manifest.datasets.items()}
    assert {name: count for name, count in deletions.items() if count} == whole.deletions


@every_whole
def test_a_snapshot_is_as_old_as_its_oldest_part(
    simulator: Simulator, provider: str, whole: Whole
) -> None:
    one = tried(simulator, provider, user=whole.user, **whole.settings)
    asked = one.simulated.clock()
    read = one.refresh()
    stale = [part.as_of for part in read.manifest.parts if part.state is PartState.STALE]
    assert (read.manifest.as_of < asked - 1) == bool(stale)
    assert not stale or read.manifest.as_of == min(stale)


@every_whole
def test_a_fresh_part_names_the_evidence_of_its_age(
    simulator: Simulator, provider: str, whole: Whole
) -> None:
    read = tried(simulator, provider, user=whole.user, **whole.settings).refresh()
    fresh = [part.evidence for part in read.manifest.parts if part.state is PartState.FRESH]
    assert fresh
    assert Evidence.NONE not in fresh


@every_whole
def test_a_refresh_of_one_dataset_keeps_what_is_known_of_the_others(
    simulator: Simulator, provider: str, whole: Whole
) -> None:
    one = tried(simulator, provider, user=whole.user, **whole.settings)
    first = one.refresh()
    again, *others = one.datasets
    one.datasets = (again,)
    one.order = replace(one.order, datasets=one.datasets)
    second = one.refresh(first)
    assert _told(second, again).keys() == _told(first, again).keys() != set()
    for other in others:
        assert _told(second, other) == _told(first, other) != {}


def _told(read: Read, dataset: str) -> dict[str, Part]:
    """The parts of a dataset in a snapshot."""
    parts = read.manifest.parts
    return {part.part: replace(part, datasets=()) for part in parts if dataset in part.datasets}


@pytest.mark.parametrize(
    ("provider", "field"), [(name, case.money) for name, case in CASES.items() if case.money]
)
def test_money_stays_the_decimal_text_that_it_was(
    simulator: Simulator, provider: str, field: str
) -> None:
    records = tried(simulator, provider).refresh().truth.values()
    amounts = [one[field] for each in records for one in each.values() if field in one]
    assert len(amounts) > 100
    assert all(isinstance(amount, str) and MONEY.fullmatch(amount) for amount in amounts)


@pytest.mark.parametrize(
    ("provider", "settings"),
    [
        pytest.param(provider, settings, id=f"{provider}-{number}")
        for provider, case in CASES.items()
        for number, settings in enumerate(case.failing)
    ],
)
def test_the_end_of_a_job_is_no_proof_of_fresh_data(
    simulator: Simulator, provider: str, settings: dict[str, Any]
) -> None:
    read = tried(simulator, provider, **settings).refresh()
    assert read.manifest.coverage.fresh == 0
    assert read.manifest.coverage.stale > 0


@pytest.mark.parametrize(
    ("provider", "user", "error"),
    [
        pytest.param(provider, user, error, id=f"{provider}-{user}")
        for provider, case in CASES.items()
        for user, error in case.refused_users
    ],
)
def test_a_user_who_must_act_is_told_so(
    simulator: Simulator, provider: str, user: str, error: type[FreshetError]
) -> None:
    one = tried(simulator, provider, user=user)
    assert type(one.refused(one.trigger)) is error


@every_provider
def test_a_dataset_that_was_not_asked_for_is_not_read(simulator: Simulator, provider: str) -> None:
    one = tried(simulator, provider, user=CASES[provider].light)
    first, *others = one.datasets
    job = one.check(one.trigger())
    pages = list(one.connector.fetch(one.connection, job, datasets=(first,), cursor=None))
    assert {page.dataset for page in pages} == {first}
    asked = one.simulated.calls(one.case.calls["page"])
    one.fetch(job)
    assert not others or asked < one.simulated.calls(one.case.calls["page"]) / 2


@every_provider
def test_a_fetch_goes_on_from_any_page(simulator: Simulator, provider: str) -> None:
    one = tried(simulator, provider)
    job = one.check(one.trigger())

    def pages_from(page: Page | None) -> list[Page]:
        cursor, datasets = page.cursor if page else None, one.datasets
        return list(one.connector.fetch(one.connection, job, datasets=datasets, cursor=cursor))

    whole = pages_from(None)
    assert [page.cursor is None for page in whole] == [False] * (len(whole) - 1) + [True]
    for place in range(0, len(whole) - 1, 4):
        rest = pages_from(whole[place])
        assert _ids(rest) == _ids(whole[place + 1 :])


def _ids(pages: list[Page]) -> list[tuple[str, str, list[str]]]:
    for record in (record for page in pages for record in page.records):
        if record.blob is not None:
            record.blob.close()
    return [(page.dataset, page.part, [one.id for one in page.records]) for page in pages]


@pytest.mark.parametrize(
    ("provider", "settings"),
    [
        pytest.param(name, settings, id=f"{name}-{'-'.join(settings)}")
        for name, case in CASES.items()
        for settings in (case.moving, case.vanishing)
        if settings
    ],
)
def test_a_list_that_moves_while_it_is_read_loses_and_doubles_nothing(
    simulator: Simulator, provider: str, settings: dict[str, Any]
) -> None:
    one = tried(simulator, provider)
    before = one.simulated.truth(one.user)
    job = one.check(one.trigger())
    one.simulated.settings(**settings)
    read = one.fetch(job)
    one.simulated.settings(**dict.fromkeys(settings, False))
    after = one.simulated.truth(one.user)
    for name, records in before.items():
        always = records.keys() & after[name].keys()
        assert always <= set(read.ids(name)) <= records.keys() | after[name].keys()
        assert max(Counter(read.ids(name)).values(), default=1) == 1


@every_provider
def test_a_job_fits_into_its_ticket_and_holds_no_secret(
    simulator: Simulator, provider: str
) -> None:
    one = tried(simulator, provider)
    job = one.check(one.trigger())
    text = msgspec.json.encode(a_ticket(at=one.simulated.clock(), job=job)).decode()
    assert len(text) <= PAYLOAD_BYTES / 2
    assert not [secret for secret in one.known_secrets() if secret in text]


@every_provider
def test_a_second_trigger_while_the_first_runs_does_no_harm(
    simulator: Simulator, provider: str
) -> None:
    one = tried(simulator, provider)
    one.simulated.job_takes(0.3)
    first, second = one.trigger(), one.trigger()
    assert one.check(first)
    assert one.fetch(one.check(second)).manifest.coverage.fresh > 0


@every_provider
def test_a_job_that_is_not_done_is_looked_at_again_and_a_look_is_held(
    simulator: Simulator, provider: str
) -> None:
    one = tried(simulator, provider)
    one.simulated.job_takes(1.0)
    one.check(one.trigger())
    assert one.simulated.calls(one.case.calls["check"]) < 30


@every_provider
def test_a_job_that_the_provider_does_not_know_is_lost(simulator: Simulator, provider: str) -> None:
    one = tried(simulator, provider)
    job = one.trigger()
    one.simulated.reset()
    again = ConnectorHarness(one.case, one.simulated, user=one.user)
    assert again.connector.check(again.connection, job, hold_seconds=0).lost


@pytest.mark.parametrize(
    ("provider", "application"),
    [
        pytest.param(provider, application, id=f"{provider}-{number}")
        for provider, case in CASES.items()
        for number, application in enumerate((b" ", b"not json", b"{}", b"[]", *case.lacking))
    ],
)
def test_a_secret_that_lacks_something_is_the_operators_to_mend(
    simulator: Simulator, provider: str, application: bytes
) -> None:
    simulated = simulator(provider)
    case = CASES[provider]
    one = ConnectorHarness(case, simulated, user=case.user, application=application)
    with pytest.raises(ConfigurationInvalid):
        one.trigger()


@every_provider
def test_a_provider_that_is_not_there_is_unavailable(simulator: Simulator, provider: str) -> None:
    simulated = simulator(provider)
    application = simulated.application(base_url="http://127.0.0.1:9")
    one = ConnectorHarness(
        CASES[provider], simulated, user=CASES[provider].user, application=application
    )
    assert type(one.refused(one.trigger)) is ProviderUnavailable


@every_provider
def test_nothing_is_said_in_the_clear_beyond_this_machine(
    simulator: Simulator, provider: str
) -> None:
    simulated = simulator(provider)
    application = simulated.application(base_url="http://bank.example")
    one = ConnectorHarness(
        CASES[provider], simulated, user=CASES[provider].user, application=application
    )
    assert type(one.refused(one.trigger)) is ConfigurationInvalid
