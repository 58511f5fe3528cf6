"""The simulators: by provider for the connectors' suite, or with a client of their own."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.support.clients.banno import BannoClient, open_banno
from tests.support.clients.digime import DigimeClient, open_digime
from tests.support.providers.registry import CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.providers.simulated import Simulated


@pytest.fixture(scope="session")
def simulator() -> Iterator[Callable[[str], Simulated]]:
    """By provider, its simulator at its beginning. Each is started once, and when it is needed."""
    with ExitStack() as stack:

        @cache
        def started(provider: str) -> Simulated:
            return stack.enter_context(CASES[provider].open())

        def fresh(provider: str) -> Simulated:
            started(provider).reset()
            return started(provider)

        yield fresh


@pytest.fixture(scope="module")
def opened_banno() -> Iterator[BannoClient]:
    with open_banno() as client:
        yield client


@pytest.fixture
def banno(opened_banno: BannoClient, request: pytest.FixtureRequest) -> BannoClient:
    """The module's simulator, put back to its beginning, with the module's ``SETTINGS``."""
    opened_banno.reset()
    opened_banno.settings(**getattr(request.module, "SETTINGS", {}))
    return opened_banno


@pytest.fixture(scope="module")
def opened_digime() -> Iterator[DigimeClient]:
    with open_digime() as client:
        yield client


@pytest.fixture
def application(opened_digime: DigimeClient, request: pytest.FixtureRequest) -> DigimeClient:
    """The module's simulator, put back to its beginning, with the module's ``SETTINGS``."""
    opened_digime.reset()
    opened_digime.settings(**getattr(request.module, "SETTINGS", {}))
    return opened_digime
