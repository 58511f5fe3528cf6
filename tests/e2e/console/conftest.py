"""The console of the running system in a real browser, judged after each test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.caller import Caller
from tests.support.browser.console import Console
from tests.support.browser.driver import Driver, NoBrowserError, browsing

if TYPE_CHECKING:
    from infra.local.system import System

Open = Callable[..., Console]


@pytest.fixture(scope="session")
def browser() -> Iterator[Driver]:
    """A browser; without one these tests are skipped, but not where they have to run."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(browsing())
        except NoBrowserError as missing:
            if {"CI", "FRESHET_REQUIRE_BROWSER"} & os.environ.keys():
                raise
            pytest.skip(f"The console is not tested. {missing}")
        yield found


@pytest.fixture
def token(running: System) -> str:
    """A token of a new tenant, whose ``caller`` is."""
    return running.issuer.token(f"tenant-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def caller(running: System, token: str, _unclaimed: None) -> Caller:
    return Caller(running.api, token=token)


@pytest.fixture
def open_console(running: System, browser: Driver) -> Iterator[Open]:
    """Opens the console in a new tab, without signing in."""
    with ExitStack() as stack:
        opened = []

        def open_one(**options: Any) -> Console:
            page = stack.enter_context(browser.page(**options))
            opened.append(Console(page, running.api, running.issuer.url))
            return opened[-1]

        yield open_one
        for console in opened:
            console.judge()


@pytest.fixture
def console(open_console: Open, token: str) -> Console:
    """The console, signed in as the tenant of ``caller``."""
    return open_console().enter(token)
