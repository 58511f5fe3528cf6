"""The example application: people connect their bank with a browser, and see what was read there."""

from __future__ import annotations

import re
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from infra.local.aws import ROOT
from infra.local.programs import HOST, answers, free_port
from infra.local.programs import running as running_program
from infra.local.sign_in.browser import Browser, Page
from infra.local.system import TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl

pytestmark = pytest.mark.usefixtures("banno")

WAITING = 'http-equiv="refresh"'


@pytest.fixture
def example(running: System, tmp_path: Path) -> Iterator[str]:
    """The application as its README starts it; its address."""
    port, application = free_port(), ROOT / "examples" / "application.py"
    with running_program(
        [sys.executable, "-m", "flask", "--app", application, "run", "--port", str(port)],
        log=tmp_path / "example.log",
        ready=partial(answers, port),
        settings={"API": f"{running.api}/v1", "TOKEN": running.issuer.token(TENANT)},
    ):
        yield f"http://{HOST}:{port}/"


def sign_in(browser: Browser, example: str, *, name: str) -> Page:
    return browser.submit(browser.open(example), name=name)


def connect(browser: Browser, example: str, page: Page) -> Page:
    """Click the application's button, agree at the bank, and wait for the first data."""
    page = agree(browser, example, browser.submit(page))
    while WAITING in page.text:
        page = browser.open(example)
    return page


def agree(browser: Browser, example: str, page: Page) -> Page:
    """Go on from the page of a link, until the browser is back at the application."""
    page = browser.submit(page, action="continue")
    while not page.url.startswith(example):
        page = browser.agree(page)
    return page


def test_people_connect_their_banks_and_see_their_own_data(example: str) -> None:
    ben, cleo = Browser(user="ben"), Browser(user="cleo")
    seen = {}
    for browser in (ben, cleo):
        page = sign_in(browser, example, name=browser.user)
        assert "Connect your bank" in page.text
        seen[browser.user] = connect(browser, example, page).text
    for text in seen.values():
        assert "<h2>accounts</h2>" in text
        assert "<h2>transactions</h2>" in text
    assert seen["ben"] != seen["cleo"]
    assert sign_in(Browser(), example, name="ben").text == seen["ben"]


def test_a_user_of_any_name_disconnects(example: str) -> None:
    browser = Browser(user="ben")
    page = connect(browser, example, sign_in(browser, example, name="Zoë Ångström 1"))
    (action,) = re.findall(r'formaction="(.*?)"', page.text)
    page = browser.submit(Page(url=example, text=f'<form action="{action}">'))
    assert "Connect your bank" in page.text
    assert "<h2>accounts</h2>" not in page.text


def test_a_user_who_does_not_agree_may_try_again(example: str) -> None:
    browser = Browser(user="ben")
    page = browser.submit(sign_in(browser, example, name="reluctant"))
    page = browser.submit(page, action="leave")
    assert "Nothing was connected." in page.text
    assert "<h2>accounts</h2>" in connect(browser, example, page).text


def test_a_link_that_another_user_follows_connects_nothing(example: str) -> None:
    mallory, victim = Browser(stops=".*/v1/connect/"), Browser(user="ben")
    link = mallory.submit(sign_in(mallory, example, name="mallory")).url
    sign_in(victim, example, name="victim")
    page = agree(victim, example, victim.open(link))
    assert "Connect your bank" in page.text
    assert "Connect your bank" in mallory.open(example).text


def test_a_user_whose_consent_has_ended_signs_in_again(
    example: str, banno: SimulatorControl
) -> None:
    browser = Browser(user="ben")
    page = connect(browser, example, sign_in(browser, example, name="returning"))
    banno.expire("ben")
    banno.revoke("ben")
    page = browser.submit(page)
    while WAITING in page.text:
        page = browser.open(example)
    assert "Sign in there again" in page.text
    assert "<h2>accounts</h2>" in connect(browser, example, page).text
