"""The simulators that the connectors are tried at."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

import pytest

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
