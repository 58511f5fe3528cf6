"""Every connector, when the operator mends the application's secret while it is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from msgspec.structs import replace

from functions.connectors.registry import load
from functions.core.errors import (
    ConfigurationInvalid,
    FreshetError,
    OperatorError,
    ProviderRefusesApplication,
    ProviderUnavailable,
)
from functions.core.ports import Page
from functions.wiring.providers import Renewing
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.providers.registry import CASES
from tests.support.scripted_connector import a_connection, connector_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.core.ports import Connector
    from tests.support.providers.simulated import Simulated

    Simulator = Callable[[str], Simulated]

WRONG = {
    "banno": {"client_secret": "wrong"},
    "digime": {"application_id": "wrong"},
    "endgrate": {"api_key": "wrong"},
}


class Kept:
    """The application's secret as a process keeps it: the old one until it is forgotten."""

    def __init__(self, old: bytes, new: bytes) -> None:
        self.secret, self._new, self.forgotten = old, new, 0

    def forget(self) -> None:
        self.secret, self.forgotten = self._new, self.forgotten + 1


def renewing(one: ConnectorHarness, kept: Kept) -> Connector:
    ports = connector_ports(
        one.connections, application=b"", clock=one.simulated.clock, sleep=one.simulated.later
    )
    ports = replace(ports, application=lambda: kept.secret)
    made = Renewing(lambda: load(one.case.entry, ports), forget=kept.forget)
    return cast("Connector", made)


def broken(simulated: Simulated, provider: str, how: str) -> bytes:
    return b"{}" if how == "malformed" else simulated.application(**WRONG[provider])


WAYS = [
    *((provider, "malformed") for provider in sorted(CASES)),
    *((provider, "refused") for provider in sorted(WRONG)),
]


@pytest.mark.parametrize(("provider", "how"), WAYS)
def test_a_mended_secret_is_used_at_once(simulator: Simulator, provider: str, how: str) -> None:
    case, simulated = CASES[provider], simulator(provider)
    one = ConnectorHarness(case, simulated, user=case.light)
    if case.entry.credentials:
        simulated.expire(one.user)
    kept = Kept(broken(simulated, provider, how), simulated.application())
    connector = renewing(one, kept)
    taken = connector.trigger(one.connection, one.order)
    while taken.more:
        taken = connector.trigger(one.connection, replace(one.order, job=taken.job))
    assert kept.forgotten == 1
    job, spoilt = one.check(taken.job), Kept(b"{}", simulated.application())
    pages = renewing(one, spoilt).fetch(one.connection, job, datasets=one.datasets, cursor=None)
    assert {page.dataset for page in pages} >= set(one.datasets)


@pytest.mark.parametrize(("provider", "how"), WAYS)
def test_a_secret_that_was_not_mended_is_read_anew_once(
    simulator: Simulator, provider: str, how: str
) -> None:
    case, simulated = CASES[provider], simulator(provider)
    one = ConnectorHarness(case, simulated, user=case.light)
    if case.entry.credentials:
        simulated.expire(one.user)
    wrong = broken(simulated, provider, how)
    kept = Kept(wrong, wrong)
    error = one.refused(lambda: renewing(one, kept).trigger(one.connection, one.order))
    assert isinstance(error, OperatorError)
    assert kept.forgotten == 1


class Paged:
    """A connector whose third page, for as long as its secret is old, is refused."""

    def __init__(self, kept: Kept, error: type[FreshetError]) -> None:
        self._secret, self._error = kept.secret, error

    def fetch(self, *_: Any, cursor: dict[str, int] | None, **__: Any) -> Iterator[Page]:
        for number in range(cursor["page"] if cursor else 0, 4):
            if self._secret == b"old" and number == 2:
                raise self._error
            yield Page(dataset=str(number), cursor={"page": number + 1} if number < 3 else None)


@pytest.mark.parametrize("error", [ConfigurationInvalid, ProviderRefusesApplication])
def test_a_fetch_goes_on_behind_the_last_page(error: type[FreshetError]) -> None:
    kept = Kept(b"old", b"new")
    made = Renewing(lambda: cast("Connector", Paged(kept, error)), forget=kept.forget)
    pages = made.fetch(a_connection(), {}, datasets=(), cursor=None)
    assert [page.dataset for page in pages] == ["0", "1", "2", "3"]


def test_a_fetch_that_has_given_its_last_page_is_not_begun_again() -> None:
    class Ended:
        def fetch(self, *_: Any, **__: Any) -> Iterator[Page]:
            yield Page(dataset="all")
            raise ConfigurationInvalid

    kept = Kept(b"old", b"new")
    made = Renewing(lambda: cast("Connector", Ended()), forget=kept.forget)
    pages = made.fetch(a_connection(), {}, datasets=(), cursor=None)
    assert next(pages).dataset == "all"
    with pytest.raises(ConfigurationInvalid):
        next(pages)


def test_any_other_fault_of_a_fetch_is_passed_on() -> None:
    kept = Kept(b"old", b"new")
    made = Renewing(lambda: cast("Connector", Paged(kept, ProviderUnavailable)), forget=kept.forget)
    with pytest.raises(ProviderUnavailable):
        list(made.fetch(a_connection(), {}, datasets=(), cursor=None))
    assert kept.forgotten == 0
